"""Findings from matched points: convention, focal length, single cameras, exposure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dynerf_encoder.calibration.pairs.epipolar import PairStatistic, Pose, pair_statistics
from dynerf_encoder.calibration.pairs.votes import PooledMatches
from dynerf_encoder.captures.capture import Capture

from .conventions import find_convention
from .exposure import DIFFERENT, gains
from .geometry import CameraFault, Geometry, common_focal_scale, find_faults
from .matched_rays import MatchedRays, RigPoses, matched_rays, residuals
from .samples import Samples
from .signs.findings import Finding

_LEAST_AGREEMENT = 0.3  # of all matches: below it pictures and poses have nothing in common
_LEAST_MATCHES = 30  # of a camera
_SPREAD = 0.7  # of all cameras: this many with a fault are a fault of all


@dataclass(frozen=True, eq=False)
class PointFindings:
    """``poses`` are those of cameras without a fault, in the convention that was found.

    ``pairs`` are statistics with the poses as stated; ``gains`` brightness against the others.
    """

    findings: tuple[Finding, ...]
    poses: Mapping[str, Pose]
    geometry: Geometry
    pairs: tuple[PairStatistic, ...]
    residuals: Mapping[str, float]
    gains: Mapping[str, float]
    matches: PooledMatches


def examine(
    capture: Capture,
    layout: str,
    names: Sequence[str],
    samples: Samples,
    matches: PooledMatches,
    mirrored: Mapping[str, tuple[int, int]],
) -> PointFindings:
    """All tests on matched points of the cameras ``names``."""
    lenses = {name: capture.view(name).lens for name in names}
    stated = {name: Pose.of_camera_to_world(capture.view(name).camera.camera_to_world) for name in names}
    rays = matched_rays(names, lenses, matches)
    stated_poses = poses = RigPoses.of([stated[name] for name in names])
    findings = [
        Finding("mirrored", (name,), f"{name}: its pictures are mirrored ({after} matched points when mirrored back, {before} as they are)")
        for name, (before, after) in mirrored.items()
    ]
    used = rays.of(~np.isin(rays.cameras, [names.index(name) for name in mirrored]).any(axis=1))
    whole, poses, scale = _whole_rig(used, poses, layout)
    findings += whole
    scaled = _scaled(rays, scale)
    geometry = find_faults(scaled, poses, tuple(mirrored))
    findings += _camera_findings(geometry, names, mirrored, whole_is_wrong=any(f.severity == "fatal" for f in whole))
    gain = _gains(names, samples, matches)
    findings += _exposure_findings(gain)
    wrong = {*geometry.faults, *mirrored}
    unsure = any(finding.kind == "poses" for finding in findings)
    kept = {
        name: Pose(poses.rotations[index], poses.centres[index])
        for index, name in enumerate(names)
        if name not in wrong and not unsure
    }
    pairs = pair_statistics(lenses, stated, {pair: matches.matched(pair) for pair in matches.pairs}, float(rays.limit.max()))
    return PointFindings(tuple(findings), kept, geometry, tuple(pairs), _medians(rays, stated_poses), gain, matches)


def _medians(rays: MatchedRays, poses: RigPoses) -> dict[str, float]:
    """The median residual of each camera's matches in pixels."""
    errors, cameras = residuals(rays, poses), rays.cameras
    mine = [(cameras == index).any(axis=1) for index in range(len(rays.names))]
    return {name: float(np.median(errors[of])) for name, of in zip(rays.names, mine, strict=True) if of.any()}


def _whole_rig(
    rays: MatchedRays, poses: RigPoses, layout: str
) -> tuple[list[Finding], RigPoses, float]:
    """What is wrong with all cameras alike; the poses and the factor of the focal lengths that are right."""
    if len(rays.pair) < _LEAST_MATCHES:
        return [], poses, 1.0
    convention = find_convention(rays, poses, layout)
    if convention is not None:
        return [Finding("convention", (), str(convention), "fatal")], convention.reading.poses, 1.0
    scale = common_focal_scale(rays, poses)
    if scale is not None:
        message = (
            f"the focal length of all cameras is about {abs(1 - 1 / scale):.0%} too "
            f"{'short' if scale > 1 else 'long'}: matched points fit {scale:.2f} times the stated one"
        )
        return [Finding("focal length", (), message, "fatal")], poses, scale
    return [], poses, 1.0


def _scaled(rays: MatchedRays, scale: float) -> MatchedRays:
    factor = np.array([1 / scale, 1 / scale, 1.0])
    return MatchedRays(
        rays.names, rays.pairs, rays.pair, rays.first * factor, rays.second * factor, rays.focal * scale,
        rays.limit,
    )  # fmt: skip


def _camera_findings(
    geometry: Geometry, names: Sequence[str], mirrored: Mapping[str, object], *, whole_is_wrong: bool
) -> list[Finding]:
    findings = []
    faults = geometry.faults
    for name, fault in faults.items():
        back = faults.get(fault.other)
        if fault.fault == "pose of another" and back is not None and back.other == name:
            if names.index(name) < names.index(fault.other):
                findings.append(
                    Finding("swapped", (name, fault.other), f"{name} and {fault.other}: their poses are swapped")
                )
            continue
        findings.append(Finding("pose", (name,), _described(fault)))
    total = sum(count for name, count in geometry.counts.items() if name not in mirrored)
    shares = [
        geometry.shares[name] * geometry.counts[name] for name in names if geometry.counts[name] and name not in mirrored
    ]
    if total and not whole_is_wrong and sum(shares) < _LEAST_AGREEMENT * total:
        findings.insert(
            0,
            Finding(
                "poses", (),
                f"poses and pictures do not agree: the poses explain {sum(shares) / total:.0%} of matched points, "
                "in no convention more",
                "fatal",
            ),
        )  # fmt: skip
    lonely = [
        name for name, count in geometry.counts.items() if count < _LEAST_MATCHES and name not in mirrored
    ]
    if total == 0 or len(lonely) > len(names) // 2:
        findings.append(
            Finding("no matches", (), "too few matched points to compare poses with pictures", "note")
        )
    else:
        findings += [
            Finding("no matches", (name,), f"{name}: shares few matched points with the others, its pose was not checked", "note")
            for name in lonely
        ]
    return findings


def _described(fault: CameraFault) -> str:
    explained = f"(explains {fault.better:.0%} of its matched points, the stated one {fault.share:.0%})"
    if fault.fault == "pose of another":
        return f"{fault.camera}: its pictures fit the pose of {fault.other} {explained}"
    if fault.fault == "turned":
        return f"{fault.camera}: its pose is turned by {fault.amount:.3g} degrees {explained}"
    if fault.fault == "focal length":
        return f"{fault.camera}: its focal length should be {fault.amount:.2f} times the stated one {explained}"
    return (
        f"{fault.camera}: its pose contradicts the other cameras (explains {fault.share:.0%} of its matched "
        f"points, theirs {fault.better:.0%})"
    )


def _gains(names: Sequence[str], samples: Samples, matches: PooledMatches) -> dict[str, float]:
    pictures = {
        name: np.load(samples.stills[name].stills[samples.times[0]], allow_pickle=False) for name in names
    }
    return gains(names, pictures, {name: samples.stills[name].scale for name in names}, matches)


def _exposure_findings(found: Mapping[str, float]) -> list[Finding]:
    return [
        Finding(
            "exposure", (name,),
            f"{name}: is {abs(gain - 1):.0%} {'brighter' if gain > 1 else 'darker'} than the others",
        )
        for name, gain in found.items()
        if not 1 / DIFFERENT < gain < DIFFERENT
    ]  # fmt: skip
