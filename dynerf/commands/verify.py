"""Implements ``dynerf verify``: checks every checksum, tensor and the file's hash. Does not import torch."""

import argparse
import json

from dynerf.api.opening import source_at
from dynerf.arguments.command import Command
from dynerf.arguments.shared import add_clip
from dynerf.console.progress import print_result
from dynerf_format import FormatError, Reader


def run(options: argparse.Namespace) -> int:
    """Read and decode all of a file. Raises FormatError if it is damaged."""
    try:
        with source_at(options.clip) as source:
            reader = Reader(source)
            digest = reader.verify()
            name, size = source.name, source.size
    except FormatError as error:
        if options.json:
            print_result(json.dumps({"ok": False, "error": str(error)}))
        raise
    layers = [reader.layers(number) for number in range(len(reader.header.segments))]
    if options.json:
        record = {"ok": True, "sha256": digest, "bytes": size, "chunks": len(reader.directory)}
        print_result(json.dumps({**record, "frames": reader.header.frames, "layers": layers}))
    else:
        print_result(
            f"{name}: intact: {size:,} bytes, {len(reader.directory)} chunks, "
            f"{reader.header.frames} frames, {max(layers)} quality layers\nSHA-256 {digest}"
        )
    return 0


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_clip(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


COMMAND = Command(
    name="verify",
    summary="check every byte of a .dnv file",
    description="""\
Read all of a .dnv file and check every checksum, every tensor of every quality
layer, and the hash of the whole file. Does not load torch.

exit status:
  0 intact, 2 damaged or not a .dnv file
""",
    examples="""\
examples:
  dynerf verify candle.dnv
  dynerf verify candle.dnv --json
  dynerf verify https://example.org/candle.dnv
""",
    add_arguments=_add_arguments,
    run=run,
)
