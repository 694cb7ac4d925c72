"""Fixes what pictures cannot tell: origin, vertical and unit of the world.

The origin is the point that the cameras look at, +y is their common up, and the unit is the median distance
of the cameras to the origin, or the metre when a distance between two cameras is known.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.rig import focus_point, up_axis
from dynerf_format.errors import ConfigError

from .colmap.problem import Solution
from .options import Scale
from .pairs.epipolar import Pose


def in_gauge(solution: Solution, scale: Scale | None) -> Solution:
    """The solution in the world described above. Raises ConfigError when ``scale`` names other cameras."""
    cameras = pinhole_cameras(solution)
    origin = focus_point(cameras)
    turn = _upright(up_axis(cameras), np.mean([camera.forward for camera in cameras], axis=0))
    factor = _factor(solution, scale, origin)
    poses = tuple(
        Pose(pose.rotation @ turn.T, factor * turn @ (pose.centre - origin)) for pose in solution.poses
    )
    return replace(solution, poses=poses, points=factor * (solution.points - origin) @ turn.T)


def pinhole_cameras(solution: Solution) -> list[Camera]:
    """The solution's cameras without their distortion."""
    return [
        Camera(
            name, lens.width, lens.height, lens.focal_x, lens.focal_y, lens.centre_x, lens.centre_y,
            pose.camera_to_world,
        )
        for name, lens, pose in zip(solution.names, solution.lenses, solution.poses, strict=True)
    ]  # fmt: skip


def _upright(up: Float[np.ndarray, "3"], forward: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation that takes ``up`` to +y, and the mean view's level direction to -z where it has one."""
    level = forward - (forward @ up) * up
    if np.linalg.norm(level) < 1e-3:  # cameras all around: any direction is as good
        level = np.eye(3)[np.abs(up).argmin()]
        level = level - (level @ up) * up
    back = -level / np.linalg.norm(level)
    return np.stack([np.cross(up, back), up, back])


def _factor(solution: Solution, scale: Scale | None, origin: Float[np.ndarray, "3"]) -> float:
    if scale is None:
        distances = [float(np.linalg.norm(pose.centre - origin)) for pose in solution.poses]
        return 1 / (float(np.median(distances)) or 1.0)
    missing = [name for name in scale.cameras if name not in solution.names]
    if missing:
        raise ConfigError(f"--scale: no pose of {missing[0]}, expected two of {', '.join(solution.names)}")
    first, second = (solution.pose(name).centre for name in scale.cameras)
    return scale.metres / (float(np.linalg.norm(first - second)) or 1.0)


def distances_to_origin(poses: Sequence[Pose]) -> Float[np.ndarray, " n"]:
    """Distances of the cameras to the focus."""
    return np.array([float(np.linalg.norm(pose.centre)) for pose in poses])
