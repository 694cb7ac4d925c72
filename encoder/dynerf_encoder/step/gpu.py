"""A training step on a GPU, captured and replayed as a CUDA graph."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from dynerf_encoder.rays.cpu_source import TrainingRays

from .cuda_graph import GraphBackend, GraphReplay
from .protocol import StepMetrics, StepState
from .reference import PreparedRays, StepInputs, TorchStep


class CudaGraphStep:
    """Decorates a step whose ``compute`` works on the device alone: a ``TrainingStep`` that replays it.

    For one process without a target size: neither the exchange of gradients nor the control can be captured.
    """

    def __init__(self, step: TorchStep, state: StepState, graphs: GraphBackend) -> None:
        self._decorated, self._state = step, state
        self.prefetch = step.prefetch
        self._position = 0.0
        self._replay = GraphReplay(self._compute, self._persistent, graphs)
        device = state.latents.device
        self._rates = [torch.zeros((), device=device) for _ in state.adam.param_groups]
        for group in state.adam.param_groups:
            group["capturable"] = device.type == "cuda"

    def prepare(self, rays: TrainingRays, generator: torch.Generator) -> PreparedRays:
        return self._decorated.prepare(rays, generator)

    def __call__(self, prepared: PreparedRays, position: float) -> StepMetrics:
        for group, rate in zip(self._state.adam.param_groups, self._rates, strict=True):
            rate.fill_(group["lr"])
            group["lr"] = rate  # Adam reads the tensor, in a replay as well
        self._position = position  # a captured step depends only on whether the rate term is active
        stored = self._state.rate.active(position)
        return self._decorated.read(self._replay(stored, self._decorated.inputs(prepared)))

    def _compute(self, inputs: Sequence[Tensor]) -> Tensor:
        return self._decorated.compute(StepInputs(*inputs), self._position)

    def _persistent(self) -> Iterable[Tensor]:
        yield self._state.latents
        yield from self._rates
        for group in self._state.adam.param_groups:
            for parameter in group["params"]:
                yield parameter
                yield from self._state.adam.state[parameter].values()
