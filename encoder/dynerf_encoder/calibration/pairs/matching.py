"""Matches descriptors of two pictures: mutual nearest neighbours that pass the ratio test in both directions.

Descriptors are compared by the angle between them, as COLMAP's matcher does with SIFT.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

_FARTHEST = 0.7  # radians


def normalised(descriptors: UInt8[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Descriptors as unit vectors."""
    found = descriptors.astype(np.float32)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))


def match(
    first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "m d"], ratio: float
) -> Int[np.ndarray, "k 2"]:
    """Indices of matched descriptors (unit vectors); ``ratio`` of the angles to the best and second best."""
    if min(len(first), len(second)) < 2:
        return np.zeros((0, 2), np.int64)
    cosines = first @ second.T
    forth, back = cosines.argmax(axis=1), cosines.argmax(axis=0)
    rows, columns = np.arange(len(first)), np.arange(len(second))
    best, distinct = _distinct(cosines, (rows, forth), 1, ratio)
    distinct_back = _distinct(cosines, (back, columns), 0, ratio)[1]
    good = (back[forth] == rows) & distinct & distinct_back[forth] & (best < _FARTHEST)
    return np.column_stack([rows[good], forth[good]])


def _distinct(
    cosines: Float[np.ndarray, "n m"], places: tuple[np.ndarray, np.ndarray], axis: int, ratio: float
) -> tuple[Float[np.ndarray, " k"], Bool[np.ndarray, " k"]]:
    """Best angles, at ``places``, and whether each is below ``ratio`` times the second best along an axis."""
    best = cosines[places]
    cosines[places] = -1
    second = cosines.max(axis=axis)
    cosines[places] = best
    angle, next_angle = (np.arccos(np.clip(values, -1, 1)) for values in (best, second))
    return angle, np.asarray(angle < ratio * next_angle)
