"""An encoding job, its result, and the interface for its progress."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_encoder.captures.picture_source import SourceDigest
from dynerf_encoder.captures.reading import READ_AS_FOUND, Reading
from dynerf_encoder.captures.scene_bounds import Choice
from dynerf_encoder.config.schema import Config
from dynerf_encoder.schedule.stages import plan_training
from dynerf_encoder.sound.sound_source import AUTOMATIC_SOUND, SoundOptions
from dynerf_encoder.training.trainer import StepReport
from dynerf_format import SoundPackets
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
    # Much finer steps make symbols too large for the file, which would only be found after the training.
    "quantisation.planes": (1e-4, math.inf),
    "quantisation.network": (1e-4, math.inf),
    "quantisation.latents": (1e-4, math.inf),
    "quantisation.coarse": (1.0, math.inf),
    "quantisation.coarse_basis": (1.0, math.inf),
    "quantisation.grid": (0.0, 256.0),  # what decoders accept
    "layers.steps": (0.0, math.inf),
    "layers.reach": (0.0, math.inf),
}
_MOST_LAYERS = 5  # each makes all layers together larger, and is trained
_AT_LEAST_TWO = ("scales", "coarse_scale", "width")  # size 1 can be decoded, but not trained

WARNING_PREFIX = "warning: "
"""Messages with this prefix reach the user from all segments, wherever they are encoded."""


@dataclass(frozen=True)
class Job:
    """What to encode, how, and where to. ``cache`` replaces the work folder beside the output.

    ``save_importance`` is a folder for pictures of the importance maps. ``audio`` says which sound the clip
    gets; ``sound``, which ``encode`` makes of it, is that of the frames that are written. A segment of a
    longer clip also has ``overlap``, the numbers of frames at the start and at the end of ``frames`` that
    are trained on but not written; ``predecessor``, a clip whose last segment the training starts from, with
    ``share`` of the schedule's steps; ``record``, which is added to the configuration in the file; and
    ``videos``, digests of the videos by view, which saves each segment from reading all of them.
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
    videos: Mapping[str, SourceDigest] = field(default_factory=dict)
    reading: Reading = READ_AS_FOUND
    audio: SoundOptions = AUTOMATIC_SOUND
    sound: SoundPackets | None = None


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


@runtime_checkable
class Watcher(Protocol):
    """Receives messages and progress; nothing in this package prints."""

    def message(self, text: str) -> None:
        """A message for the user, one line."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Progress of work of known length."""

    def trained(self, report: StepReport) -> None:
        """A training step was completed."""

    def validated(self, report: StepReport, held_out_psnr: float) -> None:
        """Some held-out pictures were rendered during training, mean PSNR in dB."""


class NullWatcher:
    """A watcher that ignores everything."""

    def message(self, text: str) -> None:
        """Ignored."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Ignored."""

    def trained(self, report: StepReport) -> None:
        """Ignored."""

    def validated(self, report: StepReport, held_out_psnr: float) -> None:
        """Ignored."""


def work_folder(job: Job) -> Path:
    """The folder of decoded pictures, maps and the checkpoint of a job."""
    return job.cache or job.output.with_name(f"{job.output.stem}.work")


def checkpoint_path(job: Job) -> Path:
    """The path of a job's checkpoint."""
    return work_folder(job) / "checkpoint.npz"


def started_marker(job: Job) -> Path:
    """An empty file that exists until the first checkpoint: until then the output is of an older job."""
    return work_folder(job) / "has_started"


def check_job(job: Job) -> None:
    """Refuse settings that would fail, or never end, much later. Raises ConfigError."""
    config = job.config
    for name, (least, most) in _BOUNDS.items():
        section, key = name.split(".")
        value = getattr(getattr(config, section), key)
        if not least <= value <= most:
            raise ConfigError(f"{name}: found {value:g}, expected {_range_text(least, most)}")
    if not 1 <= config.schedule.frames_per_step <= config.schedule.rays:
        raise ConfigError(
            f"schedule: {config.schedule.rays} rays of {config.schedule.frames_per_step} frames per step, "
            "expected at least one ray of one frame"
        )
    if config.optimiser.beta2 >= 1:
        raise ConfigError(f"optimiser.beta2: found {config.optimiser.beta2:g}, expected less than 1")
    if job.time_limit is not None and job.time_limit <= 0:
        raise ConfigError(f"--time-limit: found {job.time_limit:g} s, expected more than 0")
    _check_layers(config.layers.budget)
    # Raises if there are no steps, which does not depend on the clip.
    plan_training(config.schedule, 2, config.importance.strategy, (0, 1))
    _check_field(config)


def _range_text(least: float, most: float) -> str:
    return f"{least:g} to {most:g}" if most < math.inf else f"at least {least:g}"


def _check_layers(budget: tuple[float, ...]) -> None:
    """Refuse shares of the file that no layers can have."""
    shares = ", ".join(f"{100 * share:g}%" for share in budget)
    if any(share >= after for share, after in pairwise((0.0, *budget))) or budget[-1] != 1:
        raise ConfigError(
            f"layers.budget: found {shares}, expected increasing shares above 0%, the last 100%"
        )
    if len(budget) > _MOST_LAYERS:
        raise ConfigError(f"layers.budget: found {len(budget)} layers, expected at most {_MOST_LAYERS}")


def _check_field(config: Config) -> None:
    """Refuse sizes that leave nothing to train, or that no decoder would accept."""
    settings = config.planes if config.field == "planes" else config.mlp
    record = settings_record(settings)
    for name in record.keys() & _AT_LEAST_TWO:
        value = record[name]
        if min(value if isinstance(value, list) else [value]) < 2:
            raise ConfigError(f"{config.field}.{name}: found {value}, expected at least 2")
    try:
        with torch.device("meta"):  # allocates no memory
            build_model(config.field, record)
    except FormatError as error:
        raise ConfigError(str(error).replace("header.field.settings", config.field)) from error
