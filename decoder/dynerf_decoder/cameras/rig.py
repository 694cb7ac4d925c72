"""Properties of a rig of cameras: its mean viewing direction, its focus point and its vertical."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from .camera import Camera

_MIN_COSINE = math.cos(math.radians(45))  # of the angle between an optical axis and the mean
_PARALLEL = 1e-3  # mean squared sine between optical axes (1.8 degrees) below which they do not intersect
_FAR_FOCUS = 4  # times the rig's extent: the focus when optical axes do not intersect
_UP_WEIGHT = 1e-3  # weight of the mean up axis relative to the right axes: that of 1.8 degrees of yaw


def mean_axis(cameras: Sequence[Camera]) -> Float[np.ndarray, "3"]:
    """The mean direction of all optical axes, a unit vector; zero when they cancel out."""
    return _unit(np.stack([camera.forward for camera in cameras]).sum(axis=0), np.zeros(3))


def shares_viewing_direction(cameras: Sequence[Camera]) -> bool:
    """Whether all optical axes are within 45 degrees of their mean."""
    forwards = np.stack([camera.forward for camera in cameras])
    return bool((forwards @ mean_axis(cameras)).min() >= _MIN_COSINE)


def focus_point(cameras: Sequence[Camera]) -> Float[np.ndarray, "3"]:
    """The point nearest to all optical axes (least squares), in front of the cameras.

    When the axes are almost parallel, or meet behind the cameras, it is a guess: four rig extents ahead.
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
    centre = origins.mean(axis=0)  # solve relative to it: the world's origin may be far away
    moments = np.einsum("nij,nj->i", across, origins - centre) / len(cameras)
    return np.asarray(centre + np.linalg.solve(normal, moments))


def up_axis(cameras: Sequence[Camera]) -> Float[np.ndarray, "3"]:
    """The vertical: perpendicular to all right axes, as far as these differ, and near the mean up axis.

    The mean of the up axes alone is tilted by the mean pitch, which would make an orbit's horizon roll.
    """
    rights, ups = (np.stack([camera.camera_to_world[:, axis] for camera in cameras]) for axis in (0, 1))
    mean = _unit(ups.sum(axis=0), ups[0])
    scores = _UP_WEIGHT * np.outer(mean, mean) - rights.T @ rights / len(cameras)
    vertical = np.linalg.eigh(scores)[1][:, -1]
    return np.asarray(vertical if vertical @ mean >= 0 else -vertical)


def _unit(vector: Float[np.ndarray, "3"], fallback: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """The vector scaled to unit length, or ``fallback`` when it is zero."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length) if length > 1e-9 else fallback
