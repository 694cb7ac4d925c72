"""Which cameras' poses contradict the pictures, and what is wrong with them.

A camera is wrong when another pose or lens explains clearly more of its matches than the stated one: another
camera's pose, its own centre with another rotation, or another focal length. The share of explained matches
alone does not decide, because repeated structure gives false matches, which no pose explains.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from dynerf_encoder.calibration.pairs.epipolar import angles

from .matched_rays import MatchedRays, RigPoses, agreeing, residuals
from .resection import rotations_at_centre

Fault = Literal["pose of another", "turned", "focal length", "contradicts"]

LEAST_MATCHES = 30  # of a camera, to say anything
_LEAST_CAMERAS = 2  # that they are with
_CLEARLY = 0.9  # share of explained matches of cameras that need no closer look
_LEAST_GAIN = 0.1  # of explained matches, by another pose or lens
_LEAST_REST = 0.67  # of the matches that were not explained may remain so
_LOST = 0.35  # of the others' share: a pose that contradicts, although no better one was found
_LEAST_TO_CONTRADICT = 3  # cameras with LEAST_MATCHES each: repeated structure gives false pairs of fewer
_SCALES = np.exp(np.linspace(np.log(0.5), np.log(2.0), 57))  # of the focal length: steps of 2.5 %
_LEAST_SCALE = 0.05  # difference of a focal length that is reported
_COST_PIXELS = 0.5  # residuals beyond it count ever less
_LEAST_COST_GAIN = 0.08  # of the cost, by another focal length


@dataclass(frozen=True)
class CameraFault:
    """What is wrong with one camera: ``other`` for a pose of another, ``amount`` in degrees or as a ratio."""

    camera: str
    fault: Fault
    share: float
    better: float
    other: str = ""
    amount: float = 0.0


@dataclass(frozen=True, eq=False)
class Geometry:
    """Faults by camera, and shares of explained matches (NaN without any): with poses as stated.

    ``unchecked`` are cameras whose matches are too few, or so few that contradict the pose that they may all
    be false.
    """

    faults: Mapping[str, CameraFault]
    shares: Mapping[str, float]
    counts: Mapping[str, int]
    unchecked: tuple[str, ...] = ()


@dataclass(eq=False)
class _Search:
    """Faults found so far; their cameras are left out, or stand where they explain their matches."""

    rays: MatchedRays
    poses: RigPoses
    faults: dict[int, CameraFault] = field(default_factory=dict)

    def trusted(self, camera: int) -> MatchedRays:
        """A camera's matches with cameras without a known fault."""
        wrong = [index for index in self.faults if index != camera]
        return self.rays.of(self.rays.of_cameras([camera]) & ~self.rays.of_cameras(wrong))


def find_faults(rays: MatchedRays, poses: RigPoses, left_out: Sequence[str] = ()) -> Geometry:
    """Find faulty cameras, the clearest one first. Cameras ``left_out`` have known faults."""
    names = rays.names
    known = rays.of_cameras([names.index(name) for name in left_out])
    rays = rays.of(~known)
    search = _Search(rays, poses)
    suspects = [index for index, name in enumerate(names) if name not in left_out]
    while len(search.faults) < len(names) // 2:
        # A camera without a fault stays so when the matches with faulty ones are left out.
        faults = {index: fault for index in suspects if (fault := _fault(search, index)) is not None}
        if not faults:
            break
        worst = max(faults, key=lambda index: faults[index].better - faults[index].share)
        search.faults[worst] = faults.pop(worst)
        suspects = list(faults)
    good = agreeing(rays, poses)
    mine = [rays.of_cameras([index]) for index in range(len(names))]
    shares = {
        name: float(good[of].mean()) if of.any() else float("nan")
        for name, of in zip(names, mine, strict=True)
    }
    counts = {name: int(of.sum()) for name, of in zip(names, mine, strict=True)}
    unchecked = tuple(
        name for index, name in enumerate(names)
        if index not in search.faults and (counts[name] < LEAST_MATCHES or _lost(search, index))
    )  # fmt: skip
    found = {names[index]: fault for index, fault in search.faults.items()}
    return Geometry(found, shares, counts, unchecked)


def _fault(search: _Search, camera: int) -> CameraFault | None:
    rays, poses = search.trusted(camera), search.poses
    name = rays.names[camera]
    partners = len(np.unique(rays.cameras[rays.cameras != camera]))
    if len(rays.pair) < LEAST_MATCHES or partners < _LEAST_CAMERAS:
        return None
    share = float(agreeing(rays, poses).mean())
    if share >= _CLEARLY:
        return None
    candidates = [test(rays, poses, camera) for test in (_other_poses, _turned, _focal)]
    best = max(candidates, key=lambda fault: fault.better)
    if best.better >= share + _LEAST_GAIN and 1 - best.better <= _LEAST_REST * (1 - share):
        # The first of those that explain as much: a rotation alone can imitate the pose of a neighbour.
        return next(fault for fault in candidates if fault.better >= 0.95 * best.better)
    matches = np.bincount(rays.cameras[rays.cameras != camera])
    if (usual := _lost(search, camera)) and (matches >= LEAST_MATCHES).sum() >= _LEAST_TO_CONTRADICT:
        return CameraFault(name, "contradicts", share, usual)
    return None


def _lost(search: _Search, camera: int) -> float:
    """The others' share of explained matches if a camera's is far below it, else 0."""
    rays, others = search.trusted(camera), ~search.rays.of_cameras([camera])
    if not len(rays.pair) or not others.any():
        return 0.0
    usual = float(agreeing(search.rays.of(others), search.poses).mean())
    return usual if float(agreeing(rays, search.poses).mean()) < _LOST * usual else 0.0


def _other_poses(rays: MatchedRays, poses: RigPoses, camera: int) -> CameraFault:
    """The camera with each other camera's pose, the best one."""
    share = float(agreeing(rays, poses).mean())
    found = []
    for other in range(len(rays.names)):
        if other != camera:
            moved = poses.replaced(camera, poses.rotations[other], poses.centres[other])
            better = float(agreeing(rays, moved).mean())
            found.append(
                CameraFault(rays.names[camera], "pose of another", share, better, other=rays.names[other])
            )
    return max(found, key=lambda fault: fault.better)


def _turned(rays: MatchedRays, poses: RigPoses, camera: int) -> CameraFault:
    """The camera at its centre with another rotation, the best one."""
    share = float(agreeing(rays, poses).mean())
    stated, centre = poses.rotations[camera], poses.centres[camera]
    found = []
    for rotation in rotations_at_centre(rays, poses, camera):
        better = float(agreeing(rays, poses.replaced(camera, rotation, centre)).mean())
        degrees = float(angles(rotation @ stated.T))
        found.append(CameraFault(rays.names[camera], "turned", share, better, amount=degrees))
    return max(found, key=lambda fault: fault.better)


def _focal(rays: MatchedRays, poses: RigPoses, camera: int) -> CameraFault:
    """The camera with another focal length, the best one."""
    share = float(agreeing(rays, poses).mean())
    found = []
    for scale in _SCALES:
        if abs(scale - 1) >= _LEAST_SCALE:
            scales = np.ones(len(rays.names))
            scales[camera] = scale
            better = float(agreeing(rays, poses, scales).mean())
            found.append(CameraFault(rays.names[camera], "focal length", share, better, amount=float(scale)))
    return max(found, key=lambda fault: fault.better)


def common_focal_scale(rays: MatchedRays, poses: RigPoses) -> float | None:
    """By what all focal lengths are to be multiplied to fit the matches; None when they fit as they are."""
    if len(rays.pair) < LEAST_MATCHES:
        return None
    costs = np.array([_cost(rays, poses, scale) for scale in _SCALES])
    best = float(_SCALES[costs.argmin()])
    stated = _cost(rays, poses, 1.0)
    if abs(best - 1) < _LEAST_SCALE or costs.min() > (1 - _LEAST_COST_GAIN) * stated:
        return None
    return best


def _cost(rays: MatchedRays, poses: RigPoses, scale: float) -> float:
    return float(np.log1p((residuals(rays, poses, scale) / _COST_PIXELS) ** 2).mean())
