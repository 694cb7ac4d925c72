"""Checks a capture: reads a few of its pictures, runs all tests, and grades it.

Tests that find the cause come first, and what they found is left out of those that follow: a black camera has
no matches, and poses in another convention are corrected before single cameras are looked at.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dynerf_encoder.calibration.colmap.run_children import installed
from dynerf_encoder.calibration.correspondences import default_threads
from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.captures.capture import Capture
from dynerf_encoder.captures.layouts.detect import read_recording
from dynerf_encoder.captures.opening import open_capture
from dynerf_encoder.captures.reading import READ_AS_FOUND, Reading
from dynerf_format.frame_range import FrameRange

from .grading import verdict_of
from .matched_rays import RigPoses
from .matcher import Matcher
from .motion_convention import convention_by_motion
from .pictures import MOST_FRAMES, Samples, read_samples
from .points import PointFindings, examine
from .report import write_report
from .result import CheckResult
from .sharpness import blurred, sharpness
from .signs.faults import picture_findings
from .signs.findings import Finding, cameras_of
from .signs.steps import LEAST_FRAMES, Step, step_findings, steps

_ALL = FrameRange()
TIMES = 2  # instants whose pictures are matched
INSTALL = "pip install 'dynerf[calibrate]'"
_MOVED = ("convention", "pose", "no matches", "mirrored", "duplicate", "black", "unreadable")

Progress = Callable[[str, int, int], None]
"""Receives a stage's name, the units done and their total."""


@dataclass(frozen=True)
class CheckOptions:
    """What to check: a capture and how it is read, and the frames that are looked at."""

    capture: Path
    reading: Reading = READ_AS_FOUND
    frames: FrameRange = _ALL
    threads: int = 0  # processes at once; 0: one per core
    report: Path | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known without the poses: pictures, what is wrong with them, and matched points.

    ``usable`` are the cameras that were matched; ``matcher`` is None where that was skipped.
    """

    frames: range
    samples: Samples
    findings: tuple[Finding, ...]
    usable: tuple[str, ...]
    matcher: Matcher | None


def check(options: CheckOptions, progress: Progress) -> CheckResult:
    """Check a capture. Raises DynerfError when it cannot be read at all."""
    recording = read_recording(options.capture, options.reading.layout)
    limits = options.frames if options.frames != _ALL else None
    capture = open_capture(recording, limits, options.reading)
    with TemporaryDirectory(prefix="dynerf-check-") as folder:
        evidence = gather(options, capture, Path(folder), progress)
        result = compare(recording.layout, capture, evidence, progress)
        if options.report is not None:
            write_report(result, evidence.samples.stills, options.report)
        return result


def gather(options: CheckOptions, capture: Capture, folder: Path, progress: Progress) -> Evidence:
    """Read pictures and match points; large pictures stay in ``folder`` for ``compare``."""
    folder.mkdir(exist_ok=True)
    frames = options.frames.within(capture.frames, str(options.capture))[:MOST_FRAMES]
    times = tuple(sorted({frames[round(x)] for x in np.linspace(0, len(frames) - 1, TIMES + 2)[1:-1]}))
    samples = read_samples(
        capture, frames, times, folder, lambda done, total: progress("pictures", done, total)
    )
    findings = [Finding("unreadable", (name,), f"{name}: {why}") for name, why in samples.unreadable.items()]
    findings += picture_findings(samples.small)
    faulty = cameras_of(findings, "black", "duplicate", "frozen")
    usable = tuple(name for name in samples.small if name not in faulty)
    if not installed() or len(usable) < 2:
        return Evidence(frames, samples, tuple(findings), usable, None)
    matcher = Matcher(
        capture, {name: samples.stills[name] for name in usable}, folder / "matching",
        options.threads or default_threads(), lambda done, total: progress("matched points", done, total),
    )  # fmt: skip
    return Evidence(frames, samples, tuple(findings), usable, matcher)


def compare(layout: str, capture: Capture, evidence: Evidence, progress: Progress) -> CheckResult:
    """Compare what was gathered with the poses and lenses of a capture, which has the same pictures."""
    samples = evidence.samples
    findings = [Finding("note", (), note, "note") for note in capture.notes]
    findings += evidence.findings
    sharp = _sharpness(samples)
    for name, share in blurred(sharp).items():
        findings.append(
            Finding("blurred", (name,), f"{name}: is blurred, its contrast is {share:.0%} of the others'")
        )
    skipped, points = [], None
    if evidence.matcher is not None:
        points = examine(capture, layout, evidence.usable, samples, evidence.matcher)
        findings += points.findings
    elif not installed():
        skipped.append(f"matched points (single poses, lenses, mirroring, exposure): needs {INSTALL}")
        findings += _convention(layout, capture, evidence)
    found = _steps(capture, samples, findings, points, progress)
    findings += step_findings(found)
    if all(step.late is None for step in found.values()):
        skipped.append(_unsynchronised(samples))
    return CheckResult(
        capture.root, layout, capture.names, evidence.frames, tuple(findings),
        verdict_of(capture.names, findings), points, found, sharp, tuple(skipped),
    )  # fmt: skip


def _convention(layout: str, capture: Capture, evidence: Evidence) -> list[Finding]:
    """The convention as far as motion shows it, where points are not matched."""
    names = evidence.usable
    lenses = {name: capture.view(name).lens for name in names}
    poses = [Pose.of_camera_to_world(capture.view(name).camera.camera_to_world) for name in names]
    if not poses:
        return []
    return convention_by_motion(names, evidence.samples.small, lenses, RigPoses.of(poses), layout)


def _sharpness(samples: Samples) -> dict[str, float]:
    return {
        name: sharpness(np.load(files.stills[samples.times[0]], allow_pickle=False))
        for name, files in samples.stills.items()
    }


def _steps(
    capture: Capture,
    samples: Samples,
    findings: list[Finding],
    points: PointFindings | None,
    progress: Progress,
) -> dict[str, Step]:
    """Synchronisation of the cameras whose poses can be relied on, or were corrected."""
    faulty = set(cameras_of(findings, *_MOVED, "frozen"))
    corrected = {} if points is None else points.poses
    names = [name for name in samples.small if name in corrected or name not in faulty]
    poses = {
        name: corrected.get(name) or Pose.of_camera_to_world(capture.view(name).camera.camera_to_world)
        for name in names
    }
    progress("synchronisation", 0, 1)
    lenses = {name: capture.view(name).lens for name in names}
    found = steps({name: samples.small[name] for name in names}, lenses, poses) if names else {}
    progress("synchronisation", 1, 1)
    return found


def _unsynchronised(samples: Samples) -> str:
    frames = min((len(found) for found in samples.small.values()), default=0)
    if frames < LEAST_FRAMES:
        return f"synchronisation: {frames} frames, needs {LEAST_FRAMES}"
    return "synchronisation: too little motion that several cameras see"
