"""A training step by autograd over torch's operations: on a GPU, in several processes, and as the reference.

Nothing in here may be read from Python that changes from one step to the next, but for whether bits count: a
GPU captures a step and replays it (``graphed_step.py``). Rays, jitter and learning rates are tensors.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from dynerf_decoder.fields.field import Model
from dynerf_decoder.renderer import Rendered, render_rays
from dynerf_decoder.sampling import Noise, histogram_bound_loss
from dynerf_decoder.space import Segments

from .compiler import Compiler, Fold
from .config import Config
from .parallel import Group
from .plane_passes import add_variation
from .precision import half_products
from .rate_control import RateControl
from .rounding import is_plane


@dataclass(frozen=True)
class Lesson:
    """What a step learns from; ``frames`` are the numbers of the rays' frames.

    ``noise`` gives what the samples are jittered by, the same however often it is asked.
    """

    frames: Int64[Tensor, " frame"]
    segments: Segments
    directions: Float[Tensor, "frame ray 3"]
    colours: Float[Tensor, "frame ray 3"]
    noise: Callable[[], Noise]


class AutogradStep:
    """Steps of one training. Adam holds the learning rates, as numbers or as tensors."""

    def __init__(
        self,
        config: Config,
        model: Model,
        latents: Tensor,
        adam: torch.optim.Optimizer,
        rate: RateControl,
        group: Group,
        compiler: Compiler | None = None,
    ) -> None:
        self._config = config
        self._model, self._latents, self._adam = model, latents, adam
        self._rate, self._group, self._compiler = rate, group, compiler
        self._parameters = [each for part in adam.param_groups for each in part["params"]]

    def __call__(
        self, lesson: Lesson, position: float, told: Callable[[Tensor], object] | None = None
    ) -> Float[Tensor, "2"]:
        """The loss and, in it, the squared error of the fine colours.

        ``told`` is given them before anything changes.
        """
        with self._rate.stored_form(self._model, self._latents, position) as rounded:
            if self._compiler is None:
                figures = self._gradients(lesson, self._model.fold, told)
            else:
                figures = self._compiler.attempt(
                    self._model.fold, lambda fold: self._gradients(lesson, fold, told)
                )
        self._group.average_gradients(self._parameters)
        self._rate.charge(rounded)
        if self._config.optimiser.total_variation > 0:
            _add_total_variation(self._model, self._config.optimiser.total_variation)
        self._adam.step()
        return figures

    def _gradients(self, lesson: Lesson, fold: Fold, told: Callable[[Tensor], object] | None) -> Tensor:
        self._adam.zero_grad(set_to_none=True)
        folded = fold(self._latents[lesson.frames])
        sampling = self._config.sampling
        with half_products(self._config.field, self._latents.device):
            rendered = render_rays(folded, lesson.segments, lesson.directions, sampling, lesson.noise())
        loss, fine_error = _loss(rendered, lesson.colours, self._config.optimiser.coarse_weight)
        figures = self._group.average(torch.stack([loss.detach(), fine_error]))
        if told is not None:
            told(figures)
        loss.backward()  # type: ignore[no-untyped-call]
        return figures


def _loss(
    rendered: Rendered, colours: Float[Tensor, "frame ray 3"], coarse_weight: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The loss, and the fine squared error in it (detached)."""
    fine = (rendered.rgb - colours).square().mean()
    if rendered.coarse_rgb is not None:
        coarse = (rendered.coarse_rgb - colours).square().mean()
    else:
        coarse = histogram_bound_loss(
            rendered.edges, rendered.weights, rendered.coarse_edges, rendered.coarse_weights
        )
    return fine + coarse_weight * coarse, fine.detach()


@torch.no_grad()
def _add_total_variation(model: Model, weight: float) -> None:
    for name, plane in model.named_parameters():
        if is_plane(name) and plane.grad is not None:
            add_variation(plane.grad, plane.detach(), weight)
