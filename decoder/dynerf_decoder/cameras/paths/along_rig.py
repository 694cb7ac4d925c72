"""The paths that a rig suggests: poses of a spiral and of an orbit, one for each angle of the way round.

Both are derived from the clip's cameras alone, in world units, and close where the angles make whole turns.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.rig import focus_point, looks_one_way, nearest_rotation, upright
from dynerf_format.errors import ViewError

_SPIRAL_SHARE = 0.6  # of the rig's extent: where cameras are dense on all sides
_SPIRAL_RADIUS = 0.1  # of the focus distance, around one camera of an inward rig
_SPIRAL_LEAST = 0.02  # of the focus distance: a rig without extent still shows parallax
_WIDEST_GAP = math.radians(150)  # between neighbouring cameras of a rig that is worth a full turn
_LEAST_RADIUS = 1e-3  # of the distance to what is orbited


def spiral(cameras: Sequence[Camera], angles: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3 4"]:
    """Poses on an ellipse across the viewing direction of the mean (or first) camera."""
    rotation, centre = cameras[0].camera_to_world[:, :3], cameras[0].origin
    extent = np.zeros(2)
    one_way = looks_one_way(cameras)
    if one_way:
        rotation = nearest_rotation(np.mean([camera.camera_to_world[:, :3] for camera in cameras], axis=0))
        origins = np.stack([camera.origin for camera in cameras])
        centre = origins.mean(axis=0)
        extent = np.percentile(np.abs((origins - centre) @ rotation[:, :2]), 90, axis=0)
    distance = float(np.linalg.norm(focus_point(cameras) - centre)) or 1.0
    least = (_SPIRAL_LEAST if one_way else _SPIRAL_RADIUS) * distance
    radii = np.maximum(_SPIRAL_SHARE * extent, least)
    offsets = np.stack([radii[0] * np.cos(angles), -radii[1] * np.sin(angles)], axis=1) @ rotation[:, :2].T
    return _look_at(centre + offsets, centre - distance * rotation[:, 2], rotation[:, 1])


def orbit(cameras: Sequence[Camera], angles: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3 4"]:
    """Poses on a circle, or on an arc of it and back, around the point the cameras look at."""
    target, up = focus_point(cameras), upright(cameras)
    offsets = np.stack([camera.origin for camera in cameras]) - target
    heights = offsets @ up
    level = offsets - heights[:, None] * up
    distances = np.linalg.norm(level, axis=1)
    radius, height = float(distances.mean()), float(heights.mean())
    if radius <= _LEAST_RADIUS * float(np.linalg.norm(offsets, axis=1).mean()):
        raise ViewError("orbit: the cameras stand straight above what they look at, expected them around it")
    front = level[distances.argmax()] / distances.max()
    side = np.cross(up, front)
    azimuths = np.sort(np.arctan2(level @ side, level @ front) % (2 * np.pi))
    gaps = np.diff(azimuths, append=azimuths[0] + 2 * np.pi)
    widest = int(gaps.argmax())
    if gaps[widest] > _WIDEST_GAP:
        half = (2 * np.pi - gaps[widest]) / 2
        angles = azimuths[(widest + 1) % len(azimuths)] + half + half * np.sin(angles)
    ring = np.cos(angles)[:, None] * front + np.sin(angles)[:, None] * side
    return _look_at(target + radius * ring + height * up, target, up)


def _look_at(
    origins: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "3"], up: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "n 3 4"]:
    """Poses at ``origins`` that look at ``target``, the picture's upright nearest to ``up``."""
    backwards = origins - target
    backwards /= np.linalg.norm(backwards, axis=1, keepdims=True)
    right = np.cross(up, backwards)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, np.cross(backwards, right), backwards, origins], axis=2)
