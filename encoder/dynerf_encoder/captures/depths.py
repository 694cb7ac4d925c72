"""Near and far depths of cameras whose layout states none: from points of the scene, or from the rig alone.

Depths are along the optical axis, in world units.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.rig import focus_point

_NEAR_PERCENTILE, _FAR_PERCENTILE = 0.5, 99.0
_NEAR_MARGIN, _FAR_MARGIN = 0.75, 1.2
_FEWEST_POINTS = 20  # seen by a camera; of fewer the percentiles are single outliers
_NEAR_OF_FOCUS, _FAR_OF_FOCUS = 0.1, 3.0  # of the distance to the rig's focus point

Depths = tuple[float, float]


def depths_of_points(
    cameras: Sequence[Camera], points: Float[np.ndarray, "n 3"]
) -> tuple[Depths, ...] | None:
    """Near and far of each camera by the points that it sees; None when no camera sees enough of them.

    A camera that sees too few has the widest range of the others.
    """
    found = [_of_camera(camera, points) for camera in cameras]
    known = [depths for depths in found if depths is not None]
    if not known:
        return None
    widest = min(near for near, _ in known), max(far for _, far in known)
    return tuple(depths or widest for depths in found)


def _of_camera(camera: Camera, points: Float[np.ndarray, "n 3"]) -> Depths | None:
    ahead = (points - camera.origin) @ camera.forward
    seen = points[ahead > 0]
    if not len(seen):
        return None
    inside = ((camera.project(seen) > 0) & (camera.project(seen) < [camera.width, camera.height])).all(axis=1)
    return depths_of_values(ahead[ahead > 0][inside])


def depths_of_values(depths: Float[np.ndarray, " n"]) -> Depths | None:
    """Near and far by the depths of points that a camera sees; None when they are too few."""
    depths = depths[depths > 0]
    if len(depths) < _FEWEST_POINTS:
        return None
    near, far = np.percentile(depths, [_NEAR_PERCENTILE, _FAR_PERCENTILE])
    return _NEAR_MARGIN * float(near), _FAR_MARGIN * float(far)


def depths_of_rig(cameras: Sequence[Camera]) -> tuple[Depths, ...]:
    """Near and far of each camera: 0.1 and 3 times its depth of the point that the cameras look at."""
    focus = focus_point(cameras)
    depths = [float((focus - camera.origin) @ camera.forward) for camera in cameras]
    typical = float(np.median([depth for depth in depths if depth > 0] or [1.0]))
    chosen = [depth if depth > 0.1 * typical else typical for depth in depths]
    return tuple((_NEAR_OF_FOCUS * depth, _FAR_OF_FOCUS * depth) for depth in chosen)
