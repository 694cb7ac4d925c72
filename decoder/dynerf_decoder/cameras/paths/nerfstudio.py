"""Reads and checks camera paths exported by nerfstudio's viewer (JSON).

The file is not trusted: its size is bounded, every number has limits, and a path that cannot be rendered
raises ViewError. Positions are in the clip's world units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.camera import MAX_DISTANCE
from dynerf_decoder.cameras.rotation import nearest_rotation, rotation_fault
from dynerf_format.errors import ViewError
from dynerf_format.values import is_number, parse_json

MAX_SIDE = 8192  # pixels, of any picture to render
_MAX_FPS, _MAX_FPS_DENOMINATOR = 1000.0, 100_000  # limits of a video file
_MAX_BYTES = 2**24
_MAX_ROUNDING = 1e-2  # of a matrix's last row
_FOV = (0.001, 179.999)  # degrees; beyond these, focal lengths overflow
_ASPECT = (1 / MAX_SIDE, float(MAX_SIDE))


@dataclass(frozen=True, eq=False)
class CameraPath:
    """A checked camera path file: ``poses`` are [R | o] as in ``Camera``, ``fov`` is vertical, in degrees.

    Values missing in the file are None. ``render_times`` are fractions of the clip, 0 its first frame and 1
    its last; None unless all entries have one.
    """

    source: Path
    poses: Float[np.ndarray, "entry 3 4"]
    fov: Float[np.ndarray, " entry"]
    size: tuple[int, int] | None
    aspect: float | None
    fps: Fraction | None
    render_times: Float[np.ndarray, " entry"] | None


def read_camera_path(path: Path) -> CameraPath:
    """Read the camera path JSON of nerfstudio's viewer. Raises ViewError naming the file and the entry.

    Uses ``camera_path[]`` with ``camera_to_world`` (16 numbers, row by row), ``fov`` and the optional
    ``aspect`` (of the first entry) and ``render_time``; ``render_width`` and ``render_height``, ``fps``,
    ``camera_type``. Other keys, such as ``keyframes``, belong to the viewer and are ignored.
    """
    return parse_camera_path(_read(path), path)


def parse_camera_path(data: bytes, path: Path) -> CameraPath:
    """As ``read_camera_path``, from the file's bytes; error messages call it ``path``."""
    record = _record(data, path)
    kind = record.get("camera_type", "perspective")
    if not isinstance(kind, str) or kind.lower() != "perspective":
        raise ViewError(f"{path}: camera_type {_shown(kind)}, supported is only perspective")
    entries = record.get("camera_path")
    if not isinstance(entries, list) or not entries:
        raise ViewError(f"{path}: camera_path is {_shown(entries)}, expected a list of at least one camera")
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise ViewError(f"{path}: camera_path[{index}]: {_shown(entry)}, expected an object")
    first, timed = entries[0], all("render_time" in entry for entry in entries)
    return CameraPath(
        source=path,
        poses=_poses(path, entries),
        fov=_column(path, entries, "fov", _FOV),
        size=_render_size(path, record),
        aspect=float(_column(path, [first], "aspect", _ASPECT)[0]) if "aspect" in first else None,
        fps=_frame_rate(path, record),
        render_times=_column(path, entries, "render_time", (0.0, 1.0)) if timed else None,
    )


def _read(path: Path) -> bytes:
    """The bytes of a file, at most one more than its size may have."""
    try:
        if not path.exists():
            raise ViewError(f"{path}: does not exist, expected a camera path (JSON)")
        if not path.is_file():
            raise ViewError(f"{path}: is not a file, expected a camera path (JSON)")
        with path.open("rb") as file:
            return file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ViewError(f"{path}: cannot be read: {error.strerror}") from error


def _record(data: bytes, path: Path) -> dict[str, object]:
    """The JSON object in ``data``, without NaN and infinity."""
    if len(data) > _MAX_BYTES:
        raise ViewError(f"{path}: more than {_MAX_BYTES} bytes, expected a camera path (JSON)")
    try:
        record = parse_json(data)
    except (ValueError, RecursionError) as error:
        raise ViewError(f"{path}: is not JSON: {str(error)[:100]}") from error
    if not isinstance(record, dict):
        raise ViewError(f"{path}: {_shown(record)}, expected an object with camera_path")
    return record


def _poses(path: Path, entries: Sequence[dict[str, object]]) -> Float[np.ndarray, "entry 3 4"]:
    """All ``camera_to_world``, with rotations made exact."""
    rows = []
    for index, entry in enumerate(entries):
        where = _matrix(path, index)
        numbers = entry.get("camera_to_world")
        if not isinstance(numbers, list) or len(numbers) != 16:
            raise ViewError(f"{where} is {_shown(numbers)}, expected 16 numbers")
        rows.append([_number(number, where, (-MAX_DISTANCE, MAX_DISTANCE)) for number in numbers])
    matrices = np.array(rows, dtype=np.float64).reshape(-1, 4, 4)
    for index, matrix in enumerate(matrices):
        if np.abs(matrix[3] - [0, 0, 0, 1]).max() > _MAX_ROUNDING:
            raise ViewError(f"{_matrix(path, index)}: last row is not 0 0 0 1; are columns and rows swapped?")
        if fault := rotation_fault(matrix[:3, :3]):
            raise ViewError(f"{_matrix(path, index)}: upper left 3x3 {fault}")
    return np.concatenate([nearest_rotation(matrices[:, :3, :3]), matrices[:, :3, 3:]], axis=2)


def _matrix(path: Path, index: int) -> str:
    """How messages call a matrix of the file."""
    return f"{path}: camera_path[{index}]: camera_to_world"


def _column(
    path: Path, entries: Sequence[dict[str, object]], key: str, limits: tuple[float, float]
) -> Float[np.ndarray, " entry"]:
    """One number per entry."""
    return np.array(
        [
            _number(entry.get(key), f"{path}: camera_path[{i}]: {key}", limits)
            for i, entry in enumerate(entries)
        ]
    )


def _render_size(path: Path, record: dict[str, object]) -> tuple[int, int] | None:
    if "render_width" not in record and "render_height" not in record:
        return None
    limits = (1.0, float(MAX_SIDE))
    width = _number(record.get("render_width"), f"{path}: render_width", limits)
    height = _number(record.get("render_height"), f"{path}: render_height", limits)
    if width != int(width) or height != int(height):
        raise ViewError(f"{path}: render size {width:g}x{height:g}, expected whole pixels")
    return int(width), int(height)


def _frame_rate(path: Path, record: dict[str, object]) -> Fraction | None:
    if "fps" not in record:
        return None
    fps = _number(record["fps"], f"{path}: fps", (1 / _MAX_FPS_DENOMINATOR, _MAX_FPS))
    return Fraction(repr(fps)).limit_denominator(_MAX_FPS_DENOMINATOR)


def _number(value: object, where: str, limits: tuple[float, float]) -> float:
    """A JSON number within limits, both included."""
    if not is_number(value, *limits):
        raise ViewError(f"{where} is {_shown(value)}, expected a number from {limits[0]:g} to {limits[1]:g}")
    return float(value)


def _shown(value: object) -> str:
    """A JSON value in a few words, for one line of text."""
    if value is None:
        return "missing"
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return repr(value)[:60] if not isinstance(value, str) else repr(value[:60])
