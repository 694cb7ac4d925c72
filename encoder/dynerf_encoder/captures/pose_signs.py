"""Signs that poses are in another convention than the layout's, from the cameras alone.

A capture whose poses are read by the wrong convention trains without an error, to mush. Two signs are cheap
and rarely right by accident: the optical axes meet *behind* the cameras, at a distance at which they are said
to see (OpenCV's axes), and all cameras of a ring lie on their side (OpenGL's axes). Rigs that look outward
are not reported: their axes meet nearer than ``near``, or they stand upright all around. What geometry cannot
show is found a little later, by pictures (``training_check.py``).
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
_ALL = 0.9  # of the cameras; a few may look elsewhere
_FEWEST = 3  # cameras: two axes nearly meet somewhere by accident
# How far axes may pass the point nearest to them, of how far they pass the rig's centre. Cameras side by side
# that were aimed carelessly give 0.6 and more, basketball's rig 0.2.
_MEETING = 0.5
_AGREE, _DISAGREE = 0.7, 0.3  # length of the mean of unit vectors


def warn_of_convention(cameras: Sequence[Camera], near: Sequence[float], far: Sequence[float]) -> str | None:
    """One line that says what is odd about the poses and what may cause it; None when nothing is."""
    found = _axes_meet_behind(cameras, near, far) or _lie_on_their_side(cameras)
    return None if found is None else f"poses: {found}; {CAUSES}"


def _axes_meet_behind(cameras: Sequence[Camera], near: Sequence[float], far: Sequence[float]) -> str | None:
    point = nearest_to_axes(cameras)
    if point is None or len(cameras) < _FEWEST:
        return None
    places = np.stack([camera.origin for camera in cameras])
    axes = np.stack([camera.forward for camera in cameras])
    depths = ((point - places) * axes).sum(axis=1)
    distance = -float(depths.mean())
    behind = int((depths < 0).sum())
    meeting = _passing(places, axes, point) < _MEETING * _passing(places, axes, places.mean(axis=0))
    if not (meeting and behind >= _ALL * len(cameras) and np.mean(near) < distance < np.mean(far)):
        return None
    panorama = (
        not shares_viewing_direction(cameras) and _agreement(cameras, 1) > _AGREE
    )  # upright, all around
    if panorama:
        return None
    return (
        f"{behind} of {len(cameras)} cameras look away from where their axes meet, {distance:.3g} behind them"
    )


def _passing(
    places: Float[np.ndarray, "n 3"], axes: Float[np.ndarray, "n 3"], point: Float[np.ndarray, "3"]
) -> float:
    """At what distance the axes pass a point (root of the mean square)."""
    return float(np.sqrt(np.square(np.cross(point - places, axes)).sum(axis=1).mean()))


def _lie_on_their_side(cameras: Sequence[Camera]) -> str | None:
    rolled = _agreement(cameras, 0) > _AGREE and _agreement(cameras, 1) < _DISAGREE
    if shares_viewing_direction(cameras) or not rolled:
        return None
    return "all cameras lie on their side: what is right in their pictures is up or down in the world"


def _agreement(cameras: Sequence[Camera], axis: int) -> float:
    """Length of the mean of all cameras' right (0) or up (1) axes: 1 for parallel ones, 0 for all around."""
    axes = np.stack([camera.camera_to_world[:, axis] for camera in cameras])
    return float(np.linalg.norm(axes.mean(axis=0)))
