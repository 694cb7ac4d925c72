"""``dynerf info``: what header and directory say, read by one or two requests. Needs no torch.

With ``--check`` all of the file is read and every checksum compared; nothing is decoded.
"""

import argparse
import json
import math
from typing import Any

from dynerf_format import Header, Reader, tensor_shapes

from ..display import print_result
from ..opening import open_source


def run(options: argparse.Namespace) -> int:
    """Print what is in a file; FormatError when ``--check`` finds damage."""
    with open_source(options.clip) as source:
        reader = Reader(source)
        record = _record(reader, source.size)
        if options.check:
            record |= {"sha256": reader.check(), "chunks_checked": len(reader.directory)}
    print_result(json.dumps(record) if options.json else _text(reader.header, record))
    return 0


def _record(reader: Reader, size: int) -> dict[str, Any]:
    header = reader.header
    builds_on = {e.segment: e.first for e in reader.directory if (e.kind, e.layer) == (b"WGHT", 0)}
    segments = [
        {"first_frame": segment.first_frame, "frames": segment.frames, "builds_on": builds_on[number]}
        for number, segment in enumerate(header.segments)
    ]
    spent = reader.bytes_by_kind()
    shapes = tensor_shapes(header.field)
    parameters = None if shapes is None else len(segments) * sum(map(math.prod, shapes.values()))
    return {
        "layers": _layers(reader),
        "bytes": size,
        "bytes_by_part": spent,
        "frames": header.frames,
        "fps": float(header.fps),
        "seconds": float(header.frames / header.fps),
        "first_source_frame": header.first_source_frame,
        "field": header.field.kind,
        "field_settings": header.field.settings,
        "sampling": header.sampling,
        "parameters": parameters,
        "bits_per_parameter": 8 * spent["WGHT"] / parameters if parameters else None,
        "latent_bytes_per_frame": spent.get("LATN", 0) / header.frames,
        "tensors": shapes,
        "segments": segments,
        "cameras": [
            {"name": camera.name, "width": camera.width, "height": camera.height, "role": camera.role}
            for camera in header.cameras
        ],
        "space": header.space.kind,
        "viewing_volume": [list(corner) for corner in header.viewing_volume],
        "quality": header.quality,
        "generator": header.generator,
        "config": header.config,
    }


def _layers(reader: Reader) -> list[dict[str, Any]]:
    """What each quality layer brings: bytes of weights in it and below, PSNR if the encoder measured it."""
    entries = [entry for entry in reader.directory if entry.kind == b"WGHT"]
    layers = []
    for last in sorted({entry.layer for entry in entries}):
        size = sum(entry.end - entry.offset for entry in entries if entry.layer <= last)
        psnr = reader.header.quality.get(f"held_out_psnr_layers_{last + 1}")
        layers.append({"layers": last + 1, "bytes": size, "held_out_psnr": psnr})
    return layers


def _psnr(layer: dict[str, Any]) -> str:
    psnr = layer["held_out_psnr"]
    return f"{psnr:.2f} dB" if isinstance(psnr, float) else "not measured"


def _text(header: Header, record: dict[str, Any]) -> str:
    held_out = [camera.name for camera in header.cameras if camera.role == "held_out"]
    first = header.cameras[0]
    lines = [
        f"{record['bytes']:,} bytes, written by {header.generator}",
        f"{header.frames} frames at {record['fps']:g} per second ({record['seconds']:.2f} s), "
        f"{len(record['segments'])} segment(s), "
        f"{sum(segment['builds_on'] == 0 for segment in record['segments'])} of them need no other",
        f"{len(header.cameras)} cameras of {first.width}x{first.height}; "
        + (f"held out: {', '.join(held_out)}" if held_out else "none held out"),
        f"{_shown(record['field'])} field in a {_shown(record['space'])} space: {_parameters(record)}, "
        f"{record['latent_bytes_per_frame']:.0f} bytes of latents per frame",
        *_checked(record),
        "",
        "bytes per part",
        *(f"  {name:<12}{count:>12,}" for name, count in record["bytes_by_part"].items()),
        "",
        "quality layers: bytes of weights up to each, held-out PSNR with it",
        *(f"  {layer['layers']:<12}{layer['bytes']:>12,}  {_psnr(layer)}" for layer in record["layers"]),
        "",
        "measured by the encoder",
        *(f"  {name:<24}{_shown(value)}" for name, value in header.quality.items()),
        "",
        "configuration",
        *_tree(header.config),
    ]
    return "\n".join(lines)


def _parameters(record: dict[str, Any]) -> str:
    if not record["parameters"]:
        return "its parameters are not known to this version"
    return f"{record['parameters']:,} parameters, {record['bits_per_parameter']:.2f} bits each"


def _checked(record: dict[str, Any]) -> list[str]:
    if "sha256" not in record:
        return []
    return [
        f"the checksums of all {record['chunks_checked']} chunks and of the whole file match",
        f"SHA-256 {record['sha256']}",
    ]


def _tree(values: dict[str, Any], indent: str = "  ") -> list[str]:
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
