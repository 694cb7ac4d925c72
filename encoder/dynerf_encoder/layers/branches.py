"""What the trainings of layers have in common: they train planes alone, within limits, after the schedule."""

from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor

from dynerf_encoder.config.schema import Optimiser
from dynerf_encoder.schedule.stages import Plan, Stage
from dynerf_encoder.training.trainer import Trainer

Limits: TypeAlias = list[tuple[Tensor, Tensor, Tensor]]
"""Parameters, and the least and the largest value of each of their elements."""
_WARM_UP = 20


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


@torch.no_grad()
def limit(limits: Limits) -> None:
    """Move the parameters to within their limits."""
    for parameter, least, most in limits:
        parameter.clamp_(least, most)
