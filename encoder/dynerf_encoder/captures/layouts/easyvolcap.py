"""Reads EasyMocap, EasyVolcap and ZJU-MoCap: ``intri.yml`` and ``extri.yml`` in OpenCV's YAML.

Per camera NN: ``K_NN``; ``D_NN`` or ``dist_NN`` (k1 k2 p1 p2 k3); ``H_NN``, ``W_NN``; ``Rot_NN`` (3x3) or
``R_NN`` (rotation vector) and ``T_NN``, world to camera, OpenCV's axes; EasyVolcap's ``n_NN`` and ``f_NN``,
near and far. Pictures are ``images/NN/000000.jpg`` or ``videos/NN.mp4``. K counts pixels from the centre of
the first one.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dynerf_encoder.captures.lens import MAX_SIDE, Lens, lens_of
from dynerf_encoder.captures.picture_source import open_source
from dynerf_encoder.captures.recording import RecordedCamera, Recording, check_count, checked_recording
from dynerf_format.errors import CaptureError
from dynerf_format.values import is_number

from .opencv_yaml import Value, read_opencv_yaml
from .pose_conversion import from_world_to_camera, intrinsics_of_matrix
from .source_files import camera_name, source_named

INTRINSICS, EXTRINSICS = "intri.yml", "extri.yml"
_PIXEL = 0.5
_COEFFICIENTS = ("k1", "k2", "p1", "p2", "k3")
_UNBOUNDED = 1e-4, 1e6  # EasyVolcap's near and far for "not known"


def read_easyvolcap(path: Path) -> Recording:
    """The recording of the folder of an ``intri.yml``. Raises CaptureError."""
    intrinsics = read_opencv_yaml(path)
    extrinsics = read_opencv_yaml(path.with_name(EXTRINSICS))
    names = intrinsics.get("names", extrinsics.get("names"))
    if not isinstance(names, list) or not names:
        raise CaptureError(f"{path}: names is {type(names).__name__}, expected a list of the cameras' names")
    check_count(len(names), path)
    cameras = tuple(_camera(name, intrinsics, extrinsics, path.parent) for name in names)
    return checked_recording(Recording(path, "easyvolcap", cameras))


def _camera(
    name: str, intrinsics: Mapping[str, Value], extrinsics: Mapping[str, Value], folder: Path
) -> RecordedCamera:
    where = f"{folder}: camera {name[:80]}"
    source = source_named(folder, name, where)
    key = f"Rot_{name}" if f"Rot_{name}" in extrinsics else f"R_{name}"
    shape = (3, 3) if key.startswith("Rot") else (3, 1)
    rotation = _matrix(extrinsics, key, shape, f"{folder / EXTRINSICS}")
    translation = _matrix(extrinsics, f"T_{name}", (3, 1), f"{folder / EXTRINSICS}")
    near, far = extrinsics.get(f"n_{name}"), extrinsics.get(f"f_{name}")
    bounded = (
        isinstance(near, float) and isinstance(far, float) and near > _UNBOUNDED[0] and far < _UNBOUNDED[1]
    )
    return RecordedCamera(
        name=camera_name(name),
        source=source,
        lens=_lens(name, intrinsics, source, where),
        camera_to_world=from_world_to_camera(
            rotation if shape == (3, 3) else rotation.ravel(), translation.ravel(), where
        ),
        near=near if bounded and isinstance(near, float) else None,
        far=far if bounded and isinstance(far, float) else None,
    )


def _lens(name: str, intrinsics: Mapping[str, Value], source: Path, where: str) -> Lens:
    matrix = _matrix(intrinsics, f"K_{name}", (3, 3), where)
    values = np.zeros(5)
    for key in (f"D_{name}", f"dist_{name}"):
        if key in intrinsics:
            found = intrinsics[key]
            stated = found.ravel() if isinstance(found, np.ndarray) else np.zeros(0)
            if len(stated) not in (4, 5):
                raise CaptureError(f"{where}: {key} has {len(stated)} numbers, expected k1 k2 p1 p2 k3")
            values[: len(stated)] = stated
            break
    width, height = intrinsics.get(f"W_{name}"), intrinsics.get(f"H_{name}")
    if is_number(width, 1, MAX_SIDE) and is_number(height, 1, MAX_SIDE):
        size = int(width), int(height)
    else:
        facts = open_source(source).probe()
        size = facts.width, facts.height
    try:
        return lens_of(
            "OPENCV", size, intrinsics_of_matrix(matrix, _PIXEL, where),
            dict(zip(_COEFFICIENTS, map(float, values), strict=True)),
        )  # fmt: skip
    except CaptureError as error:
        raise CaptureError(f"{where}: {error}") from error


def _matrix(values: Mapping[str, Value], key: str, shape: tuple[int, int], where: str) -> np.ndarray:
    found = values.get(key)
    if isinstance(found, np.ndarray) and found.size == shape[0] * shape[1] and max(found.shape) == shape[0]:
        return found.reshape(shape)
    shown = "missing" if found is None else f"{getattr(found, 'shape', type(found).__name__)}"
    raise CaptureError(f"{where}: {key} is {shown}, expected a matrix of {shape[0]}x{shape[1]}")
