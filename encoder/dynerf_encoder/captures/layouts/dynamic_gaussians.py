"""Reads Dynamic 3D Gaussians (Luiten et al., 2024): ``train_meta.json`` and ``ims/CAMERA/000000.jpg``.

``w2c[t][c]`` are 4x4 world-to-camera matrices with OpenCV's axes, ``k[t][c]`` camera matrices without
distortion, ``fn[t][c]`` picture files below ``ims``; all pictures are ``w`` x ``h``. The renderer of that
project puts the first pixel's centre at (0.5, 0.5). The cameras of ``test_meta.json`` are read as well.
"""

from pathlib import Path, PurePosixPath

import numpy as np

from dynerf_encoder.captures.json_input import JsonRecord, path_below, read_record, shown
from dynerf_encoder.captures.lens import Lens
from dynerf_encoder.captures.recording import RecordedCamera, Recording, checked_recording
from dynerf_format.errors import CaptureError

from .extra_keys import depths_of, rate_of
from .pose_conversion import from_world_to_camera, intrinsics_of_matrix
from .source_files import camera_name

FILE = "train_meta.json"
_TEST = "test_meta.json"
_PICTURES = "ims"
_MOVED = 1e-6  # of a matrix element: a camera that moves more is not static


def read_dynamic_gaussians(path: Path) -> Recording:
    """The recording of a ``train_meta.json``. Raises CaptureError."""
    records = [read_record(path, "the cameras of Dynamic 3D Gaussians (train_meta.json)")]
    test = path.with_name(_TEST)
    if path.name == FILE and test.is_file():
        records.append(read_record(test, "the test cameras of Dynamic 3D Gaussians"))
    cameras = tuple(camera for record in records for camera in _cameras(record, path.parent / _PICTURES))
    return checked_recording(Recording(path, "dynamic-3d-gaussians", cameras, fps=rate_of(records[0])))


def _cameras(record: JsonRecord, folder: Path) -> list[RecordedCamera]:
    names = _rows(record, "fn")
    count = len(names[0])
    matrices, poses = _stack(record, "k", (3, 3), count), _stack(record, "w2c", (4, 4), count)
    if not len(names) == len(matrices) == len(poses):
        raise CaptureError(
            f"{record.where}: fn, k and w2c have {len(names)}, {len(matrices)} and {len(poses)} times"
        )
    size = record.size("w"), record.size("h")
    near, far = depths_of(record)
    cameras = []
    for index in range(count):
        where = f"{record.where}: camera {index}"
        files = [str(row[index]) for row in names]
        _check_static(poses[:, index], matrices[:, index], where)
        intrinsics = intrinsics_of_matrix(matrices[0, index], 0.0, where)
        pose = from_world_to_camera(poses[0, index, :3, :3], poses[0, index, :3, 3], where)
        paths = tuple(path_below(folder, file, where) for file in files)
        name = camera_name(PurePosixPath(files[0]).parent.name or PurePosixPath(files[0]).stem)
        cameras.append(
            RecordedCamera(name, paths[0].parent, Lens(*size, *intrinsics), pose, near, far, files=paths)
        )
    return cameras


def _rows(record: JsonRecord, key: str) -> list[list[object]]:
    """A table with one row for each time, all of one length."""
    table = record.values.get(key)
    rows = [row for row in table if isinstance(row, list) and row] if isinstance(table, list) else []
    if not rows or len(rows) != len(table if isinstance(table, list) else []):
        raise CaptureError(
            f"{record.where}: {key} is {shown(table)}, expected a list of cameras for each time"
        )
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        raise CaptureError(
            f"{record.where}: {key} has {lengths[0]} to {lengths[-1]} cameras, expected one number"
        )
    return rows


def _stack(record: JsonRecord, key: str, shape: tuple[int, int], cameras: int) -> np.ndarray:
    """Matrices by time and camera."""
    rows = _rows(record, key)
    return record.array(key, (len(rows), cameras, *shape))


def _check_static(poses: np.ndarray, matrices: np.ndarray, where: str) -> None:
    moved = np.abs(poses - poses[0]).max(axis=(1, 2)) > _MOVED * max(1.0, float(np.abs(poses[0]).max()))
    zoomed = np.abs(matrices - matrices[0]).max(axis=(1, 2)) > _MOVED * float(np.abs(matrices[0]).max())
    if (moved | zoomed).any():
        raise CaptureError(
            f"{where}: {'moves' if moved.any() else 'zooms'} from time {int((moved | zoomed).argmax())} on; "
            "moving cameras are not supported: importance sampling compares what a pixel shows at different "
            "times"
        )
