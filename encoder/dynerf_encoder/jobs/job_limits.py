"""Settings of a job that would fail, or never end, much later: they are refused before any work."""

import math
from itertools import pairwise

import torch

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_decoder.scene.from_header import MAX_SAMPLES
from dynerf_encoder.config.schema import Config
from dynerf_encoder.schedule.stages import plan_training
from dynerf_format.errors import ConfigError, FormatError
from dynerf_format.tensors.occupancy import CELLS_MAX

from .job import Job

_BOUNDS: dict[str, tuple[float, float]] = {
    "schedule.keyframe_interval": (1.0, math.inf),
    "sampling.coarse": (2.0, float(MAX_SAMPLES)),
    "sampling.fine": (2.0, float(MAX_SAMPLES)),
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
    "quantisation.grid": (0.0, float(CELLS_MAX)),
    "layers.steps": (0.0, math.inf),
    "layers.reach": (0.0, math.inf),
}
_MOST_LAYERS = 5  # each makes all layers together larger, and is trained
_AT_LEAST_TWO = ("scales", "coarse_scale", "width")  # size 1 can be decoded, but not trained


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
    """Refuse shares of the weights that no layers can have."""
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
