"""Implements ``dynerf repair``: recovers the intact part of a damaged file. Does not import torch."""

import argparse
import os
from pathlib import Path

from dynerf.arguments import values
from dynerf.arguments.command import Command
from dynerf.console.progress import say
from dynerf_format import FileSource, OutputError, repair_clip


def run(options: argparse.Namespace) -> int:
    """Write the intact chunks before the damage to another file, and report what was lost."""
    if os.path.realpath(options.clip) == os.path.realpath(options.output):
        raise OutputError(f"{options.output}: is the file to repair, expected another name")
    with FileSource(options.clip) as source:
        repair = repair_clip(source, options.output)
    say(f"{options.output}: {repair.chunks} chunks, {repair.frames} frames; {repair.reason}")
    if repair.frames_lost or repair.bytes_lost:
        say(f"lost: {repair.frames_lost} frames, {repair.bytes_lost:,} bytes of chunks")
    else:
        say("nothing was lost")
    return 0


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "clip", type=values.local_path, metavar="CLIP.dnv", help="the damaged file; local, and not modified"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE.dnv", help="the file to write"
    )


COMMAND = Command(
    name="repair",
    summary="recover the intact part of a damaged .dnv file",
    description="""\
Recover the intact part of a truncated or damaged .dnv file: all chunks before
the damage, as a playable file. What follows is lost: the last frames, or the
finer quality layers. The damaged file is not modified; one at an address must
be downloaded first.
""",
    examples="""\
examples:
  dynerf repair broken.dnv -o saved.dnv
""",
    add_arguments=_add_arguments,
    run=run,
)
