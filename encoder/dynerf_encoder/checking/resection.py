"""The rotation of one camera from its matches with cameras whose poses are right, given its centre.

A match with a camera at ``o`` puts the point in the plane through both centres that contains the other's ray
d. With the plane's normal n = (c - o) x d, the camera's own ray x satisfies n . (Q x) = 0, where Q is its
rotation to the world: linear in Q. Matches of two cameras determine Q; which of the cameras have true matches
is not known, so several pairs of them are tried and each result is refined on all matches.
"""

from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from dynerf_decoder.cameras.rotation import nearest_rotation, rotation_of_vector

from .matched_rays import MatchedRays, RigPoses

_MOST_CAMERAS = 8  # with the most matches: 28 pairs of them
_LEAST = 8  # matches of a pair
_WIDTHS = (16,) * 4 + (4,) * 4 + (1,) * 6  # of the weights, a step each: from wide to narrow


def rotations_at_centre(rays: MatchedRays, poses: RigPoses, camera: int) -> list[Float[np.ndarray, "3 3"]]:
    """Candidates for a camera's rotation (world to camera), refined; the caller chooses among them."""
    others, own, normals = _planes(rays, poses, camera)
    counts = np.bincount(others, minlength=len(rays.names))
    chosen = [int(other) for other in np.argsort(-counts)[:_MOST_CAMERAS] if counts[other] >= _LEAST]
    scale = rays.limit[camera] / rays.focal[camera]
    starts = [poses.rotations[camera].T]
    of_pairs = [np.isin(others, pair) for pair in combinations(chosen, 2)]
    starts += [_linear(own[of], normals[of]) for of in of_pairs]
    return [_refined(start, own, normals, scale).T for start in starts]


def _planes(
    rays: MatchedRays, poses: RigPoses, camera: int
) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, "k 3"], Float[np.ndarray, "k 3"]]:
    """Of a camera's matches: the other camera, the own unit ray, and the unit normal of the plane (world)."""
    found = []
    for side, own, theirs in ((0, rays.first, rays.second), (1, rays.second, rays.first)):
        mine = rays.cameras[:, side] == camera
        other = rays.cameras[mine, 1 - side]
        world = np.einsum("kji,kj->ki", poses.rotations[other], theirs[mine])
        found.append((other, own[mine], np.cross(poses.centres[camera] - poses.centres[other], world)))
    others, own, normals = (np.concatenate(parts) for parts in zip(*found, strict=True))
    length = np.linalg.norm(normals, axis=1)
    kept = length > 0
    own = own[kept] / np.linalg.norm(own[kept], axis=1, keepdims=True)
    return others[kept], own, normals[kept] / length[kept, None]


def _linear(own: Float[np.ndarray, "k 3"], normals: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation nearest to the linear solution of n . (Q x) = 0."""
    rows = (normals[:, :, None] * own[:, None, :]).reshape(-1, 9)
    matrix = np.linalg.eigh(rows.T @ rows)[1][:, 0].reshape(3, 3)
    return nearest_rotation(matrix if np.linalg.det(matrix) > 0 else -matrix)


def _refined(
    start: Float[np.ndarray, "3 3"], own: np.ndarray, normals: np.ndarray, scale: float
) -> Float[np.ndarray, "3 3"]:
    """Gauss-Newton steps on the angles between rays and planes, with Cauchy weights."""
    matrix = start
    for width in _WIDTHS:
        turned = own @ matrix.T
        errors = (turned * normals).sum(axis=1)
        weights = 1 / (1 + (errors / (width * scale)) ** 2)
        gradient = np.cross(turned, normals)
        normal_matrix = gradient.T @ (weights[:, None] * gradient) + 1e-12 * np.eye(3)
        matrix = rotation_of_vector(-np.linalg.solve(normal_matrix, gradient.T @ (weights * errors))) @ matrix
    return matrix
