"""Detects poses in another convention than the layout's, from the cameras alone.

A capture whose poses are read in the wrong convention trains without an error, but the result is useless. Two
signs are cheap to compute and rarely occur by accident: the optical axes meet *behind* the cameras, at a
distance between near and far (OpenCV's axes), and all cameras of a ring are rolled by 90 degrees (OpenGL's
axes). Rigs that look outward are not reported: their axes meet nearer than ``near``, or they are upright and
look all around. What geometry cannot show is detected early in training, from pictures
(``training/pose_check.py``).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.rig import nearest_to_axes, shares_viewing_direction

CAUSES = (
    "usual causes: axes of OpenCV or COLMAP (right, down, forwards) or of OpenGL (right, up, backwards), "
    "expected down, right, backwards; or world-to-camera matrices, expected camera-to-world; "
    "docs/how-to/poses.md has a line of numpy for each"
)
_NEARLY_ALL = 0.9  # of the cameras; a few may look elsewhere
_MIN_CAMERAS = 3  # two axes nearly meet somewhere by accident
# Distance of the axes from the point nearest to them, over their distance from the rig's centre, up to which
# they meet. Carelessly aimed cameras side by side have 0.6 and more, basketball's rig 0.2.
_MAX_MISS_RATIO = 0.5
_AGREE, _DISAGREE = 0.7, 0.3  # length of the mean of unit vectors: nearly parallel, all around


def warn_of_convention(cameras: Sequence[Camera], near: Sequence[float], far: Sequence[float]) -> str | None:
    """One line that states what is wrong with the poses and possible causes; None when nothing is."""
    found = _axes_meet_behind(cameras, near, far) or _rolled_on_their_side(cameras)
    return None if found is None else f"poses: {found}; {CAUSES}"


def _axes_meet_behind(cameras: Sequence[Camera], near: Sequence[float], far: Sequence[float]) -> str | None:
    point = nearest_to_axes(cameras)
    if point is None or len(cameras) < _MIN_CAMERAS:
        return None
    origins = np.stack([camera.origin for camera in cameras])
    axes = np.stack([camera.forward for camera in cameras])
    depths = ((point - origins) * axes).sum(axis=1)
    distance = -float(depths.mean())
    behind = int((depths < 0).sum())
    centre = origins.mean(axis=0)
    meet = _miss(origins, axes, point) < _MAX_MISS_RATIO * _miss(origins, axes, centre)
    if not (meet and behind >= _NEARLY_ALL * len(cameras) and np.mean(near) < distance < np.mean(far)):
        return None
    if _agreement(cameras, 1) > _AGREE and _agreement(cameras, 2) < _DISAGREE:  # an upright panorama
        return None
    return (
        f"{behind} of {len(cameras)} cameras look away from where their axes meet, {distance:.3g} behind them"
    )


def _miss(
    origins: Float[np.ndarray, "n 3"], axes: Float[np.ndarray, "n 3"], point: Float[np.ndarray, "3"]
) -> float:
    """Distance of the axes from a point (root mean square)."""
    return float(np.sqrt(np.square(np.cross(point - origins, axes)).sum(axis=1).mean()))


def _rolled_on_their_side(cameras: Sequence[Camera]) -> str | None:
    rolled = _agreement(cameras, 0) > _AGREE and _agreement(cameras, 1) < _DISAGREE
    if shares_viewing_direction(cameras) or not rolled:
        return None
    return "all cameras are on their side: their pictures' right is up or down in the world"


def _agreement(cameras: Sequence[Camera], axis: int) -> float:
    """Length of the mean of the right (0), up (1) or backward (2) axes: 1 if parallel, 0 if all round."""
    axes = np.stack([camera.camera_to_world[:, axis] for camera in cameras])
    return float(np.linalg.norm(axes.mean(axis=0)))
