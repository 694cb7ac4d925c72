"""The planes of one stack in a training by kernels: folding, gradients of the folded planes, Adam.

Two passes over all parameters a step: ``fold`` rounds while it folds if the model is trained in its stored
form, ``update`` forms each parameter's gradient, with total variation and rate term, and applies Adam at
once. The moments are stored as ``torch.optim.Adam`` stores them, so a checkpoint does not depend on the
implementation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from dynerf_decoder.fields.planes import PlaneStack
from dynerf_decoder.kernels.fold import PLANES
from dynerf_decoder.threads import in_threads
from dynerf_encoder.kernels.planes import fold, update
from dynerf_encoder.kernels.records import AdamFactors, FoldedLayout, StaticAndBasis, TrainedValues
from dynerf_encoder.kernels.scatter import scatter
from dynerf_encoder.rate.rate_loss import RoundedParameter, laplace_slopes, rate_slope

_AXES = ((0, 1), (0, 2), (1, 2))  # of the planes xy, xz and yz: along columns, along rows


class PlaneSteps(NamedTuple):
    """The quantisation steps of static and of basis planes; 0: not rounded."""

    static: Tensor
    basis: Tensor


@dataclass(frozen=True)
class AdamRule:
    """Adam's hyperparameters for one step; ``step`` counts from 1."""

    rate: float
    beta1: float
    beta2: float
    epsilon: float
    step: int

    def factors(self) -> AdamFactors:
        """The factors that ``kernels.planes.adam`` multiplies by."""
        size = self.rate / (1 - self.beta1**self.step)
        correction = (1 - self.beta2**self.step) ** -0.5
        exact = (1 - self.beta1, self.beta2, 1 - self.beta2, size, correction, self.epsilon)
        return AdamFactors(*(np.float32(number) for number in exact))


class _Scale:
    """One scale: its parameters and its offset in the flat arrays of its stack."""

    def __init__(self, static: Tensor, basis: Tensor, origin: int) -> None:
        self.parameters = (static, basis)
        self.size, self.channels = static.shape[-1], static.shape[-3]
        self.images = 1 + len(basis)
        self.origin = origin
        self.plane = self.size * self.size * self.channels
        self.values = PLANES * self.plane
        self.lane_type = (np.float32(0),) * self.channels
        self.magnitudes = np.zeros(self.images * PLANES * self.channels, np.float32)
        self.above = np.zeros((PLANES, self.images * self.size * self.channels), np.float32)

    def smoothness(self, weight: float) -> StaticAndBasis:
        """The factors of differences in static and basis planes, as in ``plane_passes``."""
        if self.size < 2:
            return StaticAndBasis(np.float32(0), np.float32(0))
        lines = PLANES * self.channels * self.size * (self.size - 1)
        return StaticAndBasis(
            static=np.float32(2 * weight / lines),
            basis=np.float32(2 * weight / (lines * max(self.images - 1, 1))),
        )


class TrainedPlanes:
    """The planes of a stack. ``folded`` is (frame, scale, plane, row, column, channel), flat per frame."""

    def __init__(self, stack: PlaneStack, frames: int) -> None:
        self.scales: list[_Scale] = []
        for static, basis in zip(stack.static, stack.basis, strict=True):
            origin = sum(scale.values for scale in self.scales)
            self.scales.append(_Scale(static, basis, origin))
        total = sum(scale.values for scale in self.scales)
        self.folded = np.empty((frames, total), np.float32)
        self.gradients = np.empty((frames, total), np.float32)
        # The largest first, which balances the threads.
        order = sorted(self.scales, key=lambda scale: -scale.size * scale.size * scale.images)
        self._tasks = [(scale, plane) for scale in order for plane in range(PLANES)]

    def parameters(self) -> list[Tensor]:
        """All parameters trained here; a scale without basis planes has an empty one, left out."""
        return [each for scale in self.scales for each in scale.parameters if each.numel() > 0]

    def fold(self, coefficients: Sequence[Float32[np.ndarray, "frame _"]], steps: PlaneSteps) -> None:
        """Fold all scales with the ``coefficients`` of their images; stored form if ``steps`` are above 0."""
        frames, total = self.folded.shape
        out = self.folded.reshape(-1)

        def work(task: tuple[_Scale, int]) -> None:
            scale, plane = task
            fold(
                scale.lane_type, *(_flat(each) for each in scale.parameters), plane, scale.size**2,
                _numbers(steps), coefficients[self.scales.index(scale)].reshape(-1), frames, out,
                FoldedLayout(total, scale.origin + plane * scale.plane), scale.magnitudes,
            )  # fmt: skip

        in_threads(work, self._tasks)

    def rounded(self, steps: PlaneSteps) -> list[RoundedParameter]:
        """What the rate term of the symbols just folded needs, for static and basis planes of each scale."""
        items = []
        for scale in self.scales:
            sums = torch.from_numpy(scale.magnitudes).view(scale.images, PLANES, scale.channels, 1, 1)
            for parameter, part, step in zip(scale.parameters, (sums[0], sums[1:]), steps, strict=True):
                if parameter.numel() > 0:
                    slope = laplace_slopes(part, scale.size**2)
                    items.append(RoundedParameter(parameter, parameter.data, step, slope, plane=True))
        return items

    def scatter(
        self,
        starts: Float32[np.ndarray, "frame _"],
        steps: Float32[np.ndarray, "frame _"],
        positions: Float32[np.ndarray, "frame _"],
        count: int,
        sample_gradients: Float32[np.ndarray, "frame scale 3 _"],
    ) -> None:
        """Add up the gradients of the samples, ``count`` of each ray, in ``gradients``."""

        def work(task: tuple[_Scale, int, int]) -> None:
            scale, plane, frame = task
            begin = scale.origin + plane * scale.plane
            scatter(
                scale.lane_type, starts[frame], steps[frame], _AXES[plane], positions[frame], count,
                sample_gradients[frame, self.scales.index(scale), plane], scale.size,
                self.gradients[frame, begin : begin + scale.plane],
            )  # fmt: skip

        in_threads(work, [(*task, frame) for task in self._tasks for frame in range(len(starts))])

    def update(
        self,
        adam: torch.optim.Optimizer,
        rule: AdamRule,
        coefficients: Sequence[Float32[np.ndarray, "frame _"]],
        variation: float,
        steps: PlaneSteps,
        rate_slopes: Sequence[Float32[np.ndarray, " _"]],
    ) -> list[Float32[np.ndarray, "frame _"]]:
        """Apply Adam to all planes; return the gradients of the coefficients, for the planes as folded."""
        frames, total = self.gradients.shape
        gradients, factors = self.gradients.reshape(-1), rule.factors()
        trained = [[_trained_values(adam, each) for each in scale.parameters] for scale in self.scales]
        sums = [
            np.zeros((PLANES, frames * scale.images * scale.channels), np.float32) for scale in self.scales
        ]

        def work(task: tuple[_Scale, int]) -> None:
            scale, plane = task
            index = self.scales.index(scale)
            update(
                scale.lane_type, *trained[index], plane, scale.size, gradients,
                FoldedLayout(total, scale.origin + plane * scale.plane), coefficients[index].reshape(-1),
                frames, scale.smoothness(variation), _numbers(steps), rate_slopes[index], factors,
                scale.above[plane], sums[index][plane],
            )  # fmt: skip

        in_threads(work, self._tasks)
        for parameter in self.parameters():
            adam.state[parameter]["step"] += 1
        return [
            each.sum(axis=0).reshape(frames, scale.images, scale.channels).sum(axis=2)
            for each, scale in zip(sums, self.scales, strict=True)
        ]

    def rate_slopes(
        self, rounded: Sequence[RoundedParameter], weight: float
    ) -> list[Float32[np.ndarray, " _"]]:
        """The slope of the rate term, (image, plane, channel) of each scale; zeros if not rounded."""
        if not rounded:
            return [np.zeros_like(scale.magnitudes) for scale in self.scales]
        by_parameter = {id(item.parameter): rate_slope(item, weight).reshape(-1).numpy() for item in rounded}
        return [
            np.concatenate([by_parameter[id(each)] for each in scale.parameters if each.numel() > 0])
            for scale in self.scales
        ]


def _numbers(steps: PlaneSteps) -> StaticAndBasis:
    return StaticAndBasis(np.float32(steps.static), np.float32(steps.basis))


def _trained_values(adam: torch.optim.Optimizer, parameter: Tensor) -> TrainedValues:
    """A parameter's values and moments, as flat views."""
    state = adam.state[parameter]
    if not state and parameter.numel() > 0:
        state["step"] = torch.zeros((), dtype=torch.float32)
        state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
    moments = (state["exp_avg"], state["exp_avg_sq"]) if state else (parameter, parameter)
    return TrainedValues(*(_flat(each) for each in (parameter, *moments)))


def _flat(values: Tensor) -> np.ndarray:
    """A view of planes, channels innermost."""
    array: np.ndarray = values.detach().movedim(-3, -1).view(-1).numpy()
    return array
