"""Rotation matrices: the one check of those that come from files and messages, and the nearest rotation."""

import numpy as np
from jaxtyping import Bool, Float

TOLERANCE = 1e-2
"""Largest deviation of R^T R from the identity: accepts rounding to three digits, not another layout."""


def are_rotations(matrices: Float[np.ndarray, "*n 3 3"]) -> Bool[np.ndarray, "*n"]:
    """Whether each matrix is a rotation up to rounding: orthonormal, with a positive determinant."""
    return np.asarray((_skew(matrices) <= TOLERANCE) & (_determinant(matrices) > 0))


def rotation_fault(matrix: Float[np.ndarray, "3 3"]) -> str | None:
    """Why a matrix is not a rotation up to rounding, as the rest of a sentence; None for a rotation."""
    skew = float(_skew(matrix))
    if not skew <= TOLERANCE:  # also when it is not a number
        return f"is not a rotation, off by {skew:.2g} in R^T R"
    return None if _determinant(matrix) > 0 else "mirrors the world (determinant -1)"


def nearest_rotation(matrices: Float[np.ndarray, "*n 3 3"]) -> Float[np.ndarray, "*n 3 3"]:
    """The rotations nearest to matrices (polar decomposition)."""
    left, _, right = np.linalg.svd(matrices)
    left[..., 2] *= np.linalg.det(left @ right)[..., None]
    return np.asarray(left @ right)


def _skew(matrices: Float[np.ndarray, "*n 3 3"]) -> Float[np.ndarray, "*n"]:
    """The largest deviation of an element of R^T R from the identity."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.abs(np.swapaxes(matrices, -1, -2) @ matrices - np.eye(3)).max(axis=(-2, -1)))


def _determinant(matrices: Float[np.ndarray, "*n 3 3"]) -> Float[np.ndarray, "*n"]:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.linalg.det(matrices))
