"""Findings from matched points: of all cameras alike, of single cameras, and of their exposure.

What concerns all cameras is corrected before single ones are compared: the convention, then the focal length.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dynerf_encoder.calibration.colmap.problem import Solution
from dynerf_encoder.calibration.pairs.epipolar import PairStatistic, Pose, pair_statistics
from dynerf_encoder.calibration.pairs.votes import PooledMatches
from dynerf_encoder.capture_faults.finding import Finding
from dynerf_encoder.captures.capture import Capture

from .conventions import find_convention
from .exposure import DIFFERENT, gains
from .geometry import LEAST_MATCHES, CameraFault, Geometry, common_focal_scale, find_faults
from .matched_rays import MatchedRays, RigPoses, matched_rays, residuals
from .matcher import Matcher
from .pictures import Samples
from .tracks import predicted_medians, solution_of

_LEAST_AGREEMENT = 0.3  # of all matches: below it pictures and poses have nothing in common
_FEW = 0.3  # of the usual number of matches: a camera that may be mirrored
_FEW_FAULTS = 0.3  # share of the cameras: with more, the fault is perhaps that of all
_MIRRORED = 3.0  # times as many matches with the picture mirrored
_PARTNERS = 5  # cameras that a mirrored picture is matched with


@dataclass(frozen=True, eq=False)
class PointFindings:
    """``poses`` are those of cameras without a fault, in the convention that was found.

    ``pairs``, ``residuals``, ``predicted`` (medians per camera in pixels) and ``rig`` are those of the poses
    as stated; ``gains`` is brightness against the others. ``geometry`` is that of the corrected convention
    and focal length.
    """

    findings: tuple[Finding, ...]
    poses: Mapping[str, Pose]
    geometry: Geometry
    pairs: tuple[PairStatistic, ...]
    residuals: Mapping[str, float]
    predicted: Mapping[str, float]
    gains: Mapping[str, float]
    rig: Solution
    matches: PooledMatches


@dataclass(frozen=True, eq=False)
class _Rig:
    """Matches and poses after the correction of what is wrong with all cameras, which ``findings`` state."""

    rays: MatchedRays
    poses: RigPoses
    geometry: Geometry
    findings: tuple[Finding, ...]


def examine(
    capture: Capture, layout: str, names: Sequence[str], samples: Samples, matcher: Matcher
) -> PointFindings:
    """All tests on matched points of the cameras ``names``."""
    lenses = {name: capture.view(name).lens for name in names}
    stated = {name: Pose.of_camera_to_world(capture.view(name).camera.camera_to_world) for name in names}
    matches = matcher.matches
    rays, poses = matched_rays(names, lenses, matches), RigPoses.of([stated[name] for name in names])
    rig = _corrected(rays, poses, layout)
    mirrored = _mirrored(rig, matcher)
    if mirrored:  # its false matches are no longer to be compared with poses
        rig = replace(rig, geometry=find_faults(rig.rays, rig.poses, tuple(mirrored)))
    disagreement = [] if rig.findings else _disagreement(rig.geometry, mirrored)
    gain = _gains(names, samples, matcher)
    findings = (
        *rig.findings, *disagreement, *_mirror_findings(mirrored), *_camera_findings(rig.geometry, names),
        *_unmatched(rig.geometry, mirrored), *_exposure_findings(gain),
    )  # fmt: skip
    kept = {
        name: Pose(rig.poses.rotations[index], rig.poses.centres[index])
        for index, name in enumerate(names)
        if name not in rig.geometry.faults and name not in mirrored and not disagreement
    }
    places = {pair: matches.matched(pair) for pair in matches.pairs}
    pairs = pair_statistics(lenses, stated, places, float(rays.limit.max()))
    solution = solution_of(names, lenses, stated, matches)
    return PointFindings(
        findings, kept, rig.geometry, tuple(pairs), _medians(rays, poses), predicted_medians(solution), gain,
        solution, matches,
    )  # fmt: skip


def _corrected(rays: MatchedRays, poses: RigPoses, layout: str) -> _Rig:
    """What is wrong with all cameras alike, and the rig without it."""
    convention = find_convention(rays, poses, layout)
    if convention is not None:
        found = Finding("convention", (), str(convention), "fatal")
        poses = convention.reading.poses
        return _Rig(rays, poses, find_faults(rays, poses), (found,))
    geometry = find_faults(rays, poses)
    few = len(geometry.faults) < _FEW_FAULTS * len(rays.names)
    faulty = [rays.names.index(name) for name in geometry.faults] if few else []
    scale = common_focal_scale(rays.of(~rays.of_cameras(faulty)), poses)
    if scale is None:
        return _Rig(rays, poses, geometry, ())
    scaled = _scaled(rays, scale)
    corrected = find_faults(scaled, poses)
    if not few and len(corrected.faults) >= len(geometry.faults) / 2:  # it is not what is wrong with them
        return _Rig(rays, poses, geometry, ())
    message = (
        f"the focal length of all cameras is about {abs(1 - 1 / scale):.0%} too "
        f"{'short' if scale > 1 else 'long'}: matched points fit {scale:.2f} times the stated one"
    )
    return _Rig(scaled, poses, corrected, (Finding("focal length", (), message, "fatal"),))


def _scaled(rays: MatchedRays, scale: float) -> MatchedRays:
    """The rays of lenses with other focal lengths."""
    factor = np.array([1 / scale, 1 / scale, 1.0])
    return replace(rays, first=rays.first * factor, second=rays.second * factor, focal=rays.focal * scale)


def _mirrored(rig: _Rig, matcher: Matcher) -> dict[str, tuple[int, int]]:
    """Cameras whose mirrored pictures match the others: matches as they are, and mirrored."""
    counts, faults = rig.geometry.counts, rig.geometry.faults
    usual = float(np.median(list(counts.values())))
    suspects = [
        name for name in counts
        if counts[name] < _FEW * usual or (name in faults and faults[name].fault == "contradicts")
    ]  # fmt: skip
    sound = [name for name in counts if name not in suspects and name not in faults]
    found = {}
    for name in suspects:
        centre = rig.poses.centres[rig.rays.names.index(name)]
        distances = np.linalg.norm(rig.poses.centres - centre, axis=1)
        partners = sorted(sound, key=lambda other: float(distances[rig.rays.names.index(other)]))[:_PARTNERS]
        before, after = matcher.mirrored(name, partners)
        if after >= max(LEAST_MATCHES, _MIRRORED * before):
            found[name] = before, after
    return found


def _mirror_findings(mirrored: Mapping[str, tuple[int, int]]) -> list[Finding]:
    return [
        Finding(
            "mirrored", (name,),
            f"{name}: its pictures are mirrored ({after} matched points when mirrored back, {before} as they "
            "are)",
        )
        for name, (before, after) in mirrored.items()
    ]  # fmt: skip


def _camera_findings(geometry: Geometry, names: Sequence[str]) -> list[Finding]:
    """One finding per camera, and one for two cameras that have each other's pose."""
    findings, faults = [], geometry.faults
    for name in (name for name in names if name in faults):
        other = faults[name].other
        if other in faults and faults[other].other == name:
            if names.index(name) < names.index(other):
                findings.append(
                    Finding("swapped", (name, other), f"{name} and {other}: their poses are swapped")
                )
        else:
            findings.append(Finding("pose", (name,), _described(faults[name])))
    return findings


def _described(fault: CameraFault) -> str:
    explained = f"(explains {fault.better:.0%} of its matched points, the stated one {fault.share:.0%})"
    if fault.fault == "pose of another":
        return f"{fault.camera}: its pictures fit the pose of {fault.other} {explained}"
    if fault.fault == "turned":
        return f"{fault.camera}: its pose is turned by {fault.amount:.3g} degrees {explained}"
    if fault.fault == "focal length":
        return f"{fault.camera}: its focal length fits as {fault.amount:.2f} times the stated one {explained}"
    return (
        f"{fault.camera}: its pose contradicts the other cameras (explains {fault.share:.0%} of its matched "
        f"points, theirs {fault.better:.0%})"
    )


def _disagreement(geometry: Geometry, mirrored: Mapping[str, object]) -> list[Finding]:
    """One fatal finding when poses explain hardly any match, whatever the convention."""
    seen = [name for name, count in geometry.counts.items() if count and name not in mirrored]
    total = sum(geometry.counts[name] for name in seen)
    good = sum(geometry.shares[name] * geometry.counts[name] for name in seen)
    if not total or good >= _LEAST_AGREEMENT * total:
        return []
    message = (
        f"poses and pictures do not agree: the poses explain {good / total:.0%} of matched points, and in no "
        "other convention clearly more"
    )
    return [Finding("poses", (), message, "fatal")]


def _unmatched(geometry: Geometry, mirrored: Mapping[str, object]) -> list[Finding]:
    """Cameras with too few matches to say anything."""
    lonely = [name for name in geometry.unchecked if name not in mirrored]
    if len(lonely) > len(geometry.counts) // 2:
        return [Finding("no matches", (), "too few matched points to compare poses with pictures")]
    return [
        Finding(
            "no matches", (name,), f"{name}: too few matched points with the others to check its pose"
        )
        for name in lonely
    ]  # fmt: skip


def _medians(rays: MatchedRays, poses: RigPoses) -> dict[str, float]:
    """The median residual of each camera's matches in pixels."""
    errors = residuals(rays, poses)
    mine = [rays.of_cameras([index]) for index in range(len(rays.names))]
    return {name: float(np.median(errors[of])) for name, of in zip(rays.names, mine, strict=True) if of.any()}


def _gains(names: Sequence[str], samples: Samples, matcher: Matcher) -> dict[str, float]:
    pictures = {
        name: np.load(samples.stills[name].stills[samples.times[0]], allow_pickle=False) for name in names
    }
    return gains(names, pictures, {name: samples.stills[name].scale for name in names}, matcher.matches)


def _exposure_findings(found: Mapping[str, float]) -> list[Finding]:
    return [
        Finding(
            "exposure", (name,),
            f"{name}: is {abs(gain - 1):.0%} {'brighter' if gain > 1 else 'darker'} than the others",
        )
        for name, gain in found.items()
        if not 1 / DIFFERENT < gain < DIFFERENT
    ]  # fmt: skip
