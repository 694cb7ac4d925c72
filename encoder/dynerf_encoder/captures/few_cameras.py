"""What keeps the training of few cameras sane, and what to expect of it.

With few cameras, density close to one of them can explain its pictures and is seen by no other camera. The
space near the cameras is therefore left out up to the depth from which on nearly all of every picture is also
seen by another camera: nearer points could not be located anyway. docs/decisions has the measurements.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.camera import Camera, pixel_directions
from dynerf_decoder.cameras.rig import focus_point

from .capture import Capture

FEW = 6
"""Number of training cameras up to which they are few."""

EXPECTATION = (
    "views between them will be blurred or torn; on samples/candle such views reach 22 dB with 6 training "
    "cameras and 20 dB with 4, where 12 reach 29 dB; film with more cameras, or closer together"
)

_SHARED = 0.9  # of every picture
_FARTHEST = 0.7  # of the depth at which the cameras look: what is filmed must not be left out
_STEPS = 48
_GRID = 16  # positions across and down a picture


def with_clear_space(capture: Capture, training: Collection[str]) -> Capture:
    """The capture with larger near depths when few cameras are trained on, and a note that states them."""
    views = [view for view in capture.views if view.name in training]
    if not 2 <= len(views) <= FEW:
        return capture
    nearest = min(view.near for view in views)
    clear = clear_depth([view.camera for view in views], nearest)
    if clear <= nearest:
        return capture
    note = (
        f"near is {clear:.3g} instead of {nearest:.3g}: nearer, less than {_SHARED:.0%} of a picture is seen "
        f"by another of the {len(views)} cameras; --depths NEAR:FAR states another"
    )
    changed = tuple(
        replace(view, near=max(view.near, clear), far=max(view.far, 2 * clear)) for view in capture.views
    )
    return replace(capture, views=changed, notes=(*capture.notes, note))


def clear_depth(cameras: Sequence[Camera], nearest: float) -> float:
    """The smallest depth, from ``nearest`` on, at which every camera shares nearly all of its picture.

    ``nearest`` when there is none before 0.7 of the depth of the point that the cameras look at.
    """
    focus = focus_point(cameras)
    limit = _FARTHEST * float(np.median([(focus - camera.origin) @ camera.forward for camera in cameras]))
    if limit <= nearest:
        return nearest
    for depth in np.geomspace(nearest, limit, _STEPS):
        if min(_shared(camera, cameras, float(depth)) for camera in cameras) >= _SHARED:
            return float(depth)
    return nearest


def _shared(camera: Camera, cameras: Sequence[Camera], depth: float) -> float:
    """The share of a camera's picture, at a depth, that another camera sees."""
    centres = (np.arange(_GRID) + 0.5) / _GRID
    columns, rows = np.meshgrid(centres * camera.width, centres * camera.height)
    rays = pixel_directions(camera, columns.ravel(), rows.ravel())
    points = camera.origin + rays * (depth / (rays @ camera.forward))[:, None]
    seen = np.zeros(len(points), bool)
    for other in cameras:
        if other is not camera:
            seen |= _sees(other, points)
    return float(seen.mean())


def _sees(camera: Camera, points: Float[np.ndarray, "n 3"]) -> np.ndarray:
    ahead = (points - camera.origin) @ camera.forward > 0
    positions = camera.project(np.where(ahead[:, None], points, camera.origin + camera.forward))
    inside = (positions > 0) & (positions < [camera.width, camera.height])
    return np.asarray(ahead & inside.all(axis=1))
