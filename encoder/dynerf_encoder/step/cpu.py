"""A training step of the ``planes`` field by kernels: folded, rays followed forward and back, planes changed.

What autograd over ``render_rays`` and ``plane_passes.py`` do in some forty passes over memory happens here
ray by ray and texel by texel. Parts have one size and their sums one order, whatever the number of threads.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dynerf_decoder.backends.cpu.plane_stack import output_lanes, padded
from dynerf_decoder.backends.cpu.threads import in_threads, threads_for_parts
from dynerf_decoder.backends.folded_planes import has_kernels
from dynerf_decoder.fields.planes import DENSITY_BOUNDS, PlanesModel, PlaneStack, encoded_directions
from dynerf_decoder.scene.ray_sampling import draw_jitter
from dynerf_encoder.config.schema import Config
from dynerf_encoder.rate.step_sizes import rounding_step
from dynerf_encoder.rays.cpu_source import TrainingRays
from dynerf_encoder.step.kernels.ray_pass import BLOCK, follow
from dynerf_encoder.step.kernels.records import (
    Field,
    IntervalScratch,
    Jitter,
    NetworkSums,
    Pass,
    Rule,
    Scratch,
    Sums,
    Written,
)
from dynerf_encoder.step.kernels.records import Rays as RayArrays

from .cpu_network import TrainedNetwork
from .plane_optimiser import PLANES, AdamRule, TrainedPlanes
from .protocol import StepMetrics, StepState

_PART = 256  # rays of one frame that a thread takes at a time; a multiple of BLOCK


def serves(config: Config, model: torch.nn.Module) -> bool:
    """Whether kernels can train this: on a CPU, in float32, planes that fit registers, no union."""
    if not isinstance(model, PlanesModel) or config.sampling.union:
        return False
    stacks = (model.fine, model.coarse)
    fits = all(has_kernels(static) for stack in stacks for static in stack.static)
    return fits and all(len(stack.out.bias) <= 32 for stack in stacks)


@dataclass(frozen=True)
class PackedRays:
    """A step's rays, filled up to whole blocks; arrays are (frame, flat).

    ``numbers`` are those of the frames.
    """

    numbers: Tensor
    rays: RayArrays
    jitter: Jitter
    count: int  # rays of a frame before they were filled up

    @property
    def frames(self) -> int:
        return len(self.rays.hit)

    @property
    def whole(self) -> int:
        return int(self.rays.hit.shape[1])

    def parts(self) -> list[tuple[int, int, int]]:
        """Frame, first ray and the one after the last."""
        return [
            (frame, first, min(first + _PART, self.whole))
            for frame in range(self.frames)
            for first in range(0, self.whole, _PART)
        ]


class CpuKernelStep:
    """A ``TrainingStep`` of what ``serves`` says, in one process."""

    prefetch = True

    def __init__(self, state: StepState) -> None:
        config, model = state.config, state.model
        assert isinstance(model, PlanesModel)
        frames = config.schedule.frames_per_step
        self._config, self._space, self._model, self._latents = config, state.space, model, state.latents
        self._adam, self._rate = state.adam, state.rate
        self._planes = (TrainedPlanes(model.coarse, frames), TrainedPlanes(model.fine, frames))
        self._kept = threading.local()
        self._written: tuple[list[np.ndarray], list[np.ndarray]] | None = None
        self._nets = (
            TrainedNetwork(model.coarse.hidden, model.coarse.out, output_lanes(1)),
            TrainedNetwork(model.fine.hidden, model.fine.out, output_lanes(len(model.fine.out.bias))),
            TrainedNetwork(model.view_hidden, model.view_out, output_lanes(3)),
        )

    def prepare(self, rays: TrainingRays, generator: torch.Generator) -> PackedRays:
        with threads_for_parts():
            frames, count, _ = rays.directions.shape
            jitter = draw_jitter((frames, count), self._config.sampling, generator, torch.device("cpu"))
            segments = self._space.clip(rays.origins, rays.directions)
            whole = -(-count // BLOCK) * BLOCK
            values = (
                segments.start, segments.end - segments.start, segments.length(), segments.hit, rays.colours,
                encoded_directions(rays.directions),
            )  # fmt: skip
            filled = [_filled(each, whole) for each in (*values, *jitter)]
            return PackedRays(
                torch.as_tensor(rays.frames), RayArrays(*filled[:6]), Jitter(*filled[6:]), count
            )

    def __call__(self, batch: PackedRays, position: float) -> StepMetrics:
        with threads_for_parts():
            return self._step(batch, position)

    def _step(self, batch: PackedRays, position: float) -> StepMetrics:
        self._adam.zero_grad(set_to_none=True)
        with self._rate.stored_form(self._model, self._latents, position, planes=False) as rounded:
            latents = self._latents[batch.numbers]
            stacks = (self._model.coarse, self._model.fine)
            bent = [_bend(stack, latents) for stack in stacks]
            steps = [self._step_of(name, bool(rounded)) for name in ("coarse", "fine")]
            amounts = [[_with_static(each) for each in parts] for parts, _ in bent]
            symbols = []
            for planes, mine, step in zip(self._planes, amounts, steps, strict=True):
                planes.fold(mine, float(step))
                symbols.append(planes.rounded(step) if rounded else [])
            loss, squared, positions, changes, biases = self._follow(batch, [bias for _, bias in bent])
            slopes = []
            rule = self._rule()
            for index, planes in enumerate(self._planes):
                planes.scatter(
                    batch.rays.starts, batch.rays.steps, positions[index], self._counts[index], changes[index]
                )
            for planes, mine, step, items in zip(self._planes, amounts, steps, symbols, strict=True):
                prices = planes.prices(items, self._rate.weight)
                smooth = self._config.optimiser.total_variation
                slopes.append(planes.update(self._adam, rule, mine, smooth, float(step), prices))
            _back(bent, slopes, biases)
            rounded += [item for items in symbols for item in items]
        self._rate.charge(rounded)
        self._adam.step()
        return StepMetrics(loss, squared)

    @property
    def _counts(self) -> tuple[int, int]:
        return self._config.sampling.coarse, self._config.sampling.fine

    def _step_of(self, stack: str, stored: bool) -> Tensor:
        values = self._model.coarse.static[0]
        if not stored:
            return torch.zeros(())
        step: Tensor = rounding_step(f"{stack}.static.0", values, self._rate.quantisation)
        return step

    def _rule(self) -> AdamRule:
        group = self._adam.param_groups[0]
        state = self._adam.state[self._planes[0].scales[0].parameters[0]]
        done = int(state["step"]) if state else 0
        beta1, beta2 = group["betas"]
        return AdamRule(group["lr"], beta1, beta2, group["eps"], done + 1)

    def _follow(
        self, batch: PackedRays, biases: Sequence[Tensor]
    ) -> tuple[float, float, list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """Loss and squared error; positions and changes of coarse and fine samples, and biases' gradients."""
        parts, bins = batch.parts(), self._counts
        positions, changes = self._places(batch)
        fields = [self._fields(index, bias) for index, bias in enumerate(biases)]
        view = self._nets[2].arrays(self._model.view_hidden.bias, len(self._model.fine.out.bias) - 1)
        sums = [net.sums(len(parts)) for net in self._nets]
        even = torch.linspace(0, 1, bins[0] + 1).numpy()
        total = batch.frames * batch.count
        scales = np.float32(1 / (3 * total)), np.float32(self._config.optimiser.coarse_weight / total)
        rule = Rule(DENSITY_BOUNDS, *bins, *scales)
        rays = [RayArrays(*(each[frame] for each in batch.rays)) for frame in range(batch.frames)]
        jitter = [Jitter(*(each[frame] for each in batch.jitter)) for frame in range(batch.frames)]
        errors = np.zeros((len(parts), 2))

        def work(index: int) -> None:
            frame, first, last = parts[index]
            errors[index] = follow(
                fields[0][frame], fields[1][frame], view, rays[frame], jitter[frame], even, rule,
                (first, last, batch.count), Written(positions[0][frame], changes[0][frame].reshape(-1)),
                Written(positions[1][frame], changes[1][frame].reshape(-1)),
                self._room(), Sums(*(NetworkSums(*(each[index] for each in net)) for net in sums)),
            )  # fmt: skip

        in_threads(work, range(len(parts)))
        for net, mine in zip(self._nets, sums, strict=True):
            net.accept(mine)
        self._model.view_hidden.bias.grad = torch.from_numpy(
            sums[2].bias.sum(axis=0)[: self._nets[2].first.out_features]
        )
        squared, excess = errors.sum(axis=0) / (3 * total, total)
        frame_of = np.array([frame for frame, _, _ in parts])
        to_biases = [
            np.stack([sums[index].bias[frame_of == frame].sum(axis=0) for frame in range(batch.frames)])
            for index in range(2)
        ]
        loss = float(squared + self._config.optimiser.coarse_weight * excess)
        return loss, float(squared), positions, changes, to_biases

    def _fields(self, index: int, bias: Tensor) -> list[Field]:
        """A stack as ``kernels.samples`` takes it, of each frame."""
        planes, net = self._planes[index], self._nets[index]
        origins = np.array([scale.origin for scale in planes.scales])
        sizes = np.array([scale.size for scale in planes.scales])
        shared = net.arrays(bias[0])
        biases = padded(bias, (len(bias), net.width)).numpy()
        return [
            Field(planes.folded[frame], origins, sizes, planes.scales[0].like, shared._replace(bias=each))
            for frame, each in enumerate(biases)
        ]

    def _places(self, batch: PackedRays) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Where the samples of a step write; the same memory at every step, for it need not be cleared."""
        if self._written is None or self._written[0][0].shape[1] != batch.whole * self._counts[0]:
            positions, changes = [], []
            for planes, count in zip(self._planes, self._counts, strict=True):
                samples = batch.whole * count
                positions.append(np.empty((batch.frames, samples), np.float32))
                size = samples * planes.scales[0].channels
                changes.append(np.empty((batch.frames, len(planes.scales), PLANES, size), np.float32))
            self._written = positions, changes
        return self._written

    def _room(self) -> Scratch:
        """This thread's. What is filled up with zeros is never written, so it can be used again."""
        if not hasattr(self._kept, "room"):
            self._kept.room = self._rooms()
        room: Scratch = self._kept.room
        return room

    def _rooms(self) -> Scratch:
        """What a thread writes on while it follows a block of rays."""
        near, far = (
            Pass(
                net.room(BLOCK * count, planes.scales[0].channels, len(planes.scales)),
                IntervalScratch(*(np.zeros(BLOCK * size, np.float32) for size in (count + 1, *(count,) * 6))),
            )
            for net, planes, count in zip(self._nets, self._planes, self._counts, strict=False)
        )
        view = self._nets[2].ray_room(self._nets[1].lanes)
        return Scratch(near, far, view, np.zeros(self._counts[0] + 1, np.float32))


def _bend(stack: PlaneStack, latents: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
    """The amounts of each scale's basis planes and the hidden layer's bias, of each frame."""
    amounts = stack.mix(latents).split([len(basis) for basis in stack.basis], dim=-1)
    return amounts, stack.hidden.bias + stack.hidden_latent(latents)


def _with_static(amounts: Tensor) -> np.ndarray:
    values = amounts.detach().numpy()
    return np.concatenate([np.ones((len(values), 1), np.float32), values], axis=1)


def _back(
    bent: Sequence[tuple[tuple[Tensor, ...], Tensor]],
    slopes: Sequence[Sequence[np.ndarray]],
    biases: Sequence[np.ndarray],
) -> None:
    """From the gradients of amounts and biases to those of what made them of the latents."""
    outputs, gradients = [], []
    for (amounts, bias), mine, to_bias in zip(bent, slopes, biases, strict=True):
        outputs += [*amounts, bias]
        gradients += [torch.from_numpy(np.ascontiguousarray(each[:, 1:])) for each in mine]
        gradients.append(torch.from_numpy(np.ascontiguousarray(to_bias[:, : bias.shape[1]])))
    torch.autograd.backward(outputs, gradients)


def _filled(values: Tensor, whole: int) -> np.ndarray:
    """(frame, ray, ...) with rays of zeros at the end, flat for each frame."""
    if values.shape[1] < whole:
        values = padded(values, (values.shape[0], whole, *values.shape[2:]))
    array: np.ndarray = values.reshape(len(values), -1).contiguous().numpy()
    return array
