"""What an encode is asked to do, what it made, and who watches it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_format.errors import ConfigError, FormatError

from .captures.frame_range import FrameRange
from .config import Config
from .space_choice import Choice
from .train import Report

_MOST_SAMPLES = 4096  # what decoders accept
_MORE_THAN_ONE = ("scales", "coarse_scale", "width")  # can be decoded, but not trained, at size 1


@dataclass(frozen=True)
class Job:
    """What to encode, how, and where to. ``cache`` replaces the work folder beside the output."""

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


@dataclass(frozen=True)
class Result:
    """What an encode made. PSNR in dB over all frames of the held-out views, None when there are none."""

    output: Path
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

    def trained(self, report: Report) -> None:
        """A training step was done."""

    def looked(self, report: Report, held_out_psnr: float) -> None:
        """One held-out picture was rendered during training, PSNR in dB."""


def work_folder(job: Job) -> Path:
    """Where decoded pictures, maps and the checkpoint of a job are kept."""
    return job.cache or job.output.with_name(f"{job.output.stem}.work")


def checkpoint_path(job: Job) -> Path:
    """Where a job's checkpoint is kept."""
    return work_folder(job) / "checkpoint.npz"


def check_job(job: Job) -> None:
    """Refuse settings that could only fail, or fail to end, much later. Raises ConfigError."""
    config = job.config
    for name, samples in (("coarse", config.sampling.coarse), ("fine", config.sampling.fine)):
        if not 2 <= samples <= _MOST_SAMPLES:
            raise ConfigError(f"sampling.{name}: found {samples}, expected 2 to {_MOST_SAMPLES} samples")
    if not 1 <= config.schedule.frames_per_step <= config.schedule.rays:
        raise ConfigError(
            f"schedule: {config.schedule.rays} rays of {config.schedule.frames_per_step} frames per step, "
            "expected at least one ray of one frame"
        )
    if config.optimiser.beta2 >= 1:
        raise ConfigError(f"optimiser.beta2: found {config.optimiser.beta2}, expected less than 1")
    if config.importance.share > 1:
        raise ConfigError(f"importance.share: found {config.importance.share}, expected 0 to 1")
    if (
        config.quantisation.planes <= 0
        or config.quantisation.network <= 0
        or config.quantisation.latents <= 0
    ):
        raise ConfigError("quantisation: found a step of 0, expected steps above 0")
    if config.quantisation.group < 1:
        raise ConfigError("quantisation.group: found 0, expected at least one frame")
    if job.time_limit is not None and job.time_limit <= 0:
        raise ConfigError(f"--time-limit: found {job.time_limit:g} s, expected more than 0")
    _check_field(config)


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
