"""The viewing volume of a clip: the convex hull of the positions of its training cameras.

Views inside it interpolate between recorded views; outside it the field was not trained and views are
extrapolated (DyNeRF, 5). In world units. The hull may be flat, a line or a point, as rigs often are.

The player's page computes the same in JavaScript.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

_TOUCHING = 1e-12  # relative to the squared extent: closer points count as touching
_FLAT = 1e-6  # relative to the largest extent: smaller extents count as flat
_MAX_ITERATIONS = 1000  # a few suffice in three dimensions; bounds the work for a malicious hull
_MARGIN = 0.1  # relative to the diagonal of the corners' bounding box


@dataclass(frozen=True, eq=False)
class ViewingVolume:
    """The convex hull of a clip's declared corners; without corners every position is inside."""

    corners: Float[np.ndarray, "corner 3"]

    @cached_property
    def margin(self) -> float:
        """The distance outside the hull up to which a view counts as inside."""
        return _MARGIN * float(np.linalg.norm(np.ptp(self.corners, axis=0))) if len(self.corners) else 0.0

    def distance(self, position: Float[np.ndarray, "3"]) -> float:
        """The distance of a position from the hull; 0 inside, up to rounding."""
        return distance_to_hull(self.corners, position) if len(self.corners) else 0.0


def hull_corners(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "m 3"]:
    """The points that the others do not enclose, each once, in lexicographic order."""
    distinct = np.unique(points, axis=0)
    if len(distinct) == 1:
        return distinct
    extent = float(np.ptp(distinct, axis=0).max())
    kept = np.ones(len(distinct), bool)
    for index, point in enumerate(distinct):
        kept[index] = False
        kept[index] = distance_to_hull(distinct[kept], point) > 1e-6 * extent
    return distinct[kept]


def distance_to_hull(corners: Float[np.ndarray, "n 3"], position: Float[np.ndarray, "3"]) -> float:
    """The distance of a position from the hull; 0 inside, up to rounding."""
    return float(np.linalg.norm(nearest_in_hull(corners, position) - position))


def nearest_in_hull(
    corners: Float[np.ndarray, "n 3"], position: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3"]:
    """The nearest point of the hull: ``position`` itself when that is inside.

    Wolfe's method for the point of least norm in a polytope (Mathematical Programming 11, 1976): keep a few
    corners whose affine hull is nearest at a point between them, and exchange corners while another one is
    nearer in the direction of the origin.
    """
    points = corners - position
    limit = _TOUCHING * max(float(np.square(points).sum(axis=1).max()), 1e-300)
    active = [int(np.square(points).sum(axis=1).argmin())]
    weights = np.ones(1)
    for _ in range(_MAX_ITERATIONS):
        nearest = weights @ points[active]
        candidate = int((points @ nearest).argmin())
        if candidate in active or nearest @ nearest - points[candidate] @ nearest <= limit:
            break
        active.append(candidate)
        active, weights = _between(points, active, np.append(weights, 0.0))
    return np.asarray(weights @ points[active] + position)


def _between(
    points: Float[np.ndarray, "n 3"], active: list[int], weights: Float[np.ndarray, " k"]
) -> tuple[list[int], Float[np.ndarray, " m"]]:
    """Drop corners until the point of least norm of the others' affine hull lies between them."""
    while True:
        target = _affine_weights(points[active])
        if (target > 0).all():
            return active, target
        leaving = target <= 0
        step = float((weights[leaving] / (weights[leaving] - target[leaving])).min())
        weights = weights + step * (target - weights)
        kept = ~leaving | (weights > 1e-12)
        kept[int(np.where(leaving, weights, np.inf).argmin())] = (
            False  # drop at least one, whatever the rounding
        )
        active = [corner for corner, keep in zip(active, kept, strict=True) if keep]
        weights = weights[kept] / weights[kept].sum()


def _affine_weights(points: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, " k"]:
    """Weights of sum one and any sign whose combination has the least norm.

    Computed from differences to the first point: the normal equations would lose half of the digits.
    """
    spans = (points[1:] - points[0]).T
    coefficients = np.linalg.lstsq(spans, -points[0], rcond=_FLAT)[0]
    return np.concatenate([[1 - coefficients.sum()], coefficients])
