"""Near and far depths of each camera from the reconstructed points.

Points that only two close views saw have wild depths; those with a small angle between their rays or few
observations are left out.
"""

import numpy as np
from jaxtyping import Bool, Float

from .colmap.problem import Solution

_LEAST_DEGREES = 3.0  # between two rays to a point
_LEAST_SEEN = 3  # cameras
_LEAST_POINTS = 20
_NEAR = (0.75, 0.5)  # factor, percentile of depths
_FAR = (1.2, 99.0)


def good_points(solution: Solution) -> Bool[np.ndarray, " point"]:
    """Points that at least three cameras saw, under an angle of at least 3 degrees."""
    count = np.bincount(solution.seen_point, minlength=len(solution.points))
    centres = np.array([pose.centre for pose in solution.poses]).reshape(-1, 3)
    rays = solution.points[solution.seen_point] - centres[solution.seen_camera]
    rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-12)
    # The widest angle of the rays of a point is at least that between its first ray and any other.
    first = np.full(len(solution.points), -1)
    first[solution.seen_point[::-1]] = np.arange(len(rays))[::-1]
    cosine = (rays * rays[first[solution.seen_point]]).sum(axis=1)
    widest = np.ones(len(solution.points))
    np.minimum.at(widest, solution.seen_point, cosine)
    return np.asarray((count >= _LEAST_SEEN) & (widest <= np.cos(np.radians(_LEAST_DEGREES))))


def near_far(solution: Solution) -> list[tuple[float, float]]:
    """Near and far of every camera, world units; the rig's where a camera sees too few points itself."""
    good = good_points(solution)
    depths = [_depths(solution, index, good) for index in range(len(solution.names))]
    everything = np.concatenate(depths) if depths else np.zeros(0)
    if len(everything) < _LEAST_POINTS:
        distance = float(np.median([np.linalg.norm(pose.centre) for pose in solution.poses]))
        return [(0.1 * distance, 3 * distance)] * len(solution.names)
    return [_range(found if len(found) >= _LEAST_POINTS else everything) for found in depths]


def _depths(solution: Solution, index: int, good: Bool[np.ndarray, " point"]) -> Float[np.ndarray, " n"]:
    mine = solution.seen_point[(solution.seen_camera == index) & good[solution.seen_point]]
    pose = solution.poses[index]
    found = (solution.points[mine] - pose.centre) @ pose.forward
    return np.asarray(found[found > 0])


def _range(depths: Float[np.ndarray, " n"]) -> tuple[float, float]:
    near, far = (factor * float(np.percentile(depths, q)) for factor, q in (_NEAR, _FAR))
    return near, max(far, 1.01 * near)
