"""Camera trajectories for ``Clip.save_video``, such as ``dynerf.paths.orbit(clip)``.

Each function returns a ``Trajectory``; iterating over it gives shots, one camera and time in seconds per
output frame. Common parameters:

- ``frames`` (a, b) or ``seconds`` (start, stop): the part of the clip to show, by default all of it.
- ``speed``: 0.25 is slow motion; frames in between are interpolated.
- ``freeze``: the second at which the content is frozen while the camera moves.
- ``size``: width and height in pixels, by default those of the first camera, or the path's own.

Iterating raises ViewError for what cannot be rendered.
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
    """Move around the point that the cameras look at: a full turn, or back and forth over the rig's arc."""
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
    """Move on an ellipse around the mean camera (for inward-facing rigs the first), looking at one point."""
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
    """Keep one camera fixed."""
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
    """Follow a camera path exported by nerfstudio's viewer (JSON), in the clip's world units."""
    view: View = read_camera_path(Path(path))
    return Trajectory(clip, view, frames, seconds, speed, freeze, size)
