"""What the trainings of layers have in common: they train planes alone, within limits, after the schedule."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor

from dynerf_decoder.fields.field import Model
from dynerf_encoder.config.schema import Optimiser, Quantisation
from dynerf_encoder.schedule.stages import Plan, Stage
from dynerf_encoder.training.trainer import Trainer

Limits: TypeAlias = list[tuple[Tensor, Tensor, Tensor]]
"""Parameters, and the least and the largest value of each of their elements."""
SizeOf: TypeAlias = Callable[[Model, Quantisation], int]
Progress: TypeAlias = Callable[[int, int], None]

_WARM_UP = 20
_CALIBRATIONS = (0.0, 0.3, 0.6, 0.85)  # positions at which the real size is measured


def uniform_plan(finished: Trainer) -> Plan:
    """``layers.steps`` times the steps of the training, on rays of all frames."""
    steps = max(1, round(finished.config.layers.steps * finished.progress.step))
    frames = tuple(range(len(finished.latents)))
    return Plan((Stage("uniform", 1.0, frames, 1.0),), steps, frames)


def planes_only(optimiser: Optimiser, share: float, final_rate: float) -> Optimiser:
    """Planes at a share of their learning rate; networks and latents do not change."""
    return replace(
        optimiser, planes_rate=optimiser.planes_rate * share, network_rate=0.0, final_rate=final_rate,
        warm_up=_WARM_UP,
    )  # fmt: skip


def train_within(trainer: Trainer, limits: Limits, size_of: SizeOf, progress: Progress) -> None:
    """Train to the end of the plan; with a target size, ``size_of`` the model corrects the rate control."""
    steps, rate = trainer.plan.steps, trainer.rate
    calibrations = {max(1, round(position * steps)) for position in _CALIBRATIONS}
    limit(limits)
    with closing(trainer.run()) as reports:
        for report in reports:
            limit(limits)
            if trainer.config.rate.target > 0 and report.progress.step in calibrations:
                rate.calibrate(size_of(trainer.model, rate.quantisation))
            progress(report.progress.step, steps)


@torch.no_grad()
def limit(limits: Limits) -> None:
    """Move the parameters to within their limits."""
    for parameter, least, most in limits:
        parameter.clamp_(least, most)
