"""Implements ``dynerf info``: reads header, directory and a chunk of sound. Does not import torch.

With ``--check`` the whole file is read and every checksum is verified; nothing is decoded.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dynerf.api import inspecting
from dynerf.api.inspecting import Info, LayerInfo
from dynerf.arguments.command import Command
from dynerf.arguments.shared import add_clip
from dynerf.console.progress import print_result

_CHECK_FIELDS = ("sha256", "chunks_checked")


def run(options: argparse.Namespace) -> int:
    """Describe a file. Raises FormatError when ``--check`` finds damage."""
    found = inspecting.info(options.clip, check=options.check)
    print_result(json.dumps(_record(found)) if options.json else _text(found))
    return 0


def _record(info: Info) -> dict[str, Any]:
    """All fields; those of a check only if there was one."""
    record = asdict(info)
    return record if info.sha256 is not None else {k: v for k, v in record.items() if k not in _CHECK_FIELDS}


def _psnr(layer: LayerInfo) -> str:
    psnr = layer.held_out_psnr
    return f"{psnr:.2f} dB" if isinstance(psnr, float) else "not measured"


def _text(info: Info) -> str:
    held_out = [camera.name for camera in info.cameras if camera.role == "held_out"]
    first = info.cameras[0]
    lines = [
        f"{info.bytes:,} bytes, written by {info.generator}",
        f"{info.frames} frames at {info.fps:g} fps ({info.seconds:.2f} s), "
        f"{len(info.segments)} segment(s), "
        f"{sum(segment.builds_on == 0 for segment in info.segments)} of them independent",
        f"{len(info.cameras)} cameras of {first.width}x{first.height}; "
        + (f"held out: {', '.join(held_out)}" if held_out else "none held out"),
        f"{_printable(info.field)} field in a {_printable(info.space)} space: {_parameters(info)}, "
        f"{info.latent_bytes_per_frame:.0f} bytes of latents per frame",
        *_sound_lines(info),
        *_check_lines(info),
        "",
        "bytes per part",
        *(f"  {name:<12}{count:>12,}" for name, count in info.bytes_by_part.items()),
        "",
        "quality layers: bytes of weights, those of all up to it, their share of the file, held-out PSNR",
        *(
            f"  {layer.layers:<12}{layer.own_bytes:>12,}{layer.bytes:>12,}"
            f"{100 * layer.bytes / info.bytes:>7.1f} %  {_psnr(layer)}"
            for layer in info.layers
        ),
        "",
        "measured by the encoder",
        *(f"  {name:<24}{_printable(value)}" for name, value in info.quality.items()),
        "",
        "configuration",
        *_tree(info.config),
    ]
    return "\n".join(lines)


def _parameters(info: Info) -> str:
    if not info.parameters:
        return "its parameters are unknown to this version"
    return f"{info.parameters:,} parameters, {info.bits_per_parameter:.2f} bits each"


def _sound_lines(info: Info) -> list[str]:
    if info.sound is None:
        return []
    kind = {1: "mono", 2: "stereo"}.get(info.sound.channels or 0, "of unknown kind")
    return [
        f"{info.sound.seconds:.2f} s of sound, {kind}: {info.sound.bytes:,} bytes, "
        f"{info.sound.bit_rate / 1000:.0f} kbit/s"
    ]


def _check_lines(info: Info) -> list[str]:
    if info.sha256 is None:
        return []
    return [
        f"the checksums of all {info.chunks_checked} chunks and of the whole file match",
        f"SHA-256 {info.sha256}",
    ]


def _tree(values: Mapping[str, Any], indent: str = "  ") -> list[str]:
    lines = []
    for name, value in values.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}", *_tree(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name} = {_printable(value)}")
    return lines


def _printable(value: object) -> str:
    """A value as text without control characters: a file may contain any string."""
    text = str(value)
    return text if text.isprintable() else repr(value)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_clip(parser)
    parser.add_argument(
        "--check", action="store_true",
        help="read the whole file and verify every checksum ('dynerf verify' also decodes)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


COMMAND = Command(
    name="info",
    summary="describe a .dnv file",
    description="""\
Describe a .dnv file: length, cameras, field, bytes per part, bits per
parameter, sound, and the effective configuration of the encode. Reads the
header, the directory and the first chunk of sound only; --check reads the
whole file and verifies every checksum. Does not load torch.
""",
    examples="""\
examples:
  dynerf info candle.dnv
  dynerf info candle.dnv --json
  dynerf info candle.dnv --check
  dynerf info https://example.org/candle.dnv
""",
    add_arguments=_add_arguments,
    run=run,
)
