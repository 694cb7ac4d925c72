"""Matches descriptors of two pictures: mutual nearest neighbours that pass the ratio test in both directions.

Descriptors are compared by the angle between them, as COLMAP's matcher does with SIFT.
"""

import numpy as np
from jaxtyping import Float, Int, UInt8

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
    forth = cosines.argmax(axis=1)
    back = cosines.argmax(axis=0)
    index = np.arange(len(first))
    good = (back[forth] == index) & _distinct(cosines, ratio) & _distinct(cosines.T, ratio)[forth]
    good &= np.arccos(np.clip(cosines[index, forth], -1, 1)) < _FARTHEST
    return np.column_stack([index[good], forth[good]])


def _distinct(cosines: Float[np.ndarray, "n m"], ratio: float) -> np.ndarray:
    """Whether the best angle of each row is below ``ratio`` times the second best."""
    best = np.arccos(np.clip(np.partition(cosines, -2, axis=1)[:, -2:], -1, 1))
    return np.asarray(best[:, 1] < ratio * best[:, 0])
