"""An encoding job, its result, and the files in its work folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dynerf_encoder.captures.picture_source import SourceDigest
from dynerf_encoder.captures.reading import READ_AS_FOUND, Reading
from dynerf_encoder.captures.scene_bounds import Choice
from dynerf_encoder.config.schema import Config
from dynerf_encoder.sound.sound_source import AUTOMATIC_SOUND, SoundOptions
from dynerf_format import SoundPackets
from dynerf_format.frame_range import FrameRange


@dataclass(frozen=True)
class SegmentInputs:
    """What ``encode`` computes for a segment; the defaults are those of a clip of one segment.

    ``overlap`` counts the frames at the start and at the end of ``Job.frames`` that are trained on but not
    written. ``predecessor`` is a clip whose last segment the training starts from, with ``share`` of the
    schedule's steps. ``record`` is added to the configuration in the file. ``videos`` are digests of the
    videos by view, which save each segment from reading all of them. ``sound`` is that of the frames written.
    """

    overlap: tuple[int, int] = (0, 0)
    predecessor: Path | None = None
    share: float = 1.0
    record: Mapping[str, int | float] = field(default_factory=dict)
    videos: Mapping[str, SourceDigest] = field(default_factory=dict)
    sound: SoundPackets | None = None


@dataclass(frozen=True)
class Job:
    """What to encode, how, and where to: the user's options, and what ``encode`` adds for a segment.

    ``cache`` replaces the work folder beside the output. ``save_importance`` is a folder for pictures of the
    importance maps. ``audio`` says which sound the clip gets.
    """

    capture: Path
    output: Path
    config: Config
    frames: FrameRange = field(default_factory=FrameRange)
    hold_out: tuple[str, ...] = ()
    downscale: int = 1
    space: Choice = "auto"
    device: str = "cpu"
    seed: int = 0
    time_limit: float | None = None
    resume: bool = False
    cache: Path | None = None
    save_importance: Path | None = None
    reading: Reading = READ_AS_FOUND
    audio: SoundOptions = AUTOMATIC_SOUND
    segment: SegmentInputs = field(default_factory=SegmentInputs)


@dataclass(frozen=True)
class EncodeResult:
    """The result of an encode: the file at ``path``, its size in bytes, and how it was trained.

    ``psnr`` is in dB over all frames of the held-out views, None if there are none.
    """

    path: Path
    bytes: int
    psnr: float | None
    steps: int
    training_seconds: float
    work_folder: Path


def work_folder(job: Job) -> Path:
    """The folder of decoded pictures, maps and the checkpoint of a job."""
    return job.cache or job.output.with_name(f"{job.output.stem}.work")


def checkpoint_path(job: Job) -> Path:
    """The path of a job's checkpoint."""
    return work_folder(job) / "checkpoint.npz"


def started_marker(job: Job) -> Path:
    """An empty file that exists until the first checkpoint: until then the output is of an older job."""
    return work_folder(job) / "has_started"
