"""Reads and writes points of a scene as PLY (binary or text), with x, y, z and optional colours.

World units are those of the capture. The file is not trusted: the header is bounded, and only numbers are
accepted as properties.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from dynerf_format.errors import CaptureError, OutputError, reason
from dynerf_format.io.atomic_write import atomic_path

from .json_input import read_bytes

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_MAX_HEADER = 2**14
_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, eq=False)
class ScenePoints:
    """Points in world units, and their colours (RGB; mid-grey when there are none)."""

    positions: Float[np.ndarray, "n 3"]
    colours: UInt8[np.ndarray, "n 3"]


def read_points(path: Path) -> ScenePoints:
    """The points of a PLY file. Raises CaptureError."""
    data = read_bytes(path, "points (PLY)")
    end = data.find(b"end_header", 0, _MAX_HEADER)
    if not data.startswith(b"ply") or end < 0:
        raise CaptureError(f"{path}: is not a PLY file, expected a header from 'ply' to 'end_header'")
    start = data.find(b"\n", end) + 1
    try:
        kind, count, fields = _header(data[:end].decode("ascii"))
        rows = _rows(data[start:], kind, count, fields)
        positions = np.stack([rows[axis].astype(np.float64) for axis in "xyz"], axis=-1)
    except (ValueError, IndexError, KeyError) as error:
        raise CaptureError(f"{path}: its points cannot be read: {error}") from error
    if not np.isfinite(positions).all():
        raise CaptureError(f"{path}: holds points that are not finite")
    coloured = all(name in fields and fields[name] == "u1" for name in _COLOURS)
    colours = (
        np.stack([rows[name] for name in _COLOURS], -1) if coloured else np.full((count, 3), 128, np.uint8)
    )
    return ScenePoints(positions, colours.astype(np.uint8))


def write_points(points: ScenePoints, path: Path) -> None:
    """Write points as binary PLY, positions as float64. Raises OutputError."""
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points.positions)}"]
    header += [f"property double {axis}" for axis in "xyz"]
    header += [f"property uchar {colour}" for colour in _COLOURS]
    rows = np.zeros(
        len(points.positions), [*((axis, "<f8") for axis in "xyz"), *((c, "u1") for c in _COLOURS)]
    )
    for index, axis in enumerate("xyz"):
        rows[axis] = points.positions[:, index]
        rows[_COLOURS[index]] = points.colours[:, index]
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes("\n".join([*header, "end_header\n"]).encode("ascii") + rows.tobytes())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {reason(error)}") from error


def _header(text: str) -> tuple[str, int, dict[str, str]]:
    """The format, the number of vertices, and the types of their properties by name."""
    kind, count, fields, element = "", -1, {}, ""
    for line in text.splitlines()[1:]:
        words = line.split()
        if words[:1] == ["format"]:
            kind = words[1]
        elif words[:1] == ["element"]:
            if not element and words[1] != "vertex":
                raise ValueError(f"element {words[1][:20]} before the vertices")
            element = words[1]
            if element == "vertex" and re.fullmatch(r"[0-9]{1,9}", words[2]):
                count = int(words[2])
        elif words[:1] == ["property"] and element == "vertex":
            if len(words) != 3 or words[1] not in _TYPES:
                raise ValueError(f"property {' '.join(words[1:])[:40]}, expected a number")
            fields[words[2]] = _TYPES[words[1]]
    if kind not in ("ascii", "binary_little_endian", "binary_big_endian") or count < 0:
        raise ValueError(f"format {kind[:30]!r} with {count} vertices, expected ascii or binary")
    return kind, count, fields


def _rows(data: bytes, kind: str, count: int, fields: dict[str, str]) -> np.ndarray:
    order = ">" if kind == "binary_big_endian" else "<"
    row = np.dtype([(name, order + code) for name, code in fields.items()])
    if kind != "ascii":
        if len(data) < count * row.itemsize:
            raise ValueError(f"{len(data)} bytes of points, expected {count * row.itemsize}")
        return np.frombuffer(data, row, count)
    lines = data.split(b"\n", count)[:count]
    values = np.array([line.split()[: len(fields)] for line in lines], np.float64)
    if values.shape != (count, len(fields)):
        raise ValueError(f"{len(lines)} lines of points, expected {count} of {len(fields)} numbers")
    rows = np.zeros(count, row)
    for index, name in enumerate(fields):
        rows[name] = values[:, index]
    return rows
