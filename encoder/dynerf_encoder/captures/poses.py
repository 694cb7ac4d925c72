"""Reads ``poses_bounds.npy``, the pose file of LLFF and of the N3V videos. The file is not trusted.

One row of 17 numbers per camera: a 3x5 row-major matrix [R | t | (height, width, focal length)], then near
and far. R's columns are the camera's [down, right, backwards] axes in world space, t its centre in world
units; the focal length is in pixels of a height x width picture with the principal point at its centre.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.rotation import nearest_rotation, rotation_fault
from dynerf_format.errors import CaptureError, reason

from .lens import Lens

_COLUMNS = 17
_MAX_BYTES = 2**24
_MAGIC = b"\x93NUMPY"
_MAX_VALUE = 1e9  # pixels or world units: what decoders accept
_MAX_SPACING = 1e-4  # of the rig's size, between neighbouring numbers of the file's type at the cameras


@dataclass(frozen=True, eq=False)
class StoredPose:
    """One row, checked and converted to OpenGL's axes [right, up, backwards]; sizes in pixels."""

    name: str
    camera_to_world: Float[np.ndarray, "3 4"]
    height: float
    width: float
    focal: float
    near: float
    far: float

    def lens(self) -> Lens:
        """The lens: without distortion, the principal point in the middle; sizes are rounded to pixels."""
        width, height = max(1, round(self.width)), max(1, round(self.height))
        return Lens(
            width,
            height,
            self.focal * (width / self.width),
            self.focal * (height / self.height),
            width / 2,
            height / 2,
        )


def read_poses(path: Path, names: tuple[str, ...]) -> tuple[StoredPose, ...]:
    """The poses of the cameras called ``names``, one per row. Raises CaptureError, naming the invalid row."""
    stored = _load(path)
    rows = stored.astype(np.float64)
    if rows.ndim != 2 or rows.shape[1] != _COLUMNS:
        shape = "x".join(map(str, rows.shape)) or "a single number"
        raise CaptureError(f"{path}: an array of {shape}, expected {len(names)} rows of {_COLUMNS} numbers")
    if len(rows) > len(names) and len(rows) % len(names) == 0:
        raise CaptureError(
            f"{path}: {len(rows)} rows for {len(names)} cameras, {len(rows) // len(names)} poses each; "
            "moving cameras are not supported: importance sampling compares what a pixel shows at different "
            "times"
        )
    if len(rows) != len(names):
        raise CaptureError(
            f"{path}: {len(rows)} rows for {len(names)} cameras ({names[0]} to {names[-1]}), "
            "expected one row per video"
        )
    poses = tuple(_pose(path, name, row) for name, row in zip(names, rows, strict=True))
    _check_precision(path, poses, stored.dtype)
    return poses


def pose_row(
    lens: Lens, camera_to_world: Float[np.ndarray, "3 4"], near: float, far: float
) -> Float[np.ndarray, "17"]:
    """The row of a camera with one focal length and its principal point in the middle."""
    right, up, backwards, centre = camera_to_world.T
    intrinsics = np.array([lens.height, lens.width, lens.focal_x])
    matrix = np.stack([-up, right, backwards, centre, intrinsics], axis=1)
    return np.append(matrix.ravel(), [near, far])


def _load(path: Path) -> np.ndarray:
    """The stored array, of any real type and shape."""
    try:
        if not path.is_file():
            raise CaptureError(f"{path}: is missing, expected a file with the cameras' poses")
        if path.stat().st_size > _MAX_BYTES:
            raise CaptureError(f"{path}: {path.stat().st_size} bytes, expected {_COLUMNS} numbers per camera")
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise CaptureError(f"{path}: cannot be read: {reason(error)}") from error
    if magic != _MAGIC:  # NumPy would assume a pickle and suggest loading it as one
        raise CaptureError(f"{path}: is not an array of numbers in NumPy's format (.npy)")
    try:
        # Mapped, because a plain load allocates whatever size the header claims.
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy's header parser also raises SyntaxError, tokenize's errors and others
        raise CaptureError(f"{path}: is not an array of numbers in NumPy's format: {error}") from error
    if stored.dtype.kind not in "fiu":
        raise CaptureError(f"{path}: holds elements of type {stored.dtype}, expected real numbers")
    return np.array(stored)


def _check_precision(path: Path, poses: tuple[StoredPose, ...], kind: np.dtype[Any]) -> None:
    """CaptureError when the file's numbers are too coarse for the cameras' relative positions."""
    if kind.kind != "f":
        return
    centres = np.stack([pose.camera_to_world[:, 3] for pose in poses])
    farthest = np.abs(centres).max()
    spacing = float(np.spacing(farthest.astype(kind)))
    distances = np.linalg.norm(centres - centres.mean(axis=0), axis=1)
    size = max(float(distances.max()), min(pose.near for pose in poses))
    if spacing > _MAX_SPACING * size:
        raise CaptureError(
            f"{path}: numbers of type {kind} are {spacing:.2g} apart at {farthest:.3g} from the origin, too "
            f"coarse for cameras within {size:.2g} of their centre; expected float64, from positions that "
            "were never rounded, or positions relative to the cameras' mean"
        )


def _pose(path: Path, name: str, row: Float[np.ndarray, "17"]) -> StoredPose:
    where = f"{path}: row of {name}"
    if not np.isfinite(row).all():
        column = int(np.flatnonzero(~np.isfinite(row))[0])
        raise CaptureError(f"{where}: column {column} holds {row[column]}, expected finite numbers")
    if np.abs(row).max() > _MAX_VALUE:
        column = int(np.abs(row).argmax())
        raise CaptureError(f"{where}: column {column} holds {row[column]:g}, expected at most {_MAX_VALUE:g}")
    matrix = row[:15].reshape(3, 5)
    height, width, focal = (float(value) for value in matrix[:, 4])
    near, far = float(row[15]), float(row[16])
    if min(height, width, focal) < 1 / _MAX_VALUE:
        raise CaptureError(
            f"{where}: height {height:g}, width {width:g}, focal length {focal:g}, expected positive"
        )
    if not 0 < near < far:
        raise CaptureError(f"{where}: near {near:g} and far {far:g}, expected 0 < near < far")
    down, right, backwards = _rotation(where, matrix[:, :3]).T
    pose = np.stack([right, -down, backwards, matrix[:, 3]], axis=1)
    return StoredPose(name, pose, height, width, focal, near, far)


def _rotation(where: str, matrix: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation nearest to the stored matrix; CaptureError unless that is one up to rounding."""
    if fault := rotation_fault(matrix):
        raise CaptureError(
            f"{where}: the 3x3 part {fault}, expected a rotation with columns down, right, backwards"
        )
    return nearest_rotation(matrix)
