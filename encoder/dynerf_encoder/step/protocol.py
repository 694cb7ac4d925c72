"""The interface of every training step: it prepares rays, then updates the model with them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from dynerf_decoder.fields.field import Model
from dynerf_decoder.scene.contraction import Space
from dynerf_encoder.config.schema import Config
from dynerf_encoder.rate.rate_control import RateControl
from dynerf_encoder.rays.cpu_source import TrainingRays

from .distributed import ProcessGroup


@dataclass(frozen=True, eq=False)
class StepState:
    """What the steps of one training read and change; the groups of ``adam`` hold the learning rates."""

    config: Config
    space: Space
    model: Model
    latents: Tensor
    adam: torch.optim.Optimizer
    rate: RateControl
    group: ProcessGroup


class StepMetrics(NamedTuple):
    """The loss of a step's rays and the squared error of the fine colours, which is part of it."""

    loss: float
    squared_error: float


Prepared = TypeVar("Prepared")


@runtime_checkable
class TrainingStep(Protocol[Prepared]):
    """Steps of one training.

    ``prefetch``: whether the next rays are drawn and prepared in a thread during a step.
    """

    prefetch: bool

    def prepare(self, rays: TrainingRays, generator: torch.Generator, /) -> Prepared:
        """Prepare the rays of a step and draw its random numbers. Does not change the training."""
        ...

    def __call__(self, prepared: Prepared, position: float, /) -> StepMetrics:
        """Update the model, at a position (0 to 1) in the schedule."""
        ...


StepFactory = Callable[[StepState], TrainingStep[Any]]
