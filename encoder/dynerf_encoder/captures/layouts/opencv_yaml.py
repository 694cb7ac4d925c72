"""Reads the YAML that OpenCV's FileStorage writes: numbers, texts, lists of texts, and matrices.

Only that: no other YAML. The file is not trusted; its size is bounded by ``json_input.MAX_BYTES``.
"""

import re
from pathlib import Path

import numpy as np

from dynerf_encoder.captures.json_input import read_bytes
from dynerf_format.errors import CaptureError

Value = float | str | list[str] | np.ndarray

_KEY = re.compile(r"(?m)^([A-Za-z0-9_.\-]+):(.*)$")
_MATRIX = re.compile(
    r"^\s*!!opencv-matrix\s+rows:\s*([0-9]{1,4})\s+cols:\s*([0-9]{1,4})\s+dt:\s*\"?[a-z0-9]+\"?\s+"
    r"data:\s*\[([^\]]*)\]\s*$"
)
_ITEM = re.compile(r"""^\s*-\s*(?:"([^"\n]*)"|'([^'\n]*)'|(\S.*?))\s*$""", re.MULTILINE)


def read_opencv_yaml(path: Path) -> dict[str, Value]:
    """The values of a file by key. Raises CaptureError for what is none of the kinds above."""
    try:
        text = read_bytes(path, "OpenCV's YAML").decode("utf-8")
    except UnicodeDecodeError as error:
        raise CaptureError(f"{path}: is not text, expected OpenCV's YAML") from error
    keys = list(_KEY.finditer(text))
    if not keys:
        raise CaptureError(f"{path}: holds no key, expected OpenCV's YAML")
    ends = [key.start() for key in keys[1:]] + [len(text)]
    values: dict[str, Value] = {}
    for key, end in zip(keys, ends, strict=True):
        if key[1].startswith("%"):
            continue
        values[key[1]] = _value(key[2] + text[key.end() : end], f"{path}: {key[1]}")
    return values


def _value(text: str, where: str) -> Value:
    stripped = text.strip()
    if stripped.startswith("!!opencv-matrix"):
        return _matrix(stripped, where)
    if stripped.startswith("["):
        inner = stripped.strip("[]").split(",")
        return [item.strip().strip("\"'") for item in inner if item.strip()]
    if stripped.startswith("-") and "\n" in text:
        return [first or second or third for first, second, third in _ITEM.findall(text)]
    stripped = stripped.strip("\"'")
    try:
        return float(stripped)
    except ValueError:
        return stripped


def _matrix(text: str, where: str) -> np.ndarray:
    found = _MATRIX.match(text)
    if found is None:
        raise CaptureError(f"{where}: expected an opencv-matrix with rows, cols, dt and data")
    rows, columns = int(found[1]), int(found[2])
    try:
        numbers = np.array([float(item) for item in found[3].split(",") if item.strip()])
    except ValueError as error:
        raise CaptureError(f"{where}: {error}, expected numbers") from error
    if len(numbers) != rows * columns or not np.isfinite(numbers).all():
        raise CaptureError(f"{where}: {len(numbers)} numbers, expected {rows}x{columns} finite ones")
    return numbers.reshape(rows, columns)
