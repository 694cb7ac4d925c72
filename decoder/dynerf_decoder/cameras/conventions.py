"""Converts poses and intrinsics of OpenCV, COLMAP and nerfstudio; ``Camera`` builds cameras from them.

Conventions:

- OpenCV and COLMAP: x right, y down, looking along +z; poses map world to camera space.
- nerfstudio: the axes of this package; poses map camera to world space.
- OpenCV counts pixels from the centre of the first one, so its principal point is 0.5 less than here. COLMAP
  and nerfstudio put that centre at (0.5, 0.5), as this package does.

Values that do not describe a pinhole camera raise ViewError.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from dynerf_format.errors import ViewError

from .rotation import nearest_rotation, rotation_fault, rotation_of_vector

Numbers: TypeAlias = Sequence[Any] | np.ndarray
"""A vector or a matrix, as (nested) sequences or an array."""

OPENCV_PIXEL = 0.5
"""Add this to OpenCV's pixel coordinates to get those of ``Camera``."""

FLIP_YZ = np.diag([1.0, -1.0, -1.0])
"""Turns OpenCV's camera axes (y down, z forwards) into those of ``Camera`` (y up, z backwards), and back."""

_LENGTH_TOLERANCE = 1e-2  # of quaternions; accepts values rounded to three digits
_DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
_COLMAP = {"SIMPLE_PINHOLE": 3, "PINHOLE": 4}  # models and their numbers of parameters


def pose_of_extrinsics(rotation: Numbers, translation: Numbers, where: str) -> Float[np.ndarray, "3 4"]:
    """``camera_to_world`` of x_camera = R x_world + t with OpenCV's axes."""
    world_to_camera = checked_rotation(rotation, where)
    centre = -world_to_camera.T @ numbers(translation, f"{where}: translation", (3,))
    return np.column_stack([world_to_camera.T @ FLIP_YZ, centre])


def extrinsics_of_pose(
    pose: Float[np.ndarray, "3 4"],
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """R and t with OpenCV's axes, the inverse of ``pose_of_extrinsics``."""
    rotation = FLIP_YZ @ pose[:, :3].T
    return rotation, -rotation @ pose[:, 3]


def opencv_rotation(rotation: Numbers, where: str) -> Float[np.ndarray, "3 3"]:
    """The rotation matrix of OpenCV's R: a matrix, or a rotation vector (axis times angle in radians)."""
    vector = numbers(rotation, f"{where}: rotation", (3,), (3, 3))
    if vector.shape == (3, 3):
        return vector
    return rotation_of_vector(vector)


def opencv_intrinsics(matrix: Numbers) -> tuple[float, float, float, float]:
    """Focal lengths and principal point of a 3x3 camera matrix, in OpenCV's pixel coordinates."""
    values = numbers(matrix, "from_opencv: K", (3, 3))
    if values[0, 1] or values[1, 0] or not np.array_equal(values[2], [0, 0, 1]):
        raise ViewError("from_opencv: K has skew, or a last row that is not 0 0 1; neither is supported")
    return float(values[0, 0]), float(values[1, 1]), float(values[0, 2]), float(values[1, 2])


def colmap_intrinsics(model: str, params: Numbers) -> tuple[float, float, float, float]:
    """Focal lengths and principal point of a COLMAP camera without distortion."""
    if _COLMAP.get(model) != len(params):
        raise ViewError(
            f"from_colmap: model {model[:40]} with {len(params)} parameters, expected SIMPLE_PINHOLE with 3 "
            "or PINHOLE with 4; COLMAP's image_undistorter makes such cameras"
        )
    values = numbers(params, "from_colmap: params", (_COLMAP[model],))
    return float(values[0]), float(values[-3]), float(values[-2]), float(values[-1])


def rotation_of_quaternion(quaternion: Numbers, where: str) -> Float[np.ndarray, "3 3"]:
    """The rotation matrix of a quaternion (w, x, y, z) whose length is one up to rounding."""
    values = numbers(quaternion, f"{where}: quaternion", (4,))
    length = float(np.linalg.norm(values))
    if abs(length - 1) > _LENGTH_TOLERANCE:
        raise ViewError(f"{where}: quaternion of length {length:g}, expected 1")
    w, x, y, z = values / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_of_rotation(rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "4"]:
    """The quaternion (w, x, y, z) of a rotation, with w >= 0.

    Computed by eigenvectors (Bar-Itzhack), which is accurate at every angle.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    lower = np.array(
        [
            [xx - yy - zz, 0, 0, 0],
            [yx + xy, yy - xx - zz, 0, 0],
            [zx + xz, zy + yz, zz - xx - yy, 0],
            [zy - yz, xz - zx, yx - xy, xx + yy + zz],
        ]
    )
    x, y, z, w = np.linalg.eigh(lower / 3)[1][:, -1]
    quaternion = np.array([w, x, y, z])
    return np.asarray(-quaternion if w < 0 else quaternion)


def nerfstudio_pose(record: Mapping[str, object]) -> Float[np.ndarray, "3 4"]:
    """The pose in ``transform_matrix``, 4x4 or 3x4, with its rotation made exact."""
    where, matrix = "from_nerfstudio: transform_matrix", record.get("transform_matrix")
    rows = numbers(matrix, where, (4, 4), (3, 4))
    return np.column_stack([checked_rotation(rows[:3, :3], where), rows[:3, 3]])


def nerfstudio_intrinsics(
    record: Mapping[str, object],
) -> tuple[tuple[int, int], tuple[float, float, float, float]]:
    """Picture size, focal lengths and principal point of a frame of ``transforms.json``."""
    distorted = [key for key in _DISTORTION if record.get(key)]
    if distorted:
        raise ViewError(f"from_nerfstudio: {', '.join(distorted)} not 0, expected undistorted pictures")
    missing = [key for key in ("w", "h", "fl_x") if key not in record]
    if missing:
        raise ViewError(f"from_nerfstudio: {', '.join(missing)} missing, expected w, h and fl_x")
    width, height, focal_x = _values(record, {"w": None, "h": None, "fl_x": None})
    focal_y, centre_x, centre_y = _values(record, {"fl_y": focal_x, "cx": width / 2, "cy": height / 2})
    return (int(width), int(height)), (focal_x, focal_y, centre_x, centre_y)


def _values(record: Mapping[str, object], defaults: Mapping[str, float | None]) -> list[float]:
    found: list[object] = [record.get(key, default) for key, default in defaults.items()]
    values: list[float] = numbers(found, f"from_nerfstudio: {', '.join(defaults)}", (len(found),)).tolist()
    return values


def checked_rotation(matrix: Numbers, where: str) -> Float[np.ndarray, "3 3"]:
    """The rotation nearest to a matrix. Raises ViewError unless the matrix is a rotation up to rounding."""
    values = numbers(matrix, f"{where}: rotation", (3, 3))
    if fault := rotation_fault(values):
        raise ViewError(f"{where}: the 3x3 matrix {fault}")
    return nearest_rotation(values)


def numbers(values: object, where: str, *shapes: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    """Finite numbers as an array of one of ``shapes``; a vector may be a column. Raises ViewError."""
    expected = " or ".join(map(str, shapes))
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ViewError(f"{where}: expected numbers of shape {expected}: {error}") from error
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.shape not in shapes or not np.isfinite(found).all():
        raise ViewError(
            f"{where}: found numbers of shape {found.shape}, expected finite ones of shape {expected}"
        )
    return found
