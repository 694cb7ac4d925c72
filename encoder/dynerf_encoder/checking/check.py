"""Checks a capture: reads a few of its pictures, runs all tests, and grades it.

Tests that find the cause come first, and what they found is left out of those that follow: a black camera has
no matches, and poses in another convention are corrected before single cameras are looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dynerf_encoder.calibration.colmap.run_children import installed
from dynerf_encoder.calibration.correspondences import default_threads
from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.calibration.pairs.votes import PooledMatches
from dynerf_encoder.captures.capture import Capture
from dynerf_encoder.captures.layouts.detect import read_recording
from dynerf_encoder.captures.opening import open_capture
from dynerf_encoder.captures.reading import READ_AS_FOUND, Reading
from dynerf_format.frame_range import FrameRange

from .matching import Matcher
from .points import PointFindings, examine
from .samples import MOST_FRAMES, Samples, read_samples
from .sharpness import blurred, sharpness
from .signs.faults import picture_findings
from .signs.findings import Finding, cameras_of
from .signs.steps import LEAST_FRAMES, Step, step_findings, steps
from .verdict import Verdict, verdict

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
    frames: FrameRange = FrameRange()
    threads: int = 0  # processes at once; 0: one per core
    report: Path | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known without the poses: pictures, what is wrong with them, and matched points.

    ``usable`` are the cameras that were matched; ``matches`` is None where that was skipped.
    """

    frames: range
    samples: Samples
    findings: tuple[Finding, ...]
    usable: tuple[str, ...]
    matches: PooledMatches | None
    mirrored: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, eq=False)
class CheckResult:
    """All findings and the figures per camera. ``points`` is None where matching was skipped."""

    options: CheckOptions
    layout: str
    names: tuple[str, ...]
    frames: range
    findings: tuple[Finding, ...]
    verdict: Verdict
    points: PointFindings | None
    steps: Mapping[str, Step]
    sharpness: Mapping[str, float]
    skipped: tuple[str, ...]


def check(options: CheckOptions, progress: Progress) -> CheckResult:
    """Check a capture. Raises DynerfError when it cannot be read at all."""
    recording = read_recording(options.capture, options.reading.layout)
    limits = options.frames if options.frames != FrameRange() else None
    capture = open_capture(recording, limits, options.reading)
    with TemporaryDirectory(prefix="dynerf-check-") as folder:
        evidence = gather(options, capture, Path(folder), progress)
        return judge(options, recording.layout, capture, evidence, progress)


def gather(options: CheckOptions, capture: Capture, folder: Path, progress: Progress) -> Evidence:
    """Read pictures and match points; large pictures are in ``folder``, which is to be kept for ``judge``."""
    folder.mkdir(exist_ok=True)
    frames = options.frames.within(capture.frames, str(options.capture))[:MOST_FRAMES]
    times = tuple(sorted({frames[round(x)] for x in np.linspace(0, len(frames) - 1, TIMES + 2)[1:-1]}))
    samples = read_samples(
        capture, frames, times, folder, lambda done, total: progress("pictures", done, total)
    )
    findings = [
        Finding("unreadable", (name,), f"{name}: {why}") for name, why in samples.unreadable.items()
    ]
    findings += picture_findings(samples.small)
    faulty = cameras_of(findings, "black", "duplicate", "frozen")
    usable = tuple(name for name in samples.small if name not in faulty)
    if not installed() or len(usable) < 2:
        return Evidence(frames, samples, tuple(findings), usable, None, {})
    matcher = Matcher(
        capture, {name: samples.stills[name] for name in usable}, folder / "matching",
        options.threads or default_threads(), lambda done, total: progress("matched points", done, total),
    )  # fmt: skip
    matches = matcher.matches()
    return Evidence(frames, samples, tuple(findings), usable, matches, matcher.mirrored(matches))


def judge(
    options: CheckOptions, layout: str, capture: Capture, evidence: Evidence, progress: Progress
) -> CheckResult:
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
    if evidence.matches is not None:
        points = examine(capture, layout, evidence.usable, samples, evidence.matches, evidence.mirrored)
        findings += points.findings
    elif not installed():
        skipped.append(f"matched points (poses, lenses, mirrored pictures, exposure): needs {INSTALL}")
    found = _steps(capture, samples, findings, points, progress)
    findings += step_findings(found)
    if all(step.late is None for step in found.values()):
        skipped.append(_unsynchronised(samples))
    return CheckResult(
        options, layout, capture.names, evidence.frames, tuple(findings), verdict(capture.names, findings),
        points, found, sharp, tuple(skipped),
    )  # fmt: skip


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
