"""Checks a capture: reads a few of its pictures, runs all tests, and grades it.

Tests that find the cause come first, and what they found is left out of those that follow: a black camera has
no matches, and poses in another convention are corrected before single cameras are examined.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dynerf_encoder.calibration.colmap.run_children import installed
from dynerf_encoder.calibration.correspondences import default_threads
from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.capture_faults.finding import Finding, cameras_of
from dynerf_encoder.capture_faults.picture_faults import picture_findings
from dynerf_encoder.captures.capture import Capture
from dynerf_encoder.captures.layouts.detect import read_recording
from dynerf_encoder.captures.opening import open_capture
from dynerf_encoder.captures.reading import READ_AS_FOUND, Reading
from dynerf_format.frame_range import FrameRange
from dynerf_format.io.atomic_write import check_writable

from .grading import verdict_of
from .matched_rays import RigPoses
from .matcher import Matcher
from .motion_convention import convention_by_motion
from .pictures import MOST_FRAMES, Samples, read_samples
from .points import examine
from .quick.frame_offsets import LEAST_FRAMES, frame_offsets, offset_findings
from .report import write_report
from .result import CheckResult
from .sharpness import blurred, sharpness

_ALL = FrameRange()
TIMES = 2  # instants whose pictures are matched
INSTALL = "pip install 'dynerf[calibrate]'"

Progress = Callable[[str, int, int], None]
"""Receives a stage's name, the units done and their total."""


@dataclass(frozen=True)
class CheckOptions:
    """What to check: a capture and how it is read, and the frames that are examined."""

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
    if options.report is not None:
        check_writable(options.report)
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
    faulty = cameras_of(findings, "black", "duplicate")
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
    skipped: list[str] = []
    points, poses = None, {name: _stated(capture, name) for name in evidence.usable}
    if evidence.matcher is not None:
        points = examine(capture, layout, evidence.usable, samples, evidence.matcher)
        findings += points.findings
        poses = dict(points.poses)
    elif not installed():
        skipped.append(f"matched points (single poses, lenses, mirroring, exposure): needs {INSTALL}")
        if convention := _convention(layout, capture, evidence):
            findings += convention
            poses = {}
    late = _late(capture, samples, poses, progress)
    findings += offset_findings(late)
    if all(frames is None for frames in late.values()):
        skipped.append(_unsynchronised(evidence.frames, poses))
    return CheckResult(
        capture.root, layout, capture.names, evidence.frames, tuple(findings),
        verdict_of(capture.names, findings), points, late, sharp, tuple(skipped),
    )  # fmt: skip


def _convention(layout: str, capture: Capture, evidence: Evidence) -> list[Finding]:
    """The convention as far as motion shows it, where points are not matched."""
    names = evidence.usable
    lenses = {name: capture.view(name).lens for name in names}
    if not names:
        return []
    poses = RigPoses.of([_stated(capture, name) for name in names])
    return convention_by_motion(names, evidence.samples.small, lenses, poses, layout)


def _stated(capture: Capture, name: str) -> Pose:
    return Pose.of_camera_to_world(capture.view(name).camera.camera_to_world)


def _sharpness(samples: Samples) -> dict[str, float]:
    return {
        name: sharpness(np.load(files.stills[samples.times[0]], allow_pickle=False))
        for name, files in samples.stills.items()
    }


def _late(
    capture: Capture, samples: Samples, poses: Mapping[str, Pose], progress: Progress
) -> dict[str, int | None]:
    """How late the cameras are whose poses can be relied on."""
    progress("synchronisation", 0, 1)
    lenses = {name: capture.view(name).lens for name in poses}
    found = frame_offsets({name: samples.small[name] for name in poses}, lenses, poses)
    progress("synchronisation", 1, 1)
    return found


def _unsynchronised(frames: range, poses: Mapping[str, Pose]) -> str:
    """Why no camera's time is known."""
    if len(poses) < 2:
        return "synchronisation: needs right poses"
    if len(frames) < LEAST_FRAMES:
        return f"synchronisation: {len(frames)} frames, needs {LEAST_FRAMES}"
    return "synchronisation: too little motion that several cameras see"
