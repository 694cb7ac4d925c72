"""What a rig of cameras has in common: the way it looks, the point it looks at, and what is upright to it.

Beside them ``nearest_rotation``, which makes means of poses rotations again.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from .camera import Camera

MOST_SKEW = 1e-2  # of R^T R from the identity: rounding to three digits passes, another layout does not
_FORWARD_FACING = math.cos(math.radians(45))  # all optical axes this close to their mean
_PARALLEL = 1e-3  # mean squared sine between optical axes (1.8 degrees) below which they do not intersect
_FAR_FOCUS = 4  # times the rig's extent: the focus when optical axes do not intersect
_UP_SHARE = 1e-3  # how much the mean up axis counts against the right axes: what 1.8 degrees of yaw do


def mean_axis(cameras: Sequence[Camera]) -> Float[np.ndarray, "3"]:
    """The mean direction of all optical axes, at length one; zero where they cancel out."""
    return _unit(np.stack([camera.forward for camera in cameras]).sum(axis=0), np.zeros(3))


def looks_one_way(cameras: Sequence[Camera]) -> bool:
    """Whether all cameras look within 45 degrees of their mean axis."""
    forwards = np.stack([camera.forward for camera in cameras])
    return bool((forwards @ mean_axis(cameras)).min() >= _FORWARD_FACING)


def focus_point(cameras: Sequence[Camera]) -> Float[np.ndarray, "3"]:
    """The point nearest to all optical axes (least squares), in front of the cameras.

    Where axes are almost parallel, or meet behind the cameras, it is a guess: four rig extents ahead.
    """
    origins = np.stack([camera.origin for camera in cameras])
    axes = np.stack([camera.forward for camera in cameras])
    point = nearest_to_axes(cameras)
    if point is not None and ((point - origins) * axes).sum(axis=1).mean() > 0:
        return point
    centre = origins.mean(axis=0)
    extent = float(np.linalg.norm(origins - centre, axis=1).max()) or 1.0
    return np.asarray(centre + _FAR_FOCUS * extent * _unit(axes.sum(axis=0), axes[0]))


def nearest_to_axes(cameras: Sequence[Camera]) -> Float[np.ndarray, "3"] | None:
    """The point nearest to all optical axes (least squares), in front or behind; None for parallel axes."""
    origins = np.stack([camera.origin for camera in cameras])
    axes = np.stack([camera.forward for camera in cameras])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    normal = across.mean(axis=0)
    if np.linalg.eigvalsh(normal)[0] <= _PARALLEL:
        return None
    centre = origins.mean(axis=0)  # around which it is solved: the world's origin may be far away
    moments = np.einsum("nij,nj->i", across, origins - centre) / len(cameras)
    return np.asarray(centre + np.linalg.solve(normal, moments))


def upright(cameras: Sequence[Camera]) -> Float[np.ndarray, "3"]:
    """The vertical: across all cameras' right axes, as far as these differ, and along their mean up axis.

    The mean of the up axes alone would lean forward by the mean pitch, and an orbit's horizon would roll.
    """
    rights, ups = (np.stack([camera.camera_to_world[:, axis] for camera in cameras]) for axis in (0, 1))
    mean = _unit(ups.sum(axis=0), ups[0])
    scores = _UP_SHARE * np.outer(mean, mean) - rights.T @ rights / len(cameras)
    vertical = np.linalg.eigh(scores)[1][:, -1]
    return np.asarray(vertical if vertical @ mean >= 0 else -vertical)


def skew_of(matrices: Float[np.ndarray, "*n 3 3"]) -> Float[np.ndarray, "*n"]:
    """How far R^T R is from the identity; above ``MOST_SKEW`` R is not a rotation but for rounding."""
    return np.asarray(np.abs(np.swapaxes(matrices, -1, -2) @ matrices - np.eye(3)).max(axis=(-2, -1)))


def nearest_rotation(matrices: Float[np.ndarray, "*n 3 3"]) -> Float[np.ndarray, "*n 3 3"]:
    """The rotations nearest to matrices (polar decomposition)."""
    left, _, right = np.linalg.svd(matrices)
    left[..., 2] *= np.linalg.det(left @ right)[..., None]
    return np.asarray(left @ right)


def _unit(vector: Float[np.ndarray, "3"], otherwise: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """The vector at length one, or ``otherwise`` where it has no direction."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length) if length > 1e-9 else otherwise
