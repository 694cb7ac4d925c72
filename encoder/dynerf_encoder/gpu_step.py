"""A training step on a GPU: autograd's, over tensors alone, captured and replayed."""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.sampling import DrawnNoise, Sampling, draw_noise
from dynerf_decoder.space import Space

from .autograd_step import AutogradStep, Lesson
from .graphed_step import GraphedStep, Graphs
from .rays import Rays
from .staging import sent


class GpuStep:
    """Steps of one training in one process; ``adam`` holds ``latents`` or they are never changed."""

    def __init__(
        self,
        step: AutogradStep,
        latents: Tensor,
        adam: torch.optim.Optimizer,
        space: Space,
        sampling: Sampling,
        graphs: Graphs,
    ) -> None:
        self._by_autograd, self._adam, self._latents = step, adam, latents
        self._space, self._sampling = space, sampling
        self._device = latents.device
        self._matrix = space.matrix_on(self._device)
        self._position = 0.0
        self._graphed = GraphedStep(self._step, self._lasting, graphs)
        for group in adam.param_groups:  # the step reads them where they lie, a replay the new ones
            group["lr"] = torch.zeros((), device=self._device)
            group["capturable"] = self._device.type == "cuda"

    def __call__(
        self, rays: Rays, generator: torch.Generator, stage: int, position: float, *, stored: bool
    ) -> Float[Tensor, "2"]:
        """Loss and squared error of the fine colours, until the next step.

        ``stored`` tells whether bits count at the ``position``.
        """
        self._position = position  # of which a captured step knows only whether bits count
        frames = sent(torch.from_numpy(rays.frames), self._device)
        shape = (rays.colours.shape[0], rays.colours.shape[1])
        noise = draw_noise(shape, self._sampling, generator, self._device)
        inputs = (frames, rays.origins, rays.directions, rays.colours, *noise)
        return self._graphed((stage, stored), inputs)

    def _step(self, inputs: Sequence[Tensor]) -> Tensor:
        frames, origins, directions, colours, *numbers = inputs
        segments = self._space.clip_plain(origins, directions, self._matrix)
        lesson = Lesson(frames, segments, directions, colours, lambda: DrawnNoise(numbers))
        return self._by_autograd(lesson, self._position)

    def _lasting(self) -> Iterable[Tensor]:
        yield self._latents
        for group in self._adam.param_groups:
            yield group["lr"]
            for parameter in group["params"]:
                yield parameter
                yield from self._adam.state[parameter].values()
