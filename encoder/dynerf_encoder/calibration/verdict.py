"""How far to trust a solution: metrics per camera, and a verdict in one line.

A camera's points are also predicted from the others alone: triangulated by the rays of all other cameras
that saw them, and projected into its picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from dynerf_encoder.captures.pairing import listed

from .agreement import Agreement, explained
from .colmap.problem import Solution
from .motion_groups import MotionGroups
from .pairs.votes import PooledMatches
from .synchronisation.combined import CameraOffset
from .zooms import described

Grade = Literal["good", "usable", "not usable"]

LEAST_TIMES = 3  # frames whose parts are solved independently
_LEAST_SEEN = 30  # observations of a camera
_LEAST_EXPLAINED = 0.6  # of all matches
_FOCAL_RANGE = (0.4, 3.0)  # times the picture's longer side
_LEAST_CAMERAS = 0.6  # share that must be registered and agreed on
_LEAST_ALIGNED = 0.5  # share of solutions that agree
_LEAST_ANGLE = 2.0  # degrees between rays that triangulate


@dataclass(frozen=True)
class CameraQuality:
    """``reprojection`` and ``predicted`` are medians in pixels, NaN without points; ``explained`` a share.

    ``confirmed`` of ``solutions`` put the camera at the same place; ``degrees`` is the largest difference.
    ``contradicted``: motion agrees with the poses of a few other cameras, not with those of most.
    """

    observations: int
    reprojection: float
    predicted: float
    explained: float
    confirmed: int
    solutions: int
    degrees: float
    doubtful: bool
    contradicted: bool


@dataclass(frozen=True)
class Verdict:
    """The grade, and the reasons for it, the most important first."""

    grade: Grade
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return self.grade + (f", because {'; '.join(self.reasons)}" if self.reasons else "")


def camera_qualities(
    solution: Solution, agreement: Agreement, matches: PooledMatches, motion: MotionGroups
) -> dict[str, CameraQuality]:
    """The metrics of every registered camera; ``matches`` are all verified ones, before false pairs went."""
    errors = solution.reprojection()
    pairs = explained(solution, matches)
    found = {}
    for index, name in enumerate(solution.names):
        mine = solution.seen_camera == index
        good = sum(hits for pair, (hits, _) in pairs.items() if name in pair)
        total = sum(count for pair, (_, count) in pairs.items() if name in pair)
        camera = agreement.cameras[name]
        observations = int(mine.sum())
        found[name] = CameraQuality(
            observations, _median(errors[mine]), _median(predicted_errors(solution, index)),
            good / total if total else 0.0, camera.confirmed, camera.solutions, camera.degrees,
            camera.doubtful or observations < _LEAST_SEEN or name in motion.contradicted,
            name in motion.contradicted,
        )  # fmt: skip
    return found


def predicted_errors(solution: Solution, index: int) -> Float[np.ndarray, " k"]:
    """Distances in pixels of a camera's observations from points triangulated by the other cameras."""
    mine = solution.seen_camera == index
    wanted = np.full(len(solution.points), -1)
    wanted[solution.seen_point[mine]] = np.flatnonzero(mine)
    others = ~mine & (wanted[solution.seen_point] >= 0)
    points, parallel = triangulated(solution, others)
    usable = np.flatnonzero((wanted >= 0) & ~parallel)
    pose, lens = solution.poses[index], solution.lenses[index]
    places, visible = lens.project((points[usable] - pose.centre) @ pose.rotation.T)
    distances = np.linalg.norm(places - solution.seen[wanted[usable]], axis=1)
    return np.asarray(distances[visible])


def triangulated(solution: Solution, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points nearest to the rays of chosen observations, and which have no two rays that cross."""
    rays = np.zeros((len(solution.seen), 3))
    for index, (pose, lens) in enumerate(zip(solution.poses, solution.lenses, strict=True)):
        mine = chosen & (solution.seen_camera == index)
        rays[mine] = lens.directions(solution.seen[mine]) @ pose.rotation
    centres = np.stack([pose.centre for pose in solution.poses])[solution.seen_camera]
    across = np.eye(3) - rays[:, :, None] * rays[:, None, :]
    matrix, moment = np.zeros((len(solution.points), 3, 3)), np.zeros((len(solution.points), 3))
    np.add.at(matrix, solution.seen_point[chosen], across[chosen])
    np.add.at(moment, solution.seen_point[chosen], np.einsum("kij,kj->ki", across[chosen], centres[chosen]))
    count = np.bincount(solution.seen_point[chosen], minlength=len(solution.points))
    smallest = np.linalg.eigvalsh(matrix)[:, 0]
    # Two unit rays at an angle a: the smallest eigenvalue is 1 - cos a.
    parallel = (count < 2) | (smallest < 1 - np.cos(np.radians(_LEAST_ANGLE)))
    matrix[parallel] = np.eye(3)
    return np.linalg.solve(matrix, moment[..., None])[..., 0], parallel


def grade(
    cameras: Sequence[str],
    solution: Solution,
    agreement: Agreement,
    qualities: Mapping[str, CameraQuality],
    offsets: Mapping[str, CameraOffset],
    times: int,
    zooms: Mapping[str, float] | None = None,
) -> Verdict:
    """The verdict; ``cameras`` are all that were to be calibrated, ``times`` the number of frames.

    ``zooms`` are the cameras with another zoom than those with which they share a lens.
    """
    missing = [name for name in cameras if name not in solution.names]
    doubtful = [name for name, quality in qualities.items() if quality.doubtful]
    fatal, warnings = [described(zooms)] if zooms else [], []
    if agreement.aligned < _LEAST_ALIGNED * agreement.solutions:
        fatal.append(f"only {agreement.aligned} of {agreement.solutions} solutions agree")
    if len(cameras) - len(missing) - len(doubtful) < max(3, _LEAST_CAMERAS * len(cameras)):
        fatal.append(
            f"{len(missing)} cameras have no pose and {len(doubtful)} a doubtful one, of {len(cameras)}"
        )
    contradicted = [name for name in doubtful if qualities[name].contradicted]
    if contradicted:
        warnings.append(
            f"motion contradicts the poses of {listed(contradicted)}: repeated structure can imitate matches"
        )
    if unstable := [name for name in doubtful if name not in contradicted]:
        warnings.append(f"the poses of {listed(unstable)} change between solutions or rest on few points")
    if missing:
        warnings.append(f"no pose of {listed(missing)}")
    warnings += _focal_warnings(solution)
    if times < LEAST_TIMES:
        warnings.append(f"fewer than {LEAST_TIMES} frames were compared, which cannot confirm each other")
    share = _explained_share(qualities)
    if share < _LEAST_EXPLAINED:
        warnings.append(f"the poses explain {share:.0%} of all matches, expected {_LEAST_EXPLAINED:.0%}")
    unsure = [name for name, offset in offsets.items() if offset.confidence != "high"]
    if unsure:
        warnings.append(f"the offset in time of {listed(unsure)} is unknown or contradicted")
    grade: Grade = "not usable" if fatal else "usable" if warnings else "good"
    return Verdict(grade, tuple(fatal + warnings))


def _focal_warnings(solution: Solution) -> list[str]:
    found = []
    for name, lens in zip(solution.names, solution.lenses, strict=True):
        ratio = lens.focal_x / max(lens.width, lens.height)
        if not _FOCAL_RANGE[0] <= ratio <= _FOCAL_RANGE[1]:
            found.append(f"the focal length of {name} is {ratio:.2g} times its picture's side")
    return found[:1]


def _explained_share(qualities: Mapping[str, CameraQuality]) -> float:
    return float(np.mean([quality.explained for quality in qualities.values()])) if qualities else 0.0


def _median(values: Float[np.ndarray, " n"]) -> float:
    return float(np.median(values)) if len(values) else float("nan")
