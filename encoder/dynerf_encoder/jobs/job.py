"""What an encode is asked to do, what it made, and who watches it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_encoder.captures.scene_bounds import Choice
from dynerf_encoder.config.schema import Config
from dynerf_encoder.frames.manifest import VideoDigest
from dynerf_encoder.schedule.stages import plan_training
from dynerf_encoder.training.trainer import StepReport
from dynerf_format.errors import ConfigError, FormatError
from dynerf_format.frame_range import FrameRange

_BOUNDS = {
    "schedule.keyframe_interval": (1.0, math.inf),
    "sampling.coarse": (2.0, 4096.0),  # what decoders accept
    "sampling.fine": (2.0, 4096.0),
    "importance.share": (0.0, 1.0),
    "importance.keyframe_gamma": (1e-6, 1.0),
    "importance.gamma": (1e-6, 1.0),
    "importance.window": (1.0, math.inf),
    "importance.floor": (0.0, 1.0),
    "rate.start": (0.0, 1.0),
    "rate.target": (0.0, 2.0**32 - 1),
    # Far finer steps make numbers too long for the file, which would be found out after the training.
    "quantisation.planes": (1e-4, math.inf),
    "quantisation.network": (1e-4, math.inf),
    "quantisation.latents": (1e-4, math.inf),
    "quantisation.coarse": (1.0, math.inf),
    "quantisation.grid": (0.0, 256.0),  # what decoders accept
}
_MORE_THAN_ONE = ("scales", "coarse_scale", "width")  # can be decoded, but not trained, at size 1

WARNING = "warning: "
"""What a watcher is told that begins so has to reach the user, wherever a segment is encoded."""


@dataclass(frozen=True)
class Job:
    """What to encode, how, and where to. ``cache`` replaces the work folder beside the output.

    ``save_importance`` is a folder for pictures of the importance maps. A segment of a longer clip also
    has ``overlap``, how many frames at the start and at the end of ``frames`` are trained on and not written;
    ``predecessor``, a clip whose last segment the training starts from, with ``share`` of the schedule's
    steps; ``record``, what the file's configuration says about it all; and ``videos``, what is known of the
    videos' contents by view, so that not every segment reads the whole of them.
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
    overlap: tuple[int, int] = (0, 0)
    predecessor: Path | None = None
    share: float = 1.0
    record: Mapping[str, int | float] = field(default_factory=dict)
    videos: Mapping[str, VideoDigest] = field(default_factory=dict)


@dataclass(frozen=True)
class EncodeResult:
    """What an encode made: the file at ``path``, its size in bytes, and how it was trained.

    ``psnr`` is in dB over all frames of the held-out views, None when there are none.
    """

    path: Path
    bytes: int
    psnr: float | None
    steps: int
    training_seconds: float
    work_folder: Path


@runtime_checkable
class Watcher(Protocol):
    """Who is told what happens; nothing in this package prints."""

    def say(self, text: str) -> None:
        """One line worth knowing."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Work of a known length goes on."""

    def trained(self, report: StepReport) -> None:
        """A training step was done."""

    def looked(self, report: StepReport, held_out_psnr: float) -> None:
        """Some held-out pictures were rendered during training, mean PSNR in dB."""


class Unwatched:
    """A watcher that is told everything and does nothing with it."""

    def say(self, text: str) -> None:
        """Nothing."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Nothing."""

    def trained(self, report: StepReport) -> None:
        """Nothing."""

    def looked(self, report: StepReport, held_out_psnr: float) -> None:
        """Nothing."""


def work_folder(job: Job) -> Path:
    """Where decoded pictures, maps and the checkpoint of a job are kept."""
    return job.cache or job.output.with_name(f"{job.output.stem}.work")


def checkpoint_path(job: Job) -> Path:
    """Where a job's checkpoint is kept."""
    return work_folder(job) / "checkpoint.npz"


def has_started(job: Job) -> Path:
    """An empty file there until the first checkpoint: what lies at the output is an older job's."""
    return work_folder(job) / "has_started"


def check_job(job: Job) -> None:
    """Refuse settings that could only fail, or fail to end, much later. Raises ConfigError."""
    config = job.config
    for name, (least, most) in _BOUNDS.items():
        section, key = name.split(".")
        value = getattr(getattr(config, section), key)
        if not least <= value <= most:
            raise ConfigError(f"{name}: found {value:g}, expected {_span(least, most)}")
    if not 1 <= config.schedule.frames_per_step <= config.schedule.rays:
        raise ConfigError(
            f"schedule: {config.schedule.rays} rays of {config.schedule.frames_per_step} frames per step, "
            "expected at least one ray of one frame"
        )
    if config.optimiser.beta2 >= 1:
        raise ConfigError(f"optimiser.beta2: found {config.optimiser.beta2:g}, expected less than 1")
    if job.time_limit is not None and job.time_limit <= 0:
        raise ConfigError(f"--time-limit: found {job.time_limit:g} s, expected more than 0")
    # of any clip: no steps are none for all
    plan_training(config.schedule, 2, config.importance.strategy, (0, 1))
    _check_field(config)


def _span(least: float, most: float) -> str:
    return f"{least:g} to {most:g}" if most < math.inf else f"at least {least:g}"


def _check_field(config: Config) -> None:
    """Refuse sizes that leave nothing to train, or that no decoder would accept."""
    settings = config.planes if config.field == "planes" else config.mlp
    record = settings_record(settings)
    for name in record.keys() & _MORE_THAN_ONE:
        value = record[name]
        if min(value if isinstance(value, list) else [value]) < 2:
            raise ConfigError(f"{config.field}.{name}: found {value}, expected at least 2")
    try:
        with torch.device("meta"):  # no memory is taken
            build_model(config.field, record)
    except FormatError as error:
        raise ConfigError(str(error).replace("header.field.settings", config.field)) from error
