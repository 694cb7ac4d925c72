"""Synthetic rigs: cameras on a ring, the points that they see, and solutions of structure from motion."""

import numpy as np

from dynerf_encoder.calibration.colmap.problem import Solution
from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.calibration.pairs.votes import PooledMatches
from dynerf_encoder.captures.lens import Lens

from .blobs import ring_pose

LENS = Lens(640, 480, 500.0, 500.0, 320.0, 240.0)


def turn(axis: int, degrees: float) -> np.ndarray:
    """The rotation about a coordinate axis."""
    angle = np.radians(degrees)
    found = np.eye(3)
    one, two = [index for index in range(3) if index != axis]
    found[[one, two], [one, two]] = np.cos(angle)
    found[one, two], found[two, one] = -np.sin(angle), np.sin(angle)
    return found


def ring_solution(cameras: int, points: int = 80, noise: float = 0.0, seed: int = 0) -> Solution:
    """A solution in which every camera of a ring sees every point."""
    generator = np.random.default_rng(seed)
    places = generator.uniform(-0.8, 0.8, (points, 3))
    poses = tuple(ring_pose(index, cameras) for index in range(cameras))
    seen = np.concatenate([LENS.project((places - pose.centre) @ pose.rotation.T)[0] for pose in poses])
    return Solution(
        tuple(f"cam{index:02d}" for index in range(cameras)), poses, (LENS,) * cameras, places,
        np.tile(np.arange(points), cameras), np.repeat(np.arange(cameras), points),
        seen + noise * generator.standard_normal(seen.shape), 0,
    )  # fmt: skip


def matches_of(solution: Solution) -> PooledMatches:
    """All pairs of cameras with all points as matches."""
    positions = {
        name: solution.seen[solution.seen_camera == index] for index, name in enumerate(solution.names)
    }
    indices = np.arange(len(solution.points))
    pairs = {
        (one, two): np.column_stack([indices, indices])
        for index, one in enumerate(solution.names)
        for two in solution.names[index + 1 :]
    }
    return PooledMatches(positions, pairs)


def moved(solution: Solution, name: str, degrees: float) -> Solution:
    """The solution with one camera turned about its own x axis."""
    index = solution.names.index(name)
    pose = solution.poses[index]
    poses = list(solution.poses)
    poses[index] = Pose(turn(0, degrees) @ pose.rotation, pose.centre)
    return replaced(solution, poses=tuple(poses))


def in_another_world(solution: Solution, scale: float = 3.0) -> Solution:
    """The same rig with another origin, orientation and unit."""
    rotation, shift = turn(1, 70.0) @ turn(0, 20.0), np.array([5.0, -1.0, 2.0])
    poses = tuple(
        Pose(pose.rotation @ rotation.T, scale * rotation @ pose.centre + shift) for pose in solution.poses
    )
    return replaced(solution, poses=poses, points=scale * solution.points @ rotation.T + shift)


def replaced(solution: Solution, **values: object) -> Solution:
    """A copy with other fields."""
    fields = {name: getattr(solution, name) for name in solution.__dataclass_fields__}
    return Solution(**{**fields, **values})
