"""Ways for a camera to go through a clip: ``dynerf.paths.orbit(clip)``, for ``Clip.save_video``.

Each is a ``Trajectory``; iterating gives its shots, a camera and a time in seconds per picture. Common to
all:

- ``frames`` (a, b) or ``seconds`` (start, stop): the part of the clip to show, by default the whole.
- ``speed``: 0.25 is slow motion with new in-between pictures.
- ``freeze``: the second at which the content stands still while the camera moves.
- ``size``: width and height in pixels, by default those of the first camera, or the path's own.

What cannot be rendered raises ViewError, when the shots are planned.
"""

import os
from pathlib import Path

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.paths import RigPath, Still, Trajectory, View, read_camera_path
from dynerf_decoder.clip.clip import Clip

__all__ = ["from_nerfstudio", "orbit", "spiral", "still"]


def orbit(
    clip: Clip,
    *,
    frames: tuple[int, int] | None = None,
    seconds: tuple[float, float] | None = None,
    speed: float = 1.0,
    freeze: float | None = None,
    size: tuple[int, int] | None = None,
) -> Trajectory:
    """Around the point that the cameras look at: a full turn, or a swing over the arc that they cover."""
    return Trajectory(clip, RigPath("orbit"), frames, seconds, speed, freeze, size)


def spiral(
    clip: Clip,
    *,
    frames: tuple[int, int] | None = None,
    seconds: tuple[float, float] | None = None,
    speed: float = 1.0,
    freeze: float | None = None,
    size: tuple[int, int] | None = None,
) -> Trajectory:
    """On an ellipse around the mean camera (the first one when cameras look inward), looking at one point."""
    return Trajectory(clip, RigPath("spiral"), frames, seconds, speed, freeze, size)


def still(
    clip: Clip,
    camera: Camera,
    *,
    frames: tuple[int, int] | None = None,
    seconds: tuple[float, float] | None = None,
    speed: float = 1.0,
    size: tuple[int, int] | None = None,
) -> Trajectory:
    """One camera that does not move."""
    return Trajectory(clip, Still(camera), frames, seconds, speed, None, size)


def from_nerfstudio(
    clip: Clip,
    path: str | os.PathLike[str],
    *,
    frames: tuple[int, int] | None = None,
    seconds: tuple[float, float] | None = None,
    speed: float = 1.0,
    freeze: float | None = None,
    size: tuple[int, int] | None = None,
) -> Trajectory:
    """A camera path that nerfstudio's viewer exported (JSON), in the clip's world units."""
    view: View = read_camera_path(Path(path))
    return Trajectory(clip, view, frames, seconds, speed, freeze, size)
