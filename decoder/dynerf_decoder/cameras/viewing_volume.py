"""Where a clip may be looked at from: the convex hull of the places its training cameras stood at.

Inside it every view lies between filmed ones; outside the field was never asked for anything and shows
guesses (DyNeRF, 5: no extrapolation). World units. The hull may be flat, a line or a point: rigs often are.

The player's page computes the same in ``web/hull.js``.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

_TIGHT = 1e-12  # of the squared extent: what counts as touching
_FLAT = 1e-6  # of the largest extent: what counts as no direction of its own
_MOST_EXCHANGES = 1000  # a few suffice in three dimensions; a hostile hull must not keep a player busy
_MARGIN = 0.1  # of the diagonal of the box round the corners


@dataclass(frozen=True, eq=False)
class ViewingVolume:
    """The convex hull of a clip's declared corners; without corners everywhere is inside."""

    corners: Float[np.ndarray, "corner 3"]

    @cached_property
    def margin(self) -> float:
        """How far outside a view is still as good as inside."""
        return _MARGIN * float(np.linalg.norm(np.ptp(self.corners, axis=0))) if len(self.corners) else 0.0

    def distance(self, position: Float[np.ndarray, "3"]) -> float:
        """How far a position is outside; 0 inside, but for rounding."""
        return distance_to_hull(self.corners, position) if len(self.corners) else 0.0


def hull_corners(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "m 3"]:
    """Those of some points that the others do not enclose, each once, in lexicographic order."""
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
    """How far a place is outside; 0 inside, but for rounding."""
    return float(np.linalg.norm(nearest_in_hull(corners, position) - position))


def nearest_in_hull(
    corners: Float[np.ndarray, "n 3"], position: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3"]:
    """The nearest place inside, which is ``position`` itself when that is inside.

    Wolfe's method for the point of least norm in a polytope (Mathematical Programming 11, 1976): keep a few
    corners whose affine hull is nearest at a point between them, and exchange corners while another one is
    nearer in the direction of the origin.
    """
    points = corners - position
    limit = _TIGHT * max(float(np.square(points).sum(axis=1).max()), 1e-300)
    active = [int(np.square(points).sum(axis=1).argmin())]
    weights = np.ones(1)
    for _ in range(_MOST_EXCHANGES):
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
        wanted = _affine_weights(points[active])
        if (wanted > 0).all():
            return active, wanted
        leaving = wanted <= 0
        share = float((weights[leaving] / (weights[leaving] - wanted[leaving])).min())
        weights = weights + share * (wanted - weights)
        kept = ~leaving | (weights > 1e-12)
        kept[int(np.where(leaving, weights, np.inf).argmin())] = (
            False  # at least one goes, whatever rounding says
        )
        active = [corner for corner, keep in zip(active, kept, strict=True) if keep]
        weights = weights[kept] / weights[kept].sum()


def _affine_weights(points: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, " k"]:
    """Weights of sum one, of any sign, that make the combination of least norm.

    By differences from the first point: their products with each other would lose half of the digits.
    """
    spans = (points[1:] - points[0]).T
    shares = np.linalg.lstsq(spans, -points[0], rcond=_FLAT)[0]
    return np.concatenate([[1 - shares.sum()], shares])
