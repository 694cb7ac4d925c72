"""Camera paths derived from a rig: the poses of a spiral and of an orbit, one for each angle.

Both depend on the clip's cameras only, are in world units, and are closed when the angles make full turns.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.rig import focus_point, shares_viewing_direction, up_axis
from dynerf_decoder.cameras.rotation import nearest_rotation
from dynerf_format.errors import ViewError

_SPIRAL_EXTENT = 0.6  # relative to the rig's extent: where cameras are dense on all sides
_SPIRAL_RADIUS = 0.1  # relative to the focus distance, around one camera of an inward-facing rig
_MIN_SPIRAL_RADIUS = 0.02  # relative to the focus distance: shows parallax even for a rig without extent
_MAX_GAP = math.radians(150)  # between neighbouring cameras of a rig that gets a full turn
_MIN_ORBIT_RADIUS = 1e-3  # relative to the distance to the target


def spiral(cameras: Sequence[Camera], angles: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3 4"]:
    """Poses on an ellipse perpendicular to the viewing direction of the mean (or first) camera."""
    rotation, centre = cameras[0].camera_to_world[:, :3], cameras[0].origin
    extent = np.zeros(2)
    forward_facing = shares_viewing_direction(cameras)
    if forward_facing:
        rotation = nearest_rotation(np.mean([camera.camera_to_world[:, :3] for camera in cameras], axis=0))
        origins = np.stack([camera.origin for camera in cameras])
        centre = origins.mean(axis=0)
        extent = np.percentile(np.abs((origins - centre) @ rotation[:, :2]), 90, axis=0)
    distance = float(np.linalg.norm(focus_point(cameras) - centre)) or 1.0
    minimum = (_MIN_SPIRAL_RADIUS if forward_facing else _SPIRAL_RADIUS) * distance
    radii = np.maximum(_SPIRAL_EXTENT * extent, minimum)
    offsets = np.stack([radii[0] * np.cos(angles), -radii[1] * np.sin(angles)], axis=1) @ rotation[:, :2].T
    return _look_at(centre + offsets, centre - distance * rotation[:, 2], rotation[:, 1])


def orbit(cameras: Sequence[Camera], angles: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3 4"]:
    """Poses on a circle, or back and forth on an arc of it, around the point the cameras look at."""
    target, up = focus_point(cameras), up_axis(cameras)
    offsets = np.stack([camera.origin for camera in cameras]) - target
    heights = offsets @ up
    horizontal = offsets - heights[:, None] * up
    distances = np.linalg.norm(horizontal, axis=1)
    radius, height = float(distances.mean()), float(heights.mean())
    if radius <= _MIN_ORBIT_RADIUS * float(np.linalg.norm(offsets, axis=1).mean()):
        raise ViewError("orbit: the cameras are straight above their target, expected them around it")
    front = horizontal[distances.argmax()] / distances.max()
    side = np.cross(up, front)
    azimuths = np.sort(np.arctan2(horizontal @ side, horizontal @ front) % (2 * np.pi))
    gaps = np.diff(azimuths, append=azimuths[0] + 2 * np.pi)
    widest = int(gaps.argmax())
    if gaps[widest] > _MAX_GAP:
        half = (2 * np.pi - gaps[widest]) / 2
        angles = azimuths[(widest + 1) % len(azimuths)] + half + half * np.sin(angles)
    ring = np.cos(angles)[:, None] * front + np.sin(angles)[:, None] * side
    return _look_at(target + radius * ring + height * up, target, up)


def _look_at(
    origins: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "3"], up: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "n 3 4"]:
    """Poses at ``origins`` that look at ``target``, with the picture's vertical nearest to ``up``."""
    backwards = origins - target
    backwards /= np.linalg.norm(backwards, axis=1, keepdims=True)
    right = np.cross(up, backwards)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, np.cross(backwards, right), backwards, origins], axis=2)
