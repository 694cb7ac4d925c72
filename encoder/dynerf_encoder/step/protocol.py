"""What every training step is: it prepares rays, and then changes the model by them."""

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

from .distributed import Group


@dataclass(frozen=True, eq=False)
class StepState:
    """What the steps of one training read and change; Adam's groups hold the learning rates."""

    config: Config
    space: Space
    model: Model
    latents: Tensor
    adam: torch.optim.Optimizer
    rate: RateControl
    group: Group


class StepMetrics(NamedTuple):
    """The loss of a step's rays and, in it, the squared error of the fine colours."""

    loss: float
    squared_error: float


Prepared = TypeVar("Prepared")


@runtime_checkable
class TrainingStep(Protocol[Prepared]):
    """Steps of one training.

    ``prefetch`` is whether the next rays are worth a thread that draws and prepares them during a step.
    """

    prefetch: bool

    def prepare(self, rays: TrainingRays, generator: torch.Generator, /) -> Prepared:
        """The rays of a step, and all that is random about it. Changes nothing of the training."""
        ...

    def __call__(self, prepared: Prepared, position: float, /) -> StepMetrics:
        """Change the model, at a position (0 to 1) in the schedule."""
        ...


StepFactory = Callable[[StepState], TrainingStep[Any]]
