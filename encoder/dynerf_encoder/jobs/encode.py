"""Encode a capture of any length: one model per segment, trained separately and joined at the end.

The work folder holds ``segments/plan.json``, the identity of the job, and ``segments/00003.dnv`` for every
finished segment. A segment in progress has its own work folder beside these, which is removed when its file
is complete: memory and disk use depend on the length of a segment and the number of workers, not on the
length of the clip. When the clip is written, the folder is removed.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction

import torch

from dynerf_encoder.captures.capture import Capture
from dynerf_encoder.captures.layouts.read_capture import read_capture
from dynerf_encoder.captures.picture_source import SourceDigest
from dynerf_encoder.export.tensors import group_frames, plain_config
from dynerf_encoder.ingest.conversion import Conversion
from dynerf_encoder.sound.clip_sound import code_sound, sound_digest
from dynerf_format import FileSource, Reader, SoundPackets, check_writable, join_clips, sound_position
from dynerf_format.errors import ConfigError, DynerfError, OutputError, ResumeError
from dynerf_format.frame_range import FrameRange
from dynerf_format.io.folder_lock import folder_lock

from .clip_progress import ClipProgress
from .encode_segment import encode_segment
from .job import EncodeResult, Job, SegmentInputs, work_folder
from .job_limits import check_job
from .scheduler import Runner, SerialRunner, Task
from .segment_folder import SegmentFolder
from .segments import PlannedSegment, SegmentLength, plan_segments
from .watcher import NullWatcher, Watcher

DEFAULT_SEGMENT = SegmentLength(Fraction(300), "f")  # DyNeRF: one model for 10 s at 30 frames per second
DEFAULT_OVERLAP = 2


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
    sound = _code_sound(job, capture, frames, watcher)
    segments = plan_segments(frames, segmentation.length.frames(capture.fps), segmentation.overlap)
    if len(segments) == 1:
        return encode_segment(replace(job, segment=replace(job.segment, sound=sound)), watcher)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            f"{len(segments)} segments under torchrun, which trains one model on several GPUs; expected one "
            "segment (--segment) or a worker per GPU (--workers, without torchrun)"
        )
    folder = SegmentFolder(work_folder(job) / "segments")
    if job.resume and job.output.exists() and not folder.path.exists():
        raise ResumeError(f"{job.output}: is finished, there is nothing to resume")
    videos = {view.name: view.source.digest() for view in capture.views}
    identity = _identity(job, segmentation, segments, capture, videos, threads)
    identity["sound"] = None if sound is None else sound_digest(sound)
    folder.prepare(identity, job.resume)
    missing = [segment for segment in segments if not folder.is_finished(segment)]
    for segment in missing:
        folder.file(segment.number).unlink(missing_ok=True)
    for note in capture.notes:
        watcher.message(note)
    _describe(segments, len(missing), segmentation, watcher)
    progress = ClipProgress(segments, missing, watcher)
    parts = {segment.number: _part(sound, segment.shown, frames.start, capture.fps) for segment in missing}
    tasks = _tasks(job, segmentation, segments, missing, folder, videos, threads, parts)
    runner.run(tasks, progress.update)
    return _join(job, folder, len(segments), progress)


def _code_sound(job: Job, capture: Capture, frames: range, watcher: Watcher) -> SoundPackets | None:
    """The sound of the whole clip, coded before anything is trained. Under torchrun one process reports."""
    reporting = watcher if os.environ.get("RANK", "0") == "0" else NullWatcher()
    return code_sound(
        job.audio,
        capture,
        job.hold_out,
        frames,
        group_frames(job.config.quantisation, capture.fps),
        reporting.message,
        lambda done, total: reporting.progress("coding the sound", done, total),
    )


def _part(sound: SoundPackets | None, shown: range, start: int, fps: Fraction) -> SoundPackets | None:
    """The sound of the frames ``shown`` of a clip that starts with frame ``start``."""
    if sound is None:
        return None
    first, end = (
        sound_position(frame - start, fps.numerator, fps.denominator) for frame in (shown.start, shown.stop)
    )
    return sound.window(first, end - first)


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
    folder: SegmentFolder,
    videos: Mapping[str, SourceDigest],
    threads: int,
    parts: Mapping[int, SoundPackets | None],
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
            output=folder.file(segment.number),
            cache=folder.work_folder(segment.number),
            frames=FrameRange(segment.trained.start, segment.trained.stop),
            save_importance=job.save_importance and job.save_importance / f"{segment.number:05}",
            segment=SegmentInputs(
                overlap=segment.overlap,
                predecessor=None if warm is None else folder.file(previous),
                share=1.0 if warm is None else warm.share,
                record=_record(segmentation),
                videos=dict(videos),
                sound=parts[segment.number],
            ),
        )
        follows = previous if warm is not None and previous in numbers else None
        tasks.append(Task(segment.number, segment_job, threads, follows))
    return tasks


def _record(segmentation: Segmentation) -> dict[str, int | float]:
    """The same for all segments, so that the joined file has one configuration."""
    warm = segmentation.warm
    started = {} if warm is None else {"warm_start": warm.share, "key_segment": warm.key}
    return {"overlap": segmentation.overlap, **started}


def _join(job: Job, segments: SegmentFolder, count: int, progress: ClipProgress) -> EncodeResult:
    """Write the clip, and only then remove the segments."""
    try:
        size = join_clips([segments.file(number) for number in range(count)], job.output)
    except OutputError:
        raise
    except DynerfError as error:
        raise ResumeError(f"the segments cannot be joined: {error}; encode again without --resume") from error
    with FileSource(job.output) as source:
        score = Reader(source).header.quality.get("held_out_psnr")
    folder = work_folder(job)
    segments.remove()
    with contextlib.suppress(OSError):
        folder.rmdir()  # unless something else is in it
    psnr = float(score) if isinstance(score, (int, float)) else None
    return EncodeResult(job.output, size, psnr, progress.steps, progress.seconds, folder)
