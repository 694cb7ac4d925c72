"""A capture of any length becomes one .dnv file: a model per segment, trained apart, joined at the end.

The work folder holds ``segments/plan.json``, what is being encoded, and ``segments/00003.dnv`` for every
finished segment. A segment under way has a work folder of its own beside it, removed with its file's arrival:
memory and disk depend on the length of a segment and the number of workers, not on that of the clip. When the
whole is written, the folder goes.
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
from dynerf_encoder.captures.n3v import read_n3v
from dynerf_encoder.export.tensors import plain_config
from dynerf_encoder.frames.manifest import VideoDigest, digest_video
from dynerf_encoder.training.checkpoint import check_same_job
from dynerf_format import FileSource, Reader, atomic_path, check_writable, join_clips
from dynerf_format.errors import ConfigError, DynerfError, FormatError, OutputError, ResumeError
from dynerf_format.frame_range import FrameRange

from .encode_segment import encode_segment
from .folder_lock import folder_lock
from .job import EncodeResult, Job, Watcher, check_job, work_folder
from .scheduler import Done, News, Runner, Running, Serially, Task, WorkerLost
from .segments import Part, SegmentLength, plan_parts

DEFAULT_SEGMENT = SegmentLength(Fraction(300), "f")  # DyNeRF: one model for 10 s at 30 frames per second
DEFAULT_OVERLAP = 2
_UNITS = 1000  # of progress per segment
_MOST_BYTES = 2**24  # of a plan


@dataclass(frozen=True)
class WarmStart:
    """Start all but every ``key``-th segment from their predecessors, with ``share`` of the steps."""

    share: float = 0.5
    key: int = 6


@dataclass(frozen=True)
class Cutting:
    """How a clip is cut into segments and how these depend on each other."""

    length: SegmentLength = DEFAULT_SEGMENT
    overlap: int = DEFAULT_OVERLAP
    warm: WarmStart | None = None


def encode(
    job: Job, watcher: Watcher, cutting: Cutting | None = None, runner: Runner | None = None, threads: int = 1
) -> EncodeResult:
    """Encode a capture segment by segment; a clip of one segment is left to ``encode_segment``.

    ``threads`` are CPU threads per segment. Raises DynerfError for what the user can mend. After an error or
    KeyboardInterrupt, finished segments stay, and the same job with ``resume`` does only what is missing.
    """
    check_writable(job.output)
    with folder_lock(work_folder(job)):
        return _encode(job, watcher, cutting or Cutting(), runner or Serially(), threads)


def _encode(job: Job, watcher: Watcher, cutting: Cutting, runner: Runner, threads: int) -> EncodeResult:
    check_job(job)
    _check_cutting(cutting)
    capture = read_n3v(job.capture, job.frames)
    frames = job.frames.within(capture.frames, str(job.capture))
    parts = plan_parts(frames, cutting.length.frames(capture.fps), cutting.overlap)
    if len(parts) == 1:
        return encode_segment(job, watcher)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            f"{len(parts)} segments under torchrun, which trains one model on several GPUs; expected one "
            "segment (--segment) or a worker per GPU (--workers, without torchrun)"
        )
    folder = work_folder(job) / "segments"
    if job.resume and job.output.exists() and not folder.exists():
        raise ResumeError(f"{job.output}: is finished, there is nothing to resume")
    videos = {view.name: digest_video(view) for view in capture.views}
    _prepare(folder, _identity(job, cutting, parts, capture, videos, threads), job.resume)
    missing = [part for part in parts if not _is_finished(folder, part)]
    for part in missing:
        _file(folder, part.number).unlink(missing_ok=True)
    for note in capture.notes:
        watcher.say(note)
    _describe(parts, len(missing), cutting, watcher)
    board = _Board(parts, missing, watcher)
    runner.run(_tasks(job, cutting, parts, missing, folder, videos, threads), board.hear)
    return _join(job, [_file(folder, part.number) for part in parts], board)


def _check_cutting(cutting: Cutting) -> None:
    if cutting.overlap < 0:
        raise ConfigError(f"--overlap {cutting.overlap}: expected 0 frames or more")
    if cutting.warm is not None and not (0 < cutting.warm.share <= 1 and cutting.warm.key >= 1):
        raise ConfigError(
            f"--warm-start: {cutting.warm.share:g} of the steps and a key segment every {cutting.warm.key}, "
            "expected a share above 0 and at most 1, and a key segment every 1 or more"
        )


def _identity(
    job: Job,
    cutting: Cutting,
    parts: Sequence[Part],
    capture: Capture,
    videos: Mapping[str, VideoDigest],
    threads: int,
) -> dict[str, object]:
    """What finished segments must agree on to be joined with new ones."""
    views = {
        view.name: {
            "video": videos[view.name].sha256,
            "first": view.first,
            "pose": view.camera.camera_to_world.tolist(),
            "lens": [view.camera.focal_x, view.camera.focal_y, view.camera.centre_x, view.camera.centre_y],
            "bounds": [view.near, view.far],
        }
        for view in capture.views
    }
    return {
        "capture": views,
        "segments": [part.shown.start for part in parts] + [parts[-1].shown.stop],
        "overlap": cutting.overlap,
        "warm_start": None if cutting.warm is None else asdict(cutting.warm),
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
    """Make the folder; keep what is in it only to resume, and only for the same job."""
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
        if plan.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{plan.stat().st_size} bytes")
        found = json.loads(plan.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ResumeError(f"{plan}: is damaged ({error}); encode again without --resume") from error
    if not isinstance(found, dict):
        raise ResumeError(f"{plan}: is damaged; encode again without --resume")
    return found


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:05}.dnv"


def _is_finished(folder: Path, part: Part) -> bool:
    """Whether a segment's file is there and whole; a damaged one is made again."""
    path = _file(folder, part.number)
    if not path.exists():
        return False
    try:
        with FileSource(path) as source:
            reader = Reader(source)
            reader.verify()
            header = reader.header
    except FormatError:
        return False
    return (header.first_source_frame, header.frames) == (part.shown.start, len(part.shown))


def _describe(parts: Sequence[Part], missing: int, cutting: Cutting, watcher: Watcher) -> None:
    lengths = sorted({len(part.shown) for part in parts})
    watcher.say(
        f"{len(parts)} segments of {' to '.join(map(str, lengths[:1] + lengths[1:][-1:]))} frames, each "
        f"trained on {cutting.overlap} frames of its neighbours, too"
    )
    if missing < len(parts):
        watcher.say(f"resuming: {len(parts) - missing} of {len(parts)} segments are finished")


def _tasks(
    job: Job,
    cutting: Cutting,
    parts: Sequence[Part],
    missing: Sequence[Part],
    folder: Path,
    videos: Mapping[str, VideoDigest],
    threads: int,
) -> list[Task]:
    numbers = {part.number for part in missing}
    frames = sum(len(part.shown) for part in parts)
    tasks = []
    for part in missing:
        warm = cutting.warm if cutting.warm is not None and part.number % cutting.warm.key else None
        before = part.number - 1
        # A target is the whole clip's: each segment gets its frames' share of it.
        target = job.config.rate.target * len(part.shown) // frames
        config = replace(job.config, rate=replace(job.config.rate, target=target))
        mine = replace(
            job,
            config=config,
            output=_file(folder, part.number),
            cache=folder / f"{part.number:05}.work",
            frames=FrameRange(part.trained.start, part.trained.stop),
            overlap=part.overlap,
            videos=dict(videos),
            predecessor=None if warm is None else _file(folder, before),
            share=1.0 if warm is None else warm.share,
            record=_record(cutting),
            save_importance=job.save_importance and job.save_importance / f"{part.number:05}",
        )
        follows = before if warm is not None and before in numbers else None
        tasks.append(Task(part.number, mine, threads, follows))
    return tasks


def _record(cutting: Cutting) -> dict[str, int | float]:
    """The same for all segments, so that the joined file has one configuration."""
    warm = cutting.warm
    started = {} if warm is None else {"warm_start": warm.share, "key_segment": warm.key}
    return {"overlap": cutting.overlap, **started}


class _Board:
    """One display of all segments, and the sums of what they took."""

    def __init__(self, parts: Sequence[Part], missing: Sequence[Part], watcher: Watcher) -> None:
        self.steps, self.seconds = 0, 0.0
        self._parts = parts
        self._watcher = watcher
        self._warned: set[str] = set()
        self._at = {part.number: 1.0 for part in parts} | {part.number: 0.0 for part in missing}

    def hear(self, news: News) -> None:
        """Take note of news and show them."""
        shown = self._parts[news.number].shown
        name = f"segment {news.number}, frames {shown.start}:{shown.stop}"
        if isinstance(news, Running):
            self._at[news.number] = min(news.position, 1.0)
            self._warn(name, news.warnings)
        elif isinstance(news, WorkerLost):
            self._at[news.number] = 0.0
            self._watcher.say(f"{name}: {news.place} was lost ({news.reason}); begun again")
        else:
            self._finish(name, news)
        done = sum(self._at.values()) * _UNITS
        self._watcher.progress("encoding segments", int(done), len(self._parts) * _UNITS)

    def _warn(self, name: str, warnings: Sequence[str]) -> None:
        """Pass warnings on; of those that begin alike, from all segments, the first."""
        for warning in warnings:
            subject = warning.split(":")[1]
            if subject not in self._warned:
                self._warned.add(subject)
                self._watcher.say(f"{warning} ({name})")

    def _finish(self, name: str, news: Done) -> None:
        result = news.result
        self._at[news.number] = 1.0
        self.steps += result.steps
        self.seconds += result.training_seconds
        quality = "" if result.psnr is None else f"{result.psnr:.2f} dB, "
        where = f" ({news.place})" if news.place else ""
        self._watcher.say(
            f"{name}: {quality}{result.bytes / 1e6:.2f} MB, {result.steps} steps in "
            f"{result.training_seconds:.0f} s{where}"
        )


def _join(job: Job, files: Sequence[Path], board: _Board) -> EncodeResult:
    """Write the whole, and only then remove the segments."""
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
    return EncodeResult(job.output, size, psnr, board.steps, board.seconds, folder)
