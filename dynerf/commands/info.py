"""``dynerf info``: what header and directory say, read by one or two requests. Needs no torch.

With ``--check`` all of the file is read and every checksum compared; nothing is decoded.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dynerf.api import inspecting
from dynerf.api.inspecting import Info, LayerInfo
from dynerf.console.progress import print_result

_OF_A_CHECK = ("sha256", "chunks_checked")


def run(options: argparse.Namespace) -> int:
    """Print what is in a file; FormatError when ``--check`` finds damage."""
    found = inspecting.info(options.clip, check=options.check)
    print_result(json.dumps(_record(found)) if options.json else _text(found))
    return 0


def _record(info: Info) -> dict[str, Any]:
    """All fields; those of a check only when there was one."""
    record = asdict(info)
    return record if info.sha256 is not None else {k: v for k, v in record.items() if k not in _OF_A_CHECK}


def _psnr(layer: LayerInfo) -> str:
    psnr = layer.held_out_psnr
    return f"{psnr:.2f} dB" if isinstance(psnr, float) else "not measured"


def _text(info: Info) -> str:
    held_out = [camera.name for camera in info.cameras if camera.role == "held_out"]
    first = info.cameras[0]
    lines = [
        f"{info.bytes:,} bytes, written by {info.generator}",
        f"{info.frames} frames at {info.fps:g} per second ({info.seconds:.2f} s), "
        f"{len(info.segments)} segment(s), "
        f"{sum(segment.builds_on == 0 for segment in info.segments)} of them need no other",
        f"{len(info.cameras)} cameras of {first.width}x{first.height}; "
        + (f"held out: {', '.join(held_out)}" if held_out else "none held out"),
        f"{_shown(info.field)} field in a {_shown(info.space)} space: {_parameters(info)}, "
        f"{info.latent_bytes_per_frame:.0f} bytes of latents per frame",
        *_checked(info),
        "",
        "bytes per part",
        *(f"  {name:<12}{count:>12,}" for name, count in info.bytes_by_part.items()),
        "",
        "quality layers: bytes of weights up to each, held-out PSNR with it",
        *(f"  {layer.layers:<12}{layer.bytes:>12,}  {_psnr(layer)}" for layer in info.layers),
        "",
        "measured by the encoder",
        *(f"  {name:<24}{_shown(value)}" for name, value in info.quality.items()),
        "",
        "configuration",
        *_tree(info.config),
    ]
    return "\n".join(lines)


def _parameters(info: Info) -> str:
    if not info.parameters:
        return "its parameters are not known to this version"
    return f"{info.parameters:,} parameters, {info.bits_per_parameter:.2f} bits each"


def _checked(info: Info) -> list[str]:
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
            lines.append(f"{indent}{name} = {_shown(value)}")
    return lines


def _shown(value: object) -> str:
    """A value as text that cannot move the cursor: a file may hold any string."""
    text = str(value)
    return text if text.isprintable() else repr(value)
