"""The result of a calibration, and the files that state it: capture.json, its points, and exports."""

import importlib.metadata
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dynerf_encoder.captures.folder import CAMERA, POSES
from dynerf_encoder.captures.layouts.capture_json import relative_to, write_capture_json
from dynerf_encoder.captures.layouts.convert import convert
from dynerf_encoder.captures.layouts.nerfstudio import FILE as TRANSFORMS
from dynerf_encoder.captures.opening import open_capture
from dynerf_encoder.captures.picture_source import PictureSequence
from dynerf_encoder.captures.point_file import ScenePoints, write_points
from dynerf_encoder.captures.recording import RecordedCamera, Recording, SourceState, checked_recording
from dynerf_format.errors import CaptureError, ConfigError, OutputError
from dynerf_format.io.atomic_write import check_writable
from dynerf_format.version import __version__

from .colmap.problem import Solution
from .footage import Footage, FootageSet
from .near_far import good_points, near_far
from .options import CalibrationOptions
from .rig import RigSolution
from .synchronise import Synchronisation
from .verdict import CameraQuality, Verdict

_GREY = 160  # of points: no colours are kept


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that a calibration found. ``solution`` is in the world of ``gauge``; ``rig`` as it was solved."""

    options: CalibrationOptions
    footage: FootageSet
    times: tuple[int, ...]
    solution: Solution
    rig: RigSolution
    sync: Synchronisation
    qualities: dict[str, CameraQuality]
    verdict: Verdict

    @property
    def report(self) -> Path:
        """The path of the report."""
        return self.options.output.with_name(f"{self.options.output.stem}_report.html")

    @property
    def missing(self) -> tuple[str, ...]:
        """Cameras without a pose."""
        names = (*self.footage.names, *self.footage.dropped)
        return tuple(name for name in names if name not in self.solution.names)


def write_outcome(outcome: Outcome) -> None:
    """Write the points, then capture.json. Raises OutputError, CaptureError."""
    points = _points_file(outcome)
    good = outcome.solution.points[good_points(outcome.solution)]
    write_points(ScenePoints(good, np.full((len(good), 3), _GREY, np.uint8)), points)
    write_capture_json(recording_of(outcome, points), outcome.options.output)


def write_exports(outcome: Outcome) -> None:
    """Write the cameras in other layouts; capture.json is there. Raises OutputError, CaptureError."""
    output = outcome.options.output
    recording = recording_of(outcome, _points_file(outcome))
    for layout in outcome.options.export:
        try:
            convert(recording, open_capture(recording), layout, output.parent)
        except CaptureError as error:
            raise CaptureError(f"{output} is written; --export {layout} is not: {error}") from error


def _points_file(outcome: Outcome) -> Path:
    output = outcome.options.output
    return output.with_name(f"{output.stem}_points.ply")


def check_output(options: CalibrationOptions) -> None:
    """Raise when the file cannot be written (OutputError) or not name the videos (CaptureError)."""
    check_writable(options.output)
    relative_to(options.folder, options.output.parent)


def check_cameras(options: CalibrationOptions, footage: FootageSet) -> None:
    """ConfigError when a camera of ``--scale`` is not there, or LLFF's names are not those of the videos."""
    if options.scale is not None:
        unknown = [name for name in options.scale.cameras if name not in footage.names]
        if unknown:
            raise ConfigError(f"--scale: found {unknown[0]}, expected two of {', '.join(footage.names)}")
    others = [camera.path for camera in footage.cameras if CAMERA.fullmatch(camera.path.stem) is None]
    if "llff" in options.export and others:
        raise ConfigError(f"--export llff: found {others[0].name}, expected camNN.mp4, as LLFF names videos")


def check_exports(options: CalibrationOptions) -> None:
    """Raise when the file of an export exists (poses of others are not replaced) or cannot state the lens."""
    files = {"llff": POSES, "nerfstudio": TRANSFORMS}
    for layout in options.export:
        path = options.output.with_name(files[layout])
        if path.exists():
            raise OutputError(f"{path}: exists, expected no such file for --export {layout}; move it away")
    if "llff" in options.export and options.lens != "pinhole":
        raise ConfigError(
            f"--export llff with --lens {options.lens}: LLFF states no distortion; expected "
            "--lens pinhole, or --export nerfstudio"
        )


def recording_of(outcome: Outcome, points: Path | None) -> Recording:
    """The capture as ``captures`` represents it."""
    depths = near_far(outcome.solution)
    by_name = {camera.name: camera for camera in outcome.footage.cameras}
    cameras = tuple(
        _camera(outcome, by_name[name], index, depths[index])
        for index, name in enumerate(outcome.solution.names)
    )
    timed = any(offset.frames is not None for offset in outcome.sync.offsets.values())
    pictures = any(isinstance(camera.source, PictureSequence) for camera in outcome.footage.cameras)
    return checked_recording(
        Recording(
            outcome.options.output, "capture", cameras,
            fps=outcome.footage.fps if pictures else None,
            timed_by_offsets=timed,
            up=np.array([0.0, 1.0, 0.0]),
            points=points,
            unit=None if outcome.options.scale is None else "metre",
            made=_made(outcome),
            quality=_quality(outcome),
        )
    )  # fmt: skip


def _camera(outcome: Outcome, footage: Footage, index: int, depths: tuple[float, float]) -> RecordedCamera:
    offset = outcome.sync.offsets.get(footage.name)
    return RecordedCamera(
        footage.name, footage.path, outcome.solution.lenses[index],
        outcome.solution.poses[index].camera_to_world, depths[0], depths[1],
        offset=Fraction(0) if offset is None else offset.exact,
        state=SourceState(footage.source.size()),
        quality=_camera_quality(outcome, footage.name),
    )  # fmt: skip


def _made(outcome: Outcome) -> dict[str, object]:
    options = outcome.options
    return {
        "by": f"dynerf calibrate {__version__}",
        "pycolmap": importlib.metadata.version("pycolmap"),
        "frames": list(outcome.times),
        "lens": options.lens,
        "focal": options.focal,
        "same_lens": options.same_lens,
        "sync": options.sync,
        "seed": options.seed,
        "mapper": outcome.rig.mapper,
    }


def _quality(outcome: Outcome) -> dict[str, object]:
    agreement = outcome.rig.agreement
    return {
        "verdict": outcome.verdict.grade,
        "reasons": list(outcome.verdict.reasons),
        "solutions": agreement.solutions,
        "solutions_that_agree": agreement.aligned,
        "cameras_without_pose": list(outcome.missing),
        "dropped": dict(outcome.footage.dropped),
        "reprojection_px": _rounded(float(np.median(outcome.solution.reprojection()))),
    }


def _camera_quality(outcome: Outcome, name: str) -> dict[str, object]:
    found, offset = outcome.qualities[name], outcome.sync.offsets.get(name)
    record: dict[str, object] = {
        "doubtful": found.doubtful,
        "observations": found.observations,
        "reprojection_px": _rounded(found.reprojection),
        "predicted_by_others_px": _rounded(found.predicted),
        "explained": _rounded(found.explained),
        "confirmed_by": found.confirmed,
        "largest_difference_degrees": _rounded(found.degrees),
    }
    if offset is not None:
        record |= {
            "offset_by": offset.method,
            "offset_confidence": offset.confidence,
            "offset_clearness": _rounded(offset.clearness),
            "offset_fraction": _rounded(offset.fraction),
        }
    return record


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
