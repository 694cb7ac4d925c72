"""Plans the shots of a view: a camera, at the size to render, and a content time for each output picture.

Poses have OpenGL's axes, as in ``camera``, and are in the clip's world units.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.rotation import nearest_rotation

from .nerfstudio import CameraPath
from .orbit_and_spiral import orbit, spiral
from .timing import Timing, path_positions
from .view import Still, View, checked_size, default_size

_SPIRAL_SECONDS, _ORBIT_SECONDS = 5, 10  # of one turn, adjusted to a whole number of turns


@dataclass(frozen=True)
class Shot:
    """One output picture: the camera, at the size to render, and the content time in seconds."""

    camera: Camera
    time: float


def plan_shots(
    view: View, cameras: Sequence[Camera], *, timing: Timing, size: tuple[int, int] | None
) -> list[Shot]:
    """One shot per picture of ``timing``; ``size`` in pixels, by default the ``default_size``.

    - spiral: an ellipse around the mean camera (the first camera of an inward-facing rig), looking at the
      focus point: LLFF's render path without its motion in depth.
    - orbit: around the point that all cameras look at, at their mean distance and height: a full turn when
      the cameras surround it, else back and forth over the arc they cover.
    - a camera path: its entries, interpolated when their number is not that of the pictures.

    Spiral and orbit are closed, with a whole number of turns (about 5 and 10 s each), and have the first
    camera's intrinsics. Raises ViewError when the size cannot be rendered or an orbit is impossible.
    """
    pictures = len(timing.times)
    width, height = default_size(view, cameras)
    if isinstance(view, Still):
        path_cameras = [view.camera] * pictures
    elif isinstance(view, CameraPath):
        path_cameras = _path_cameras(view, width, height, pictures)
    else:
        path, period = (spiral, _SPIRAL_SECONDS) if view.kind == "spiral" else (orbit, _ORBIT_SECONDS)
        turns = max(1, round(pictures / timing.fps / period))
        angles = 2 * np.pi * turns * np.arange(pictures) / pictures
        path_cameras = [
            replace(cameras[0], name=view.kind, camera_to_world=pose) for pose in path(cameras, angles)
        ]
    if size is not None:
        width, height = checked_size(*size, "size")
        path_cameras = [camera.with_size(width, height) for camera in path_cameras]
    return [Shot(camera, time) for camera, time in zip(path_cameras, timing.times, strict=True)]


def _path_cameras(path: CameraPath, width: int, height: int, pictures: int) -> list[Camera]:
    """Cameras at evenly spaced positions along a path; positions and angles are interpolated linearly."""
    positions = path_positions(pictures, len(path.poses))
    before = np.floor(positions).astype(int)
    after = np.minimum(before + 1, len(path.poses) - 1)
    fraction = (positions - before)[:, None, None]
    poses = (1 - fraction) * path.poses[before] + fraction * path.poses[after]
    poses[:, :, :3] = nearest_rotation(poses[:, :, :3])
    focal = height / 2 / np.tan(np.radians(np.interp(positions, np.arange(len(path.fov)), path.fov)) / 2)
    return [
        Camera(path.source.stem, width, height, float(length), float(length), width / 2, height / 2, pose)
        for pose, length in zip(poses, focal, strict=True)
    ]
