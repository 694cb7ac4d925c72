"""Encode a capture of any length: one model per segment, trained separately and joined at the end.

The work folder holds ``segments/plan.json``, the identity of the job, and ``segments/00003.dnv`` for every
finished segment. A segment in progress has its own work folder beside these, which is removed when its file
is complete: memory and disk use depend on the length of a segment and the number of workers, not on the
length of the clip. When the clip is written, the folder is removed.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

import torch

from dynerf_encoder.captures.capture import Capture
from dynerf_encoder.captures.layouts.read_capture import read_capture
from dynerf_encoder.captures.picture_source import SourceDigest
from dynerf_encoder.export.tensors import plain_config
from dynerf_encoder.ingest.conversion import Conversion
from dynerf_encoder.training.checkpoint import check_same_job
from dynerf_format import FileSource, Reader, atomic_path, check_writable, join_clips
from dynerf_format.errors import ConfigError, DynerfError, FormatError, OutputError, ResumeError
from dynerf_format.frame_range import FrameRange

from .encode_segment import encode_segment
from .folder_lock import folder_lock
from .job import EncodeResult, Job, Watcher, check_job, work_folder
from .scheduler import Done, ProgressEvent, Runner, Running, SerialRunner, Task, WorkerLost
from .segments import PlannedSegment, SegmentLength, plan_segments

DEFAULT_SEGMENT = SegmentLength(Fraction(300), "f")  # DyNeRF: one model for 10 s at 30 frames per second
DEFAULT_OVERLAP = 2
_PROGRESS_UNITS = 1000  # per segment
_MAX_PLAN_BYTES = 2**24


@dataclass(frozen=True)
class WarmStart:
    """Start every segment except each ``key``-th from its predecessor, with ``share`` of the steps."""

    share: float = 0.5
    key: int = 6


@dataclass(frozen=True)
class Segmentation:
    """How a clip is cut into segments and how these depend on each other."""

    length: SegmentLength = DEFAULT_SEGMENT
    overlap: int = DEFAULT_OVERLAP
    warm: WarmStart | None = None


def encode(
    job: Job,
    watcher: Watcher,
    segmentation: Segmentation | None = None,
    runner: Runner | None = None,
    threads: int = 1,
) -> EncodeResult:
    """Encode a capture segment by segment; a clip of one segment is encoded by ``encode_segment``.

    ``threads`` are CPU threads per segment. Raises DynerfError for invalid input. After an error or
    KeyboardInterrupt the finished segments are kept, and the same job with ``resume`` encodes only the
    others.
    """
    check_writable(job.output)
    with folder_lock(work_folder(job)):
        return _encode(job, watcher, segmentation or Segmentation(), runner or SerialRunner(), threads)


def _encode(
    job: Job, watcher: Watcher, segmentation: Segmentation, runner: Runner, threads: int
) -> EncodeResult:
    check_job(job)
    _check_segmentation(segmentation)
    capture = read_capture(job.capture, job.frames, job.reading)
    frames = job.frames.within(capture.frames, str(job.capture))
    segments = plan_segments(frames, segmentation.length.frames(capture.fps), segmentation.overlap)
    if len(segments) == 1:
        return encode_segment(job, watcher)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            f"{len(segments)} segments under torchrun, which trains one model on several GPUs; expected one "
            "segment (--segment) or a worker per GPU (--workers, without torchrun)"
        )
    folder = work_folder(job) / "segments"
    if job.resume and job.output.exists() and not folder.exists():
        raise ResumeError(f"{job.output}: is finished, there is nothing to resume")
    videos = {view.name: view.source.digest() for view in capture.views}
    _prepare(folder, _identity(job, segmentation, segments, capture, videos, threads), job.resume)
    missing = [segment for segment in segments if not _is_finished(folder, segment)]
    for segment in missing:
        _segment_file(folder, segment.number).unlink(missing_ok=True)
    for note in capture.notes:
        watcher.message(note)
    _describe(segments, len(missing), segmentation, watcher)
    progress = _ClipProgress(segments, missing, watcher)
    runner.run(_tasks(job, segmentation, segments, missing, folder, videos, threads), progress.update)
    return _join(job, [_segment_file(folder, segment.number) for segment in segments], progress)


def _check_segmentation(segmentation: Segmentation) -> None:
    if segmentation.overlap < 0:
        raise ConfigError(f"--overlap {segmentation.overlap}: expected 0 frames or more")
    warm = segmentation.warm
    if warm is not None and not (0 < warm.share <= 1 and warm.key >= 1):
        raise ConfigError(
            f"--warm-start: {warm.share:g} of the steps and a key segment every {warm.key}, expected a share "
            "above 0 and at most 1, and a key segment every 1 or more"
        )


def _identity(
    job: Job,
    segmentation: Segmentation,
    segments: Sequence[PlannedSegment],
    capture: Capture,
    videos: Mapping[str, SourceDigest],
    threads: int,
) -> dict[str, object]:
    """What must be equal for finished segments to be joined with new ones."""
    views = {
        view.name: {
            "video": videos[view.name].sha256,
            "first": view.first,
            "pose": view.camera.camera_to_world.tolist(),
            "lens": [view.camera.focal_x, view.camera.focal_y, view.camera.centre_x, view.camera.centre_y],
            "distortion": Conversion(view.lens, view.camera).key,
            "bounds": [view.near, view.far],
        }
        for view in capture.views
    }
    return {
        "capture": views,
        "segments": [segment.shown.start for segment in segments] + [segments[-1].shown.stop],
        "overlap": segmentation.overlap,
        "warm_start": None if segmentation.warm is None else asdict(segmentation.warm),
        "configuration": plain_config(job.config),
        "hold_out": sorted(set(job.hold_out)),
        "downscale": job.downscale,
        "space": job.space,
        "seed": job.seed,
        "time_limit": job.time_limit,
        "device": torch.device(job.device).type,
        "threads": threads if torch.device(job.device).type == "cpu" else 0,
    }


def _prepare(folder: Path, identity: dict[str, object], resume: bool) -> None:
    """Create the folder; keep its contents only to resume the same job."""
    plan = folder / "plan.json"
    try:
        if resume and plan.exists():
            check_same_job(plan, _read_plan(plan), json.loads(json.dumps(identity)))
            return
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        with atomic_path(plan) as temporary:
            temporary.write_text(json.dumps(identity), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be used for the segments: {error.strerror}") from error


def _read_plan(plan: Path) -> dict[str, object]:
    try:
        if plan.stat().st_size > _MAX_PLAN_BYTES:
            raise ValueError(f"{plan.stat().st_size} bytes")
        found = json.loads(plan.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ResumeError(f"{plan}: is damaged ({error}); encode again without --resume") from error
    if not isinstance(found, dict):
        raise ResumeError(f"{plan}: is damaged; encode again without --resume")
    return found


def _segment_file(folder: Path, number: int) -> Path:
    return folder / f"{number:05}.dnv"


def _is_finished(folder: Path, segment: PlannedSegment) -> bool:
    """Whether a segment's file exists and is valid; a damaged one is encoded again."""
    path = _segment_file(folder, segment.number)
    if not path.exists():
        return False
    try:
        with FileSource(path) as source:
            reader = Reader(source)
            reader.verify()
            header = reader.header
    except FormatError:
        return False
    return (header.first_source_frame, header.frames) == (segment.shown.start, len(segment.shown))


def _describe(
    segments: Sequence[PlannedSegment], missing: int, segmentation: Segmentation, watcher: Watcher
) -> None:
    lengths = sorted({len(segment.shown) for segment in segments})
    watcher.message(
        f"{len(segments)} segments of {' to '.join(map(str, lengths[:1] + lengths[1:][-1:]))} frames, each "
        f"also trained on {segmentation.overlap} frames of each neighbour"
    )
    if missing < len(segments):
        watcher.message(f"resuming: {len(segments) - missing} of {len(segments)} segments are finished")


def _tasks(
    job: Job,
    segmentation: Segmentation,
    segments: Sequence[PlannedSegment],
    missing: Sequence[PlannedSegment],
    folder: Path,
    videos: Mapping[str, SourceDigest],
    threads: int,
) -> list[Task]:
    numbers = {segment.number for segment in missing}
    frames = sum(len(segment.shown) for segment in segments)
    tasks = []
    for segment in missing:
        warm = segmentation.warm
        if warm is not None and segment.number % warm.key == 0:
            warm = None
        previous = segment.number - 1
        # The target is for the whole clip: each segment gets a share by its number of frames.
        target = job.config.rate.target * len(segment.shown) // frames
        config = replace(job.config, rate=replace(job.config.rate, target=target))
        segment_job = replace(
            job,
            config=config,
            output=_segment_file(folder, segment.number),
            cache=folder / f"{segment.number:05}.work",
            frames=FrameRange(segment.trained.start, segment.trained.stop),
            overlap=segment.overlap,
            videos=dict(videos),
            predecessor=None if warm is None else _segment_file(folder, previous),
            share=1.0 if warm is None else warm.share,
            record=_record(segmentation),
            save_importance=job.save_importance and job.save_importance / f"{segment.number:05}",
        )
        follows = previous if warm is not None and previous in numbers else None
        tasks.append(Task(segment.number, segment_job, threads, follows))
    return tasks


def _record(segmentation: Segmentation) -> dict[str, int | float]:
    """The same for all segments, so that the joined file has one configuration."""
    warm = segmentation.warm
    started = {} if warm is None else {"warm_start": warm.share, "key_segment": warm.key}
    return {"overlap": segmentation.overlap, **started}


class _ClipProgress:
    """Progress over all segments, and the totals of steps and seconds."""

    def __init__(
        self, segments: Sequence[PlannedSegment], missing: Sequence[PlannedSegment], watcher: Watcher
    ) -> None:
        self.steps, self.seconds = 0, 0.0
        self._segments = segments
        self._watcher = watcher
        self._warned: set[str] = set()
        self._positions = {segment.number: 1.0 for segment in segments}
        self._positions |= {segment.number: 0.0 for segment in missing}

    def update(self, event: ProgressEvent) -> None:
        """Process an event and report it."""
        shown = self._segments[event.number].shown
        name = f"segment {event.number}, frames {shown.start}:{shown.stop}"
        if isinstance(event, Running):
            self._positions[event.number] = min(event.position, 1.0)
            self._warn(name, event.warnings)
        elif isinstance(event, WorkerLost):
            self._positions[event.number] = 0.0
            self._watcher.message(f"{name}: {event.worker} was lost ({event.reason}); restarted")
        else:
            self._finish(name, event)
        done = sum(self._positions.values()) * _PROGRESS_UNITS
        self._watcher.progress("encoding segments", int(done), len(self._segments) * _PROGRESS_UNITS)

    def _warn(self, name: str, warnings: Sequence[str]) -> None:
        """Pass warnings on, but only the first of each kind from all segments."""
        for warning in warnings:
            subject = warning.split(":")[1]
            if subject not in self._warned:
                self._warned.add(subject)
                self._watcher.message(f"{warning} ({name})")

    def _finish(self, name: str, event: Done) -> None:
        result = event.result
        self._positions[event.number] = 1.0
        self.steps += result.steps
        self.seconds += result.training_seconds
        quality = "" if result.psnr is None else f"{result.psnr:.2f} dB, "
        where = f" ({event.worker})" if event.worker else ""
        self._watcher.message(
            f"{name}: {quality}{result.bytes / 1e6:.2f} MB, {result.steps} steps in "
            f"{result.training_seconds:.0f} s{where}"
        )


def _join(job: Job, files: Sequence[Path], progress: _ClipProgress) -> EncodeResult:
    """Write the clip, and only then remove the segments."""
    try:
        size = join_clips(files, job.output)
    except OutputError:
        raise
    except DynerfError as error:
        raise ResumeError(f"the segments cannot be joined: {error}; encode again without --resume") from error
    with FileSource(job.output) as source:
        score = Reader(source).header.quality.get("held_out_psnr")
    folder = work_folder(job)
    shutil.rmtree(folder / "segments", ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.rmdir()  # unless something else is in it
    psnr = float(score) if isinstance(score, (int, float)) else None
    return EncodeResult(job.output, size, psnr, progress.steps, progress.seconds, folder)
