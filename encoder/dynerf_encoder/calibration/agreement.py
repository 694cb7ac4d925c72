"""Agreement of several solutions of one rig: the best one is kept, cameras that move between them are named.

The reprojection error does not tell a right solution from a wrong one: a mapper fits false matches of
repeated structure as well as true ones. Solutions of different frames and mappers, though, are wrong in
different ways. Each is aligned to a reference (rotation, scale, shift), by the cameras that agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .colmap.problem import Solution
from .pairs.epipolar import Pose, angles, in_front, mean_rotation, residuals, similarity
from .pairs.votes import PooledMatches

AGREE_DEGREES = 1.0
_AGREE_SHARE = 0.03  # of the rig's extent, between centres that agree
_ALIGNED_SHARE = 0.5  # of the reference's cameras: a solution with fewer is another one
_TRUSTED_SHARE = 0.7  # of the aligned solutions that confirm a camera
EXPLAINED_PIXELS = 2.0  # epipolar residual of a match that poses explain


@dataclass(frozen=True, eq=False)
class CameraAgreement:
    """How solutions agree on one camera: how many of how many confirm it, and the largest difference.

    ``degrees`` is the largest difference of rotation from the reference among aligned solutions.
    """

    confirmed: int
    solutions: int
    degrees: float

    @property
    def doubtful(self) -> bool:
        """Whether too few solutions confirm the pose."""
        return self.confirmed < _TRUSTED_SHARE * self.solutions


@dataclass(frozen=True, eq=False)
class Agreement:
    """``reference`` is the index of the chosen solution; ``aligned`` counts the solutions that agree with it.

    ``solutions`` counts all solutions that were compared, the reference among them.
    """

    reference: int
    aligned: int
    solutions: int
    cameras: Mapping[str, CameraAgreement]

    @property
    def doubtful(self) -> tuple[str, ...]:
        """Cameras whose pose changes between solutions."""
        return tuple(name for name, camera in self.cameras.items() if camera.doubtful)


def agree(solutions: Sequence[Solution], candidates: Sequence[int], matches: PooledMatches) -> Agreement:
    """Compare solutions with the one of ``candidates`` (indices) that explains the most of ``matches``.

    A majority alone would not do: parts of the frames lead to the same wrong solution when all of them show
    the same repeated structure, while true matches are explained by right poses only.
    """
    reference = max(candidates, key=lambda index: (total_explained(solutions[index], matches), -index))
    count = len(solutions[reference].names)
    differences = [align(other, solutions[reference]) for other in solutions]
    aligned = [found for found in differences if sum(map(_agrees, found.values())) >= _ALIGNED_SHARE * count]
    cameras = {name: _camera(name, aligned) for name in solutions[reference].names}
    return Agreement(reference, len(aligned), len(solutions), cameras)


def total_explained(solution: Solution, matches: PooledMatches) -> int:
    """The number of matches that a solution explains; matches of cameras without a pose are not."""
    return sum(good for good, _ in explained(solution, matches).values())


def align(solution: Solution, reference: Solution) -> dict[str, tuple[float, float]]:
    """Differences to a reference after alignment: degrees, and distance as a share of the rig's extent."""
    names = [name for name in reference.names if name in solution.names]
    if len(names) < 3:
        return {}
    mine, theirs = ([found.pose(name) for name in names] for found in (solution, reference))
    mine_rotations, rotations = (np.stack([pose.rotation for pose in poses]) for poses in (mine, theirs))
    turn = mean_rotation(np.swapaxes(rotations, 1, 2) @ mine_rotations)  # world of mine to that of theirs
    degrees = angles(mine_rotations @ turn.T @ np.swapaxes(rotations, 1, 2))
    mine_centres, centres = (np.stack([pose.centre for pose in poses]) for poses in (mine, theirs))
    near = degrees <= AGREE_DEGREES
    chosen = near if near.sum() >= 3 else np.ones(len(names), bool)
    scale, shift = similarity(mine_centres[chosen], centres[chosen], turn)
    distances = np.linalg.norm(scale * mine_centres @ turn.T + shift - centres, axis=1) / extent(theirs)
    return {
        name: (float(degree), float(distance))
        for name, degree, distance in zip(names, degrees, distances, strict=True)
    }


def extent(poses: Sequence[Pose]) -> float:
    """The largest distance between two centres."""
    centres = np.stack([pose.centre for pose in poses])
    return float(np.linalg.norm(centres[:, None] - centres[None], axis=-1).max()) or 1.0


def explained(solution: Solution, matches: PooledMatches) -> dict[tuple[str, str], tuple[int, int]]:
    """Per pair of registered cameras: the matches that the poses explain, and all matches.

    Explained ones are within ``EXPLAINED_PIXELS`` of their epipolar lines, and in front of both cameras.
    """
    found = {}
    for pair in matches.pairs:
        if pair[0] not in solution.names or pair[1] not in solution.names:
            continue
        good = explained_matches(solution, matches, pair)
        found[pair] = int(good.sum()), len(good)
    return found


def explained_matches(solution: Solution, matches: PooledMatches, pair: tuple[str, str]) -> np.ndarray:
    """Which matches of a pair the poses explain."""
    indices = [solution.names.index(name) for name in pair]
    lenses = solution.lenses[indices[0]], solution.lenses[indices[1]]
    poses = solution.poses[indices[0]], solution.poses[indices[1]]
    places = matches.matched(pair)
    near = residuals(lenses, poses, *places) < EXPLAINED_PIXELS
    return np.asarray(near & in_front(lenses, poses, *places))


def _agrees(difference: tuple[float, float]) -> bool:
    return difference[0] <= AGREE_DEGREES and difference[1] <= _AGREE_SHARE


def _camera(name: str, aligned: Sequence[Mapping[str, tuple[float, float]]]) -> CameraAgreement:
    found = [differences[name] for differences in aligned if name in differences]
    worst = max((degrees for degrees, _ in found), default=0.0)
    return CameraAgreement(sum(map(_agrees, found)), len(aligned), worst)
