"""A training step by torch autograd: on a GPU, in several processes, and as the reference for the kernels.

Nothing that ``compute`` reads from Python may change from one step to the next, except whether the rate term
is active: a GPU captures a step and replays it (``cuda_graph.py``). Rays, jitter and learning rates are
tensors.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from dynerf_decoder.fields.field import Model
from dynerf_decoder.render.reference import Rendered, render_rays
from dynerf_decoder.scene.ray_sampling import Jitter, draw_jitter
from dynerf_encoder.rate.plane_passes import add_variation
from dynerf_encoder.rate.step_sizes import is_plane
from dynerf_encoder.rays.cpu_source import TrainingRays
from dynerf_encoder.rays.pinned_source import to_device

from .deferred_metrics import DeferredMetrics
from .histogram_bound import histogram_bound_loss
from .precision import half_precision_products
from .protocol import StepMetrics, StepState
from .torch_compile import Compiler, Fold


class PreparedRays(NamedTuple):
    """All processes' rays, whose copy to the device may be in progress, and the jitter of their samples."""

    rays: TrainingRays
    jitter: Jitter


class StepInputs(NamedTuple):
    """This process's rays on the device; ``frames`` are the numbers of their frames."""

    frames: Int64[Tensor, " frame"]
    origins: Float[Tensor, "frame ray 3"]
    directions: Float[Tensor, "frame ray 3"]
    colours: Float[Tensor, "frame ray 3"]
    coarse_jitter: Float[Tensor, "frame ray inner"]
    fine_jitter: Float[Tensor, "frame ray new"]


class TorchStep:
    """A ``TrainingStep`` of any model; ``compute`` runs on the device alone, ``read`` returns the metrics."""

    prefetch = False

    def __init__(self, state: StepState, compiler: Compiler | None = None) -> None:
        self.state, self._compiler = state, compiler
        self._device = state.latents.device
        self._matrix = state.space.matrix_on(self._device)
        self._metrics = DeferredMetrics(self._device)
        self._parameters = [each for part in state.adam.param_groups for each in part["params"]]

    def prepare(self, rays: TrainingRays, generator: torch.Generator) -> PreparedRays:
        """Jitter is drawn for the rays of all processes, so it does not depend on their number."""
        shape = tuple(rays.colours.shape[:2])
        return PreparedRays(rays, draw_jitter(shape, self.state.config.sampling, generator, self._device))

    def __call__(self, prepared: PreparedRays, position: float) -> StepMetrics:
        return self.read(self.compute(self.inputs(prepared), position))

    def inputs(self, prepared: PreparedRays) -> StepInputs:
        """This process's share of the rays, after they have been copied."""
        rays, jitter = prepared.rays.wait(), prepared.jitter
        mine = self.state.group.share(len(rays.frames))
        return StepInputs(
            to_device(torch.from_numpy(rays.frames[mine]), self._device), rays.origins[mine],
            rays.directions[mine], rays.colours[mine], jitter[0][mine], jitter[1][mine],
        )  # fmt: skip

    def compute(self, inputs: StepInputs, position: float) -> Float[Tensor, "2"]:
        """Update the model; return the loss and the squared error, on the device."""
        state = self.state
        with state.rate.stored_form(state.model, state.latents, position) as rounded:
            if self._compiler is None:
                metrics = self._gradients(inputs, state.model.fold)
            else:
                metrics = self._compiler.attempt(state.model.fold, lambda fold: self._gradients(inputs, fold))
        state.group.average_gradients(self._parameters)
        state.rate.add_gradient(rounded)
        if state.config.optimiser.total_variation > 0:
            _add_total_variation(state.model, state.config.optimiser.total_variation)
        state.adam.step()
        return metrics

    def read(self, metrics: Float[Tensor, "2"]) -> StepMetrics:
        """The metrics as numbers; on a GPU possibly those of an earlier step (``DeferredMetrics``)."""
        return StepMetrics(*self._metrics.read(metrics))

    def _gradients(self, inputs: StepInputs, fold: Fold) -> Float[Tensor, "2"]:
        state = self.state
        state.adam.zero_grad(set_to_none=True)
        folded = fold(state.latents[inputs.frames])
        segments = state.space.clip_plain(inputs.origins, inputs.directions, self._matrix)
        jitter = inputs.coarse_jitter, inputs.fine_jitter
        with half_precision_products(state.config.field, self._device):
            rendered = render_rays(folded, segments, inputs.directions, state.config.sampling, jitter)
        loss, fine_error = _loss(rendered, inputs.colours, state.config.optimiser.coarse_weight)
        metrics = state.group.average(torch.stack([loss.detach(), fine_error]))
        loss.backward()  # type: ignore[no-untyped-call]
        return metrics


def _loss(
    rendered: Rendered, colours: Float[Tensor, "frame ray 3"], coarse_weight: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The loss, and the fine squared error that is part of it (detached)."""
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
