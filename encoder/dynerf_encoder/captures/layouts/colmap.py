"""Reads and writes COLMAP's sparse models with videos or folders of pictures beside them.

Poses are world to camera with OpenCV's axes; the first pixel's centre is at (0.5, 0.5). An image stands for a
camera: by its folder (``cam00/frame_00001.jpg``) or by its own name (``cam00.png`` with ``cam00.mp4`` or a
folder ``cam00``); 4DGaussians' ``image1.jpg`` stands for ``cam01``. Near and far are those of the points that
the image observes.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.conventions import (
    extrinsics_of_pose,
    quaternion_of_rotation,
    rotation_of_quaternion,
)
from dynerf_decoder.cameras.rotation import nearest_rotation
from dynerf_encoder.captures.depths import depths_of_values
from dynerf_encoder.captures.lens import MODELS, Lens
from dynerf_encoder.captures.recording import RecordedCamera, Recording, checked_recording
from dynerf_format.errors import CaptureError, ViewError

from .colmap_model import ColmapCamera, ColmapImage, ColmapModel, ColmapPoint, read_model
from .pose_conversion import from_world_to_camera
from .source_files import camera_name, find_sources

FOLDERS = ("sparse/0", "sparse", "sparse_", "colmap/sparse/0", "")
_MOVED = 1e-4  # relative to the rig: images of one camera whose poses differ more
_SHORTEST_TRACK = 3
_SMALLEST_ANGLE = np.radians(3.0)  # between two rays to a point, below which its depth is uncertain


def model_folder(folder: Path) -> Path | None:
    """The folder of a capture's sparse model; None when there is none."""
    for name in FOLDERS:
        for suffix in ("bin", "txt"):
            if all((folder / name / f"{file}.{suffix}").is_file() for file in ("cameras", "images")):
                return folder / name
    return None


def read_colmap(folder: Path, model: Path) -> Recording:
    """The recording of the sparse model in the folder ``model`` of a capture. Raises CaptureError."""
    found = read_model(model)
    if not found.images:
        raise CaptureError(f"{model}: holds no image, expected one for each camera")
    sources = find_sources(folder)
    named: dict[str, list[ColmapImage]] = {}
    for image in found.images:
        named.setdefault(_source_name(image, sources, folder), []).append(image)
    poses = {image.number: _pose(image, model) for image in found.images}
    size = float(np.ptp(np.stack([pose[:, 3] for pose in poses.values()]), axis=0).max()) or 1.0
    observed = _reliable_points(found, poses)
    cameras = []
    for name, images in named.items():
        _check_static(name, images, poses, size, model)
        first = min(images, key=lambda image: image.number)
        points = [position for image in images for position in observed.get(image.number, [])]
        depths = depths_of_values(_depths(poses[first.number], points))
        near, far = depths or (None, None)
        lens = _lens(found.cameras, first, model)
        cameras.append(RecordedCamera(name, sources[name], lens, poses[first.number], near, far))
    return checked_recording(Recording(model, "colmap", tuple(cameras)))


def _source_name(image: ColmapImage, sources: dict[str, Path], folder: Path) -> str:
    path = PurePosixPath(image.name.replace("\\", "/"))
    number = re.search(r"([0-9]+)$", path.stem)
    candidates = [path.parent.name, path.stem] + ([f"cam{number[1].zfill(2)}"] if number else [])
    for candidate in candidates:
        if candidate and camera_name(candidate) in sources:
            return camera_name(candidate)
    raise CaptureError(
        f"{folder}: image {image.name[:80]} of the COLMAP model belongs to no video or folder of pictures; "
        f"there are {', '.join(list(sources)[:6]) or 'none'}"
    )


def _pose(image: ColmapImage, where: Path) -> Float[np.ndarray, "3 4"]:
    try:
        rotation = rotation_of_quaternion(image.quaternion, f"{where}: image {image.name[:80]}")
    except ViewError as error:
        raise CaptureError(str(error)) from error
    return from_world_to_camera(rotation, image.translation, f"{where}: image {image.name[:80]}")


def _lens(cameras: dict[int, ColmapCamera], image: ColmapImage, where: Path) -> Lens:
    camera = cameras.get(image.camera)
    if camera is None:
        raise CaptureError(f"{where}: image {image.name[:80]} has camera {image.camera}, which is missing")
    single = camera.model.startswith("SIMPLE_") or camera.model in ("RADIAL", "RADIAL_FISHEYE")
    focal_x, focal_y, *rest = (camera.params[0], *camera.params) if single else camera.params
    model = "PINHOLE" if camera.model == "SIMPLE_PINHOLE" else camera.model
    if model not in MODELS:
        raise CaptureError(
            f"{where}: image {image.name[:80]} has model {camera.model}, expected one of {', '.join(MODELS)}"
        )
    try:
        size = camera.width, camera.height
        return Lens(*size, focal_x, focal_y, rest[0], rest[1], model, tuple(rest[2:]))
    except CaptureError as error:
        raise CaptureError(f"{where}: image {image.name[:80]}: {error}") from error


def _check_static(
    name: str, images: Sequence[ColmapImage], poses: dict[int, np.ndarray], size: float, where: Path
) -> None:
    first = poses[images[0].number]
    for image in images[1:]:
        off = np.abs(poses[image.number] - first)
        if off[:, :3].max() > _MOVED or off[:, 3].max() > _MOVED * size or image.camera != images[0].camera:
            raise CaptureError(
                f"{where}: images {images[0].name[:60]} and {image.name[:60]} of {name} have different "
                "poses or lenses; expected one pose for each camera (moving cameras are not supported)"
            )


def _reliable_points(model: ColmapModel, poses: dict[int, np.ndarray]) -> dict[int, list[np.ndarray]]:
    """Positions of the points that each image observes and whose depth is certain."""
    observed: dict[int, list[np.ndarray]] = {}
    for point in model.points:
        seen_by = [image for image in dict.fromkeys(point.images) if image in poses]
        if len(seen_by) < min(_SHORTEST_TRACK, len(poses)) or _angle(point, seen_by, poses) < _SMALLEST_ANGLE:
            continue
        for image in seen_by:
            observed.setdefault(image, []).append(point.position)
    return observed


def _angle(point: ColmapPoint, images: Sequence[int], poses: dict[int, np.ndarray]) -> float:
    """The largest angle between the rays of the first image and of the others."""
    rays = np.stack([poses[image][:, 3] for image in images]) - point.position
    rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-12)
    return float(np.arccos(np.clip((rays @ rays[0]).min(), -1, 1)))


def _depths(pose: Float[np.ndarray, "3 4"], points: Sequence[np.ndarray]) -> Float[np.ndarray, " n"]:
    if not points:
        return np.zeros(0)
    return np.asarray((np.stack(points) - pose[:, 3]) @ -pose[:, 2])


def colmap_texts(recording: Recording, names: dict[str, str]) -> dict[str, str]:
    """The files of a sparse model in text, without points; ``names`` are the images' names by camera."""
    cameras, images = (
        ["# CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]"],
        ["# IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME"],
    )
    for number, camera in enumerate(recording.cameras, 1):
        lens = camera.lens
        single = lens.model.startswith("SIMPLE_") or lens.model in ("RADIAL", "RADIAL_FISHEYE")
        if single and lens.focal_x != lens.focal_y:
            raise CaptureError(f"{camera.name}: COLMAP's {lens.model} has one focal length, found two")
        focal = (lens.focal_x,) if single else (lens.focal_x, lens.focal_y)
        params = " ".join(map(repr, (*focal, lens.centre_x, lens.centre_y, *lens.distortion)))
        cameras.append(f"{number} {lens.model} {lens.width} {lens.height} {params}")
        exact = nearest_rotation(camera.camera_to_world[:, :3])
        rotation, translation = extrinsics_of_pose(np.column_stack([exact, camera.camera_to_world[:, 3]]))
        pose = " ".join(map(repr, [*quaternion_of_rotation(rotation).tolist(), *translation.tolist()]))
        images += [f"{number} {pose} {number} {names[camera.name]}", ""]
    return {
        "cameras.txt": "\n".join(cameras) + "\n",
        "images.txt": "\n".join(images) + "\n",
        "points3D.txt": "# POINT3D_ID X Y Z R G B ERROR TRACK[]\n",
    }
