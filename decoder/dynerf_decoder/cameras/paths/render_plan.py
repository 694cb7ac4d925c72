"""The shots of a view: one camera, at the size to render, and one content time per output picture.

Poses follow ``camera.py`` (OpenGL axes), in the clip's world units.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.rig import nearest_rotation

from .along_rig import orbit, spiral
from .nerfstudio import CameraPath
from .timing import Timing, places_along
from .view import Still, View, checked_size, default_size

_SPIRAL_SECONDS, _ORBIT_SECONDS = 5, 10  # of one turn, rounded so that a whole number fits


@dataclass(frozen=True)
class Shot:
    """One output picture: the camera, at the size to render, and the content time in seconds."""

    camera: Camera
    time: float


def plan_shots(
    view: View, cameras: Sequence[Camera], *, timing: Timing, size: tuple[int, int] | None
) -> list[Shot]:
    """One shot per picture of ``timing``; ``size`` in pixels, by default the ``default_size``.

    - spiral: an ellipse around the mean camera (around the first one when the cameras look inward), looking
      at one point in focus: LLFF's render path without its motion in depth.
    - orbit: around the point that all cameras look at, at their mean distance and height: a full turn when
      cameras stand all around it, else a swing over the arc they cover, and back.
    - a camera path: its entries, interpolated when there are not as many as pictures.

    Spiral and orbit are closed, with a whole number of turns (about 5 and 10 s each), and have the first
    camera's intrinsics. Raises ViewError when the size cannot be rendered or there is nothing to go round.
    """
    pictures = len(timing.times)
    width, height = default_size(view, cameras)
    if isinstance(view, Still):
        taken = [view.camera] * pictures
    elif isinstance(view, CameraPath):
        taken = _path_cameras(view, width, height, pictures)
    else:
        walk, period = (spiral, _SPIRAL_SECONDS) if view.kind == "spiral" else (orbit, _ORBIT_SECONDS)
        turns = max(1, round(pictures / timing.fps / period))
        angles = 2 * np.pi * turns * np.arange(pictures) / pictures
        taken = [replace(cameras[0], name=view.kind, camera_to_world=pose) for pose in walk(cameras, angles)]
    if size is not None:
        width, height = checked_size(*size, "size")
        taken = [camera.with_size(width, height) for camera in taken]
    return [Shot(camera, time) for camera, time in zip(taken, timing.times, strict=True)]


def _path_cameras(path: CameraPath, width: int, height: int, pictures: int) -> list[Camera]:
    """Cameras at evenly spaced places of a path, entries interpolated: positions and angles linearly."""
    places = places_along(pictures, len(path.poses))
    before = np.floor(places).astype(int)
    after = np.minimum(before + 1, len(path.poses) - 1)
    share = (places - before)[:, None, None]
    poses = (1 - share) * path.poses[before] + share * path.poses[after]
    poses[:, :, :3] = nearest_rotation(poses[:, :, :3])
    focal = height / 2 / np.tan(np.radians(np.interp(places, np.arange(len(path.fov)), path.fov)) / 2)
    return [
        Camera(path.source.stem, width, height, float(length), float(length), width / 2, height / 2, pose)
        for pose, length in zip(poses, focal, strict=True)
    ]
