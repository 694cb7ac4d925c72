"""Rotations: the one check of matrices that come from files and messages, and the nearest rotation."""

import numpy as np
from jaxtyping import Float

_TOLERANCE = 1e-2  # of R^T R against the identity: accepts rounding to three digits, not another layout


def rotation_fault(matrix: Float[np.ndarray, "3 3"]) -> str | None:
    """Why a matrix is not a rotation up to rounding, as the rest of a sentence; None for a rotation."""
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = float(np.abs(matrix.T @ matrix - np.eye(3)).max())
    if not deviation <= _TOLERANCE:  # also when it is not a number
        return f"is not a rotation, off by {deviation:.2g} in R^T R"
    return None if np.linalg.det(matrix) > 0 else "mirrors the world (determinant -1)"


def nearest_rotation(matrices: Float[np.ndarray, "*n 3 3"]) -> Float[np.ndarray, "*n 3 3"]:
    """The rotations nearest to matrices (polar decomposition)."""
    left, _, right = np.linalg.svd(matrices)
    left[..., 2] *= np.linalg.det(left @ right)[..., None]  # 1 or, for a mirror, -1
    return np.asarray(left @ right)


def rotation_of_vector(vector: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation about an axis by the vector's length in radians (Rodrigues' formula)."""
    angle = float(np.linalg.norm(vector))
    x, y, z = vector / angle if angle > 0 else vector
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross))
