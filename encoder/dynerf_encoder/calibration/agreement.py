"""Agreement of several solutions of one rig: the best one is kept, cameras that move between them are named.

The reprojection error does not tell a right solution from a wrong one: a mapper fits false matches of
repeated structure as well as true ones. Solutions of different frames and mappers, though, are wrong in
different ways. Each is aligned to a reference (rotation, scale, shift), by the cameras that agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .colmap.problem import Solution
from .pairs.epipolar import Pose, angles, in_front, mean_rotation, residuals, similarity
from .pairs.votes import PooledMatches

AGREE_DEGREES = 1.0
_AGREE_SHARE = 0.03  # of the rig's extent, between centres that agree
_ALIGNED_SHARE = 0.5  # of the reference's cameras: a solution with fewer is another one
_TRUSTED_SHARE = 0.7  # of the aligned solutions that confirm a camera
_RIVAL_SHARE = 0.5  # of the matches that a pose explains: another pose that explains more is a rival
_ROUNDS = 3  # of choosing cameras' poses one after the other
EXPLAINED_PIXELS = 2.0  # epipolar residual of a match that poses explain


@dataclass(frozen=True, eq=False)
class CameraAgreement:
    """How solutions agree on one camera: how many of how many confirm it, and the largest difference.

    ``degrees`` is the largest difference of rotation from the reference among aligned solutions. ``support``
    is the number of matches that the pose explains, ``rival`` that of the best other pose.
    """

    confirmed: int
    solutions: int
    degrees: float
    support: int
    rival: int

    @property
    def doubtful(self) -> bool:
        """Whether few solutions confirm the pose, and another pose explains nearly as many matches."""
        few = self.confirmed < _TRUSTED_SHARE * self.solutions
        return self.rival >= self.support or (few and self.rival >= _RIVAL_SHARE * self.support)


@dataclass(frozen=True, eq=False)
class Agreement:
    """``reference`` is the index of the chosen solution; ``aligned`` counts the solutions that agree with it.

    ``solutions`` counts all solutions that were compared, the reference among them. ``chosen`` has, of every
    camera of the reference, the pose that explains the most matches, in the reference's world.
    """

    reference: int
    aligned: int
    solutions: int
    cameras: Mapping[str, CameraAgreement]
    chosen: Solution

    @property
    def doubtful(self) -> tuple[str, ...]:
        """Cameras whose pose changes between solutions."""
        return tuple(name for name, camera in self.cameras.items() if camera.doubtful)


def agree(solutions: Sequence[Solution], candidates: Sequence[int], matches: PooledMatches) -> Agreement:
    """Compare solutions with the one of ``candidates`` (indices) that explains the most of ``matches``.

    A majority alone would not do: parts of the frames lead to the same wrong solution when all of them show
    the same repeated structure, while true matches are explained by right poses only.
    """
    index = max(candidates, key=lambda index: (total_explained(solutions[index], matches), -index))
    reference = solutions[index]
    worlds = [aligned_poses(other, reference) for other in solutions]
    differences = [_differences(poses, reference) for poses in worlds]
    count = len(reference.names)
    near = [sum(map(_agrees, found.values())) >= _ALIGNED_SHARE * count for found in differences]
    aligned = [found for found, kept in zip(differences, near, strict=True) if kept]
    others = {name: _distinct(name, reference, worlds) for name in reference.names}
    chosen = _best_poses(reference, others, matches)
    cameras = {name: _camera(name, reference, others[name], aligned, matches) for name in reference.names}
    return Agreement(index, len(aligned), len(solutions), cameras, chosen)


def total_explained(solution: Solution, matches: PooledMatches) -> int:
    """The number of matches that a solution explains; matches of cameras without a pose are not."""
    return sum(good for good, _ in explained(solution, matches).values())


def aligned_poses(solution: Solution, reference: Solution) -> dict[str, Pose]:
    """A solution's poses in the world of a reference, by cameras that agree; empty for fewer than three."""
    names = [name for name in reference.names if name in solution.names]
    if len(names) < 3:
        return {}
    mine, theirs = ([found.pose(name) for name in names] for found in (solution, reference))
    mine_rotations, rotations = (np.stack([pose.rotation for pose in poses]) for poses in (mine, theirs))
    turn = mean_rotation(np.swapaxes(rotations, 1, 2) @ mine_rotations)  # world of mine to that of theirs
    turned = mine_rotations @ turn.T
    near = angles(turned @ np.swapaxes(rotations, 1, 2)) <= AGREE_DEGREES
    chosen = near if near.sum() >= 3 else np.ones(len(names), bool)
    mine_centres, centres = (np.stack([pose.centre for pose in poses]) for poses in (mine, theirs))
    scale, shift = similarity(mine_centres[chosen], centres[chosen], turn)
    moved = scale * mine_centres @ turn.T + shift
    return {name: Pose(turned[index], moved[index]) for index, name in enumerate(names)}


def align(solution: Solution, reference: Solution) -> dict[str, tuple[float, float]]:
    """Differences to a reference after alignment: degrees, and distance as a share of the rig's extent."""
    return _differences(aligned_poses(solution, reference), reference)


def _differences(poses: Mapping[str, Pose], reference: Solution) -> dict[str, tuple[float, float]]:
    size = extent(reference.poses)
    return {name: _difference(pose, reference.pose(name), size) for name, pose in poses.items()}


def _difference(one: Pose, two: Pose, size: float) -> tuple[float, float]:
    degrees = float(angles((one.rotation @ two.rotation.T)[None])[0])
    return degrees, float(np.linalg.norm(one.centre - two.centre)) / size


def extent(poses: Sequence[Pose]) -> float:
    """The largest distance between two centres."""
    centres = np.stack([pose.centre for pose in poses])
    return float(np.linalg.norm(centres[:, None] - centres[None], axis=-1).max()) or 1.0


def explained(solution: Solution, matches: PooledMatches) -> dict[tuple[str, str], tuple[int, int]]:
    """Per pair of registered cameras: the matches that the poses explain, and all matches.

    Explained ones are within ``EXPLAINED_PIXELS`` of their epipolar lines, and in front of both cameras.
    """
    known = set(solution.names)
    found = {}
    for pair in matches.pairs:
        if known.issuperset(pair):
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


def _distinct(name: str, reference: Solution, worlds: Sequence[Mapping[str, Pose]]) -> list[Pose]:
    """Other solutions' poses of a camera that do not agree with the reference's."""
    mine, size = reference.pose(name), extent(reference.poses)
    found = [poses[name] for poses in worlds if name in poses]
    return [pose for pose in found if not _agrees(_difference(pose, mine, size))]


def _best_poses(
    reference: Solution, others: Mapping[str, Sequence[Pose]], matches: PooledMatches
) -> Solution:
    """The reference with the pose of each camera that explains the most matches with the cameras' others."""
    chosen = reference
    for _ in range(_ROUNDS):
        before = chosen
        for name, poses in others.items():
            if poses:
                trials = [chosen, *(_with_pose(chosen, name, pose) for pose in poses)]
                chosen = max(trials, key=lambda trial: _support(trial, name, matches))
        if chosen is before:
            break
    return chosen


def _with_pose(solution: Solution, name: str, pose: Pose) -> Solution:
    index = solution.names.index(name)
    return replace(solution, poses=(*solution.poses[:index], pose, *solution.poses[index + 1 :]))


def _support(solution: Solution, name: str, matches: PooledMatches) -> int:
    """The number of a camera's matches that a solution explains."""
    known = set(solution.names)
    pairs = [pair for pair in matches.pairs if name in pair and known.issuperset(pair)]
    return sum(int(explained_matches(solution, matches, pair).sum()) for pair in pairs)


def _camera(
    name: str,
    reference: Solution,
    others: Sequence[Pose],
    aligned: Sequence[Mapping[str, tuple[float, float]]],
    matches: PooledMatches,
) -> CameraAgreement:
    found = [differences[name] for differences in aligned if name in differences]
    worst = max((degrees for degrees, _ in found), default=0.0)
    rivals = [_support(_with_pose(reference, name, pose), name, matches) for pose in others]
    return CameraAgreement(
        sum(map(_agrees, found)),
        len(aligned),
        worst,
        _support(reference, name, matches),
        max(rivals, default=0),
    )
