"""The planes of one stack in a training by kernels: folded, then asked for changes, then changed by Adam.

Two passes over all parameters a step: ``fold`` rounds on the fly while the model is trained in its stored
form, ``update`` forms each parameter's gradient, total variation and price included, and at once applies
Adam. The moments are kept where ``torch.optim.Adam`` keeps them, so a checkpoint does not tell who made them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from dynerf_decoder.backends.cpu.threads import in_threads
from dynerf_decoder.fields.planes import PlaneStack
from dynerf_encoder.rate.rate_loss import Rounded, price, slopes
from dynerf_encoder.step.kernels.planes import fold, update
from dynerf_encoder.step.kernels.records import AdamNumbers, Spans
from dynerf_encoder.step.kernels.scatter import scatter

PLANES = 3
_AXES = ((0, 1), (0, 2), (1, 2))  # of the planes xy, xz and yz: along columns, along rows


@dataclass(frozen=True)
class AdamRule:
    """Adam's numbers for one step; ``step`` counts from 1."""

    rate: float
    beta1: float
    beta2: float
    epsilon: float
    step: int

    def numbers(self) -> AdamNumbers:
        """As ``kernels.planes.adam`` takes them."""
        size = self.rate / (1 - self.beta1**self.step)
        correction = (1 - self.beta2**self.step) ** -0.5
        exact = (1 - self.beta1, self.beta2, 1 - self.beta2, size, correction, self.epsilon)
        return AdamNumbers(*(np.float32(number) for number in exact))


class _Scale:
    """One scale: its parameters and where it lies in the flat arrays of its stack."""

    def __init__(self, static: Tensor, basis: Tensor, origin: int) -> None:
        self.parameters = (static, basis)
        self.size, self.channels = static.shape[-1], static.shape[-3]
        self.images = 1 + len(basis)
        self.origin = origin
        self.plane = self.size * self.size * self.channels
        self.numbers = PLANES * self.plane
        self.like = (np.float32(0),) * self.channels
        self.magnitudes = np.zeros(self.images * PLANES * self.channels, np.float32)
        self.above = np.zeros((PLANES, self.images * self.size * self.channels), np.float32)

    def smoothness(self, weight: float) -> tuple[np.float32, np.float32]:
        """The factors of differences in static and basis planes, as in ``plane_passes``."""
        if self.size < 2:
            return np.float32(0), np.float32(0)
        lines = PLANES * self.channels * self.size * (self.size - 1)
        return np.float32(2 * weight / lines), np.float32(2 * weight / (lines * max(self.images - 1, 1)))


class TrainedPlanes:
    """The planes of a stack. ``folded`` are (frame, scale, plane, row, column, channel), flat per frame."""

    def __init__(self, stack: PlaneStack, frames: int) -> None:
        self.scales: list[_Scale] = []
        for static, basis in zip(stack.static, stack.basis, strict=True):
            origin = sum(scale.numbers for scale in self.scales)
            self.scales.append(_Scale(static, basis, origin))
        total = sum(scale.numbers for scale in self.scales)
        self.folded = np.empty((frames, total), np.float32)
        self.asked = np.empty((frames, total), np.float32)
        # The largest first, so that threads end together.
        order = sorted(self.scales, key=lambda scale: -scale.size * scale.size * scale.images)
        self._tasks = [(scale, plane) for scale in order for plane in range(PLANES)]

    def parameters(self) -> list[Tensor]:
        """All that is trained here; a scale without basis planes has nothing there to train."""
        return [each for scale in self.scales for each in scale.parameters if each.numel() > 0]

    def fold(self, amounts: Sequence[Float32[np.ndarray, "frame _"]], step: float) -> None:
        """Fold all scales by the ``amounts`` of each one's images; stored form with a ``step`` above 0."""
        frames, total = self.folded.shape
        out = self.folded.reshape(-1)

        def work(task: tuple[_Scale, int]) -> None:
            scale, plane = task
            fold(
                scale.like, *(_flat(each) for each in scale.parameters), plane, scale.size**2,
                np.float32(step), amounts[self.scales.index(scale)].reshape(-1), frames, out,
                Spans(total, scale.origin + plane * scale.plane), scale.magnitudes,
            )  # fmt: skip

        in_threads(work, self._tasks)

    def rounded(self, step: Tensor) -> list[Rounded]:
        """What the price of the symbols just folded needs: of each scale the static and the basis planes."""
        items = []
        for scale in self.scales:
            sums = torch.from_numpy(scale.magnitudes).view(scale.images, PLANES, scale.channels, 1, 1)
            for parameter, part in zip(scale.parameters, (sums[0], sums[1:]), strict=True):
                if parameter.numel() > 0:
                    slope = slopes(part, scale.size**2)
                    items.append(Rounded(parameter, parameter.data, step, slope, plane=True))
        return items

    def scatter(
        self,
        starts: Float32[np.ndarray, "frame _"],
        steps: Float32[np.ndarray, "frame _"],
        positions: Float32[np.ndarray, "frame _"],
        count: int,
        changes: Float32[np.ndarray, "frame scale 3 _"],
    ) -> None:
        """Add up in ``asked`` what the samples ask for, ``count`` of each ray."""

        def work(task: tuple[_Scale, int, int]) -> None:
            scale, plane, frame = task
            begin = scale.origin + plane * scale.plane
            scatter(
                scale.like, starts[frame], steps[frame], _AXES[plane], positions[frame], count,
                changes[frame, self.scales.index(scale), plane], scale.size,
                self.asked[frame, begin : begin + scale.plane],
            )  # fmt: skip

        in_threads(work, [(*task, frame) for task in self._tasks for frame in range(len(starts))])

    def update(
        self,
        adam: torch.optim.Optimizer,
        rule: AdamRule,
        amounts: Sequence[Float32[np.ndarray, "frame _"]],
        variation: float,
        step: float,
        prices: Sequence[Float32[np.ndarray, " _"]],
    ) -> list[Float32[np.ndarray, "frame _"]]:
        """Apply Adam to all planes; the gradients of the amounts, of the planes as they were folded."""
        frames, total = self.asked.shape
        given, numbers = self.asked.reshape(-1), rule.numbers()
        states = [[_state(adam, each) for each in scale.parameters] for scale in self.scales]
        sums = [
            np.zeros((PLANES, frames * scale.images * scale.channels), np.float32) for scale in self.scales
        ]

        def work(task: tuple[_Scale, int]) -> None:
            scale, plane = task
            index = self.scales.index(scale)
            update(
                scale.like, *states[index], plane, scale.size, given,
                Spans(total, scale.origin + plane * scale.plane), amounts[index].reshape(-1), frames,
                scale.smoothness(variation), np.float32(step), prices[index], numbers, scale.above[plane],
                sums[index][plane],
            )  # fmt: skip

        in_threads(work, self._tasks)
        for parameter in self.parameters():
            adam.state[parameter]["step"] += 1
        return [
            each.sum(axis=0).reshape(frames, scale.images, scale.channels).sum(axis=2)
            for each, scale in zip(sums, self.scales, strict=True)
        ]

    def prices(self, rounded: Sequence[Rounded], weight: float) -> list[Float32[np.ndarray, " _"]]:
        """What a symbol of each channel costs, (image, plane, channel) of each scale; zeros in exact form."""
        if not rounded:
            return [np.zeros_like(scale.magnitudes) for scale in self.scales]
        known = {id(item.parameter): price(item, weight).reshape(-1).numpy() for item in rounded}
        return [
            np.concatenate([known[id(each)] for each in scale.parameters if each.numel() > 0])
            for scale in self.scales
        ]


def _state(adam: torch.optim.Optimizer, parameter: Tensor) -> tuple[np.ndarray, ...]:
    """A parameter's values and moments, flat, as they lie in memory."""
    state = adam.state[parameter]
    if not state and parameter.numel() > 0:
        state["step"] = torch.zeros((), dtype=torch.float32)
        state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
    moments = (state["exp_avg"], state["exp_avg_sq"]) if state else (parameter, parameter)
    return tuple(_flat(each) for each in (parameter, *moments))


def _flat(values: Tensor) -> np.ndarray:
    """A view of planes, channels innermost."""
    array: np.ndarray = values.detach().movedim(-3, -1).view(-1).numpy()
    return array
