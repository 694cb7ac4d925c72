"""A training step of the ``planes`` field by numba kernels: fold, rays forward and backward, plane update.

What takes autograd over ``render_rays`` and ``plane_passes.py`` some forty passes over memory is done here
ray by ray and texel by texel. The sizes of parts and the order of sums do not depend on the number of
threads.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dynerf_decoder.backends.cpu.plane_stack import output_lanes, padded
from dynerf_decoder.backends.folded_planes import has_kernels
from dynerf_decoder.fields.planes import DENSITY_BOUNDS, PlanesModel, PlaneStack, encoded_directions
from dynerf_decoder.kernels.fold import PLANES
from dynerf_decoder.scene.ray_sampling import draw_jitter
from dynerf_decoder.threads import in_threads, threads_for_parts
from dynerf_encoder.config.schema import Config
from dynerf_encoder.kernels.ray_pass import BLOCK, train_rays
from dynerf_encoder.kernels.records import (
    Field,
    IntervalScratch,
    JitterArrays,
    NetworkGradients,
    PassScratch,
    RayArrays,
    RaySpan,
    SampleBuffers,
    Scratch,
    StepConstants,
    StepGradients,
)
from dynerf_encoder.rate.step_sizes import rounding_step
from dynerf_encoder.rays.cpu_source import TrainingRays

from .cpu_network import TrainedNetwork
from .plane_optimiser import AdamRule, PlaneSteps, TrainedPlanes
from .protocol import StepMetrics, StepState

_PART_RAYS = 256  # rays of one frame in one task of a thread; a multiple of BLOCK


def supports(config: Config, model: torch.nn.Module) -> bool:
    """Whether the kernels can train this: on a CPU, in float32, planes that fit registers, no union."""
    if not isinstance(model, PlanesModel) or config.sampling.union:
        return False
    stacks = (model.fine, model.coarse)
    fits = all(has_kernels(static) for stack in stacks for static in stack.static)
    return fits and all(len(stack.out.bias) <= 32 for stack in stacks)


@dataclass(frozen=True)
class PackedRays:
    """A step's rays, padded to whole blocks; arrays are (frame, flat).

    ``frame_numbers`` are the numbers of the frames.
    """

    frame_numbers: Tensor
    rays: RayArrays
    jitter: JitterArrays
    count: int  # rays of a frame without padding

    @property
    def frames(self) -> int:
        return len(self.rays.hit)

    @property
    def padded_count(self) -> int:
        return int(self.rays.hit.shape[1])

    def parts(self) -> list[tuple[int, int, int]]:
        """Parts of the batch: frame, first ray and the end of the range."""
        return [
            (frame, first, min(first + _PART_RAYS, self.padded_count))
            for frame in range(self.frames)
            for first in range(0, self.padded_count, _PART_RAYS)
        ]


class _Stacks(NamedTuple):
    """The planes of both stacks."""

    coarse: TrainedPlanes
    fine: TrainedPlanes


class _Networks(NamedTuple):
    """The networks of both stacks and that of the colours."""

    coarse: TrainedNetwork
    fine: TrainedNetwork
    view: TrainedNetwork


class _Samples(NamedTuple):
    """Positions of a step's samples, and gradients of the planes' values there; items are (frame, ...)."""

    positions: np.ndarray
    gradients: np.ndarray

    def of(self, frame: int) -> SampleBuffers:
        """What the kernel fills for a frame."""
        return SampleBuffers(self.positions[frame], self.gradients[frame].reshape(-1))


class CpuKernelStep:
    """A ``TrainingStep`` of what ``supports`` accepts, in one process."""

    prefetch = True

    def __init__(self, state: StepState) -> None:
        config, model = state.config, state.model
        assert isinstance(model, PlanesModel)
        frames = config.schedule.frames_per_step
        self._config, self._space, self._model, self._latents = config, state.space, model, state.latents
        self._adam, self._rate = state.adam, state.rate
        self._planes = _Stacks(TrainedPlanes(model.coarse, frames), TrainedPlanes(model.fine, frames))
        self._thread_local = threading.local()
        self._buffers: list[_Samples] = []  # coarse and fine
        self._nets = _Networks(
            coarse=TrainedNetwork(model.coarse.hidden, model.coarse.out, output_lanes(1)),
            fine=TrainedNetwork(model.fine.hidden, model.fine.out, output_lanes(len(model.fine.out.bias))),
            view=TrainedNetwork(model.view_hidden, model.view_out, output_lanes(3)),
        )

    def prepare(self, rays: TrainingRays, generator: torch.Generator) -> PackedRays:
        with threads_for_parts():
            frames, count, _ = rays.directions.shape
            jitter = draw_jitter((frames, count), self._config.sampling, generator, torch.device("cpu"))
            intervals = self._space.clip(rays.origins, rays.directions)
            padded_count = -(-count // BLOCK) * BLOCK
            values = (
                intervals.start, intervals.end - intervals.start, intervals.length(), intervals.hit,
                rays.colours, encoded_directions(rays.directions),
            )  # fmt: skip
            arrays = RayArrays(*(_padded_flat(each, padded_count) for each in values))
            random = JitterArrays(*(_padded_flat(each, padded_count) for each in jitter))
            return PackedRays(torch.as_tensor(rays.frames), arrays, random, count)

    def __call__(self, batch: PackedRays, position: float) -> StepMetrics:
        with threads_for_parts():
            return self._step(batch, position)

    def _step(self, batch: PackedRays, position: float) -> StepMetrics:
        self._adam.zero_grad(set_to_none=True)
        with self._rate.stored_form(self._model, self._latents, position, planes=False) as rounded:
            latents = self._latents[batch.frame_numbers]
            stacks = (self._model.coarse, self._model.fine)
            modulated = [_modulate(stack, latents) for stack in stacks]
            steps = [self._rounding_steps(name, bool(rounded)) for name in ("coarse", "fine")]
            coefficients = [[_with_static(each) for each in parts] for parts, _ in modulated]
            symbols = []
            for planes, own, step in zip(self._planes, coefficients, steps, strict=True):
                planes.fold(own, step)
                symbols.append(planes.rounded(step) if rounded else [])
            biases = [bias for _, bias in modulated]
            samples = self._sample_buffers(batch)
            metrics, bias_gradients = self._train_rays(batch, biases, samples)
            coefficient_gradients = []
            rule = self._adam_rule()
            starts, directions = batch.rays.starts, batch.rays.steps
            for planes, each, count in zip(self._planes, samples, self._counts, strict=True):
                planes.scatter(starts, directions, each.positions, count, each.gradients)
            for planes, own, step, items in zip(self._planes, coefficients, steps, symbols, strict=True):
                rate_slopes = planes.rate_slopes(items, self._rate.weight)
                variation = self._config.optimiser.total_variation
                found = planes.update(self._adam, rule, own, variation, step, rate_slopes)
                coefficient_gradients.append(found)
            _backward(modulated, coefficient_gradients, bias_gradients)
            rounded += [item for items in symbols for item in items]
        self._rate.add_gradient(rounded)
        self._adam.step()
        return metrics

    @property
    def _counts(self) -> tuple[int, int]:
        return self._config.sampling.coarse, self._config.sampling.fine

    def _rounding_steps(self, stack: str, stored_form: bool) -> PlaneSteps:
        values = self._model.coarse.static[0]
        if not stored_form:
            return PlaneSteps(torch.zeros(()), torch.zeros(()))
        quantisation = self._rate.quantisation
        return PlaneSteps(
            rounding_step(f"{stack}.static.0", values, quantisation),
            rounding_step(f"{stack}.basis.0", values, quantisation),
        )

    def _adam_rule(self) -> AdamRule:
        group = self._adam.param_groups[0]
        state = self._adam.state[self._planes.coarse.parameters()[0]]
        done = int(state["step"]) if state else 0
        beta1, beta2 = group["betas"]
        return AdamRule(group["lr"], beta1, beta2, group["eps"], done + 1)

    def _train_rays(
        self, batch: PackedRays, biases: Sequence[Tensor], samples: Sequence[_Samples]
    ) -> tuple[StepMetrics, list[np.ndarray]]:
        """Train on all rays and fill ``samples``; return the metrics and the gradients of ``biases``."""
        parts = batch.parts()
        coarse, fine = (
            self._fields(planes, net, bias)
            for planes, net, bias in zip(self._planes, self._nets[:2], biases, strict=True)
        )
        coarse_samples, fine_samples = samples
        view = self._nets.view.arrays(self._model.view_hidden.bias, len(self._model.fine.out.bias) - 1)
        sums = [net.sums(len(parts)) for net in self._nets]
        even = torch.linspace(0, 1, self._config.sampling.coarse + 1).numpy()
        total = batch.frames * batch.count
        error_scales = np.float32(1 / (3 * total)), np.float32(self._config.optimiser.coarse_weight / total)
        constants = StepConstants(DENSITY_BOUNDS, *self._counts, *error_scales)
        rays = [RayArrays(*(each[frame] for each in batch.rays)) for frame in range(batch.frames)]
        jitter = [JitterArrays(*(each[frame] for each in batch.jitter)) for frame in range(batch.frames)]
        errors = np.zeros((len(parts), 2))

        def work(index: int) -> None:
            frame, first, last = parts[index]
            errors[index] = train_rays(
                coarse[frame], fine[frame], view, rays[frame], jitter[frame], even, constants,
                RaySpan(first, last, batch.count), coarse_samples.of(frame), fine_samples.of(frame),
                self._scratch(),
                StepGradients(*(NetworkGradients(*(each[index] for each in net)) for net in sums)),
            )  # fmt: skip

        in_threads(work, range(len(parts)))
        for net, sums_of_net in zip(self._nets, sums, strict=True):
            net.set_gradients(sums_of_net)
        self._model.view_hidden.bias.grad = torch.from_numpy(
            sums[-1].bias.sum(axis=0)[: self._nets.view.first.out_features]
        )
        squared, excess = errors.sum(axis=0) / (3 * total, total)
        frame_of = np.array([frame for frame, _, _ in parts])
        bias_gradients = [
            np.stack([sums[index].bias[frame_of == frame].sum(axis=0) for frame in range(batch.frames)])
            for index in range(2)
        ]
        loss = float(squared + self._config.optimiser.coarse_weight * excess)
        return StepMetrics(loss, float(squared)), bias_gradients

    def _fields(self, planes: TrainedPlanes, net: TrainedNetwork, bias: Tensor) -> list[Field]:
        """The ``records.Field`` of a stack for each frame."""
        origins = np.array([scale.origin for scale in planes.scales])
        sizes = np.array([scale.size for scale in planes.scales])
        lane_type, shared = planes.scales[0].lane_type, net.arrays(bias[0])
        biases = padded(bias, (len(bias), net.width)).numpy()
        return [
            Field(planes.folded[frame], origins, sizes, lane_type, shared._replace(bias=each))
            for frame, each in enumerate(biases)
        ]

    def _sample_buffers(self, batch: PackedRays) -> list[_Samples]:
        """Coarse and fine; reused by the next step without clearing."""
        sizes = [batch.padded_count * count for count in self._counts]
        if [each.positions.shape[1] for each in self._buffers] != sizes:
            self._buffers = [
                _Samples(
                    np.empty((batch.frames, size), np.float32),
                    np.empty(
                        (batch.frames, len(planes.scales), PLANES, size * planes.scales[0].channels),
                        np.float32,
                    ),
                )
                for planes, size in zip(self._planes, sizes, strict=True)
            ]
        return self._buffers

    def _scratch(self) -> Scratch:
        """This thread's scratch arrays; reused, because their zero padding is never written."""
        if not hasattr(self._thread_local, "scratch"):
            self._thread_local.scratch = self._make_scratch()
        scratch: Scratch = self._thread_local.scratch
        return scratch

    def _make_scratch(self) -> Scratch:
        """Scratch arrays for a block of rays."""
        coarse, fine = (
            PassScratch(
                net.sample_scratch(BLOCK * count, planes.scales[0].channels, len(planes.scales)),
                IntervalScratch(*(np.zeros(BLOCK * size, np.float32) for size in (count + 1, *(count,) * 6))),
            )
            for net, planes, count in zip(self._nets, self._planes, self._counts, strict=False)
        )
        view = self._nets.view.ray_scratch(self._nets.fine.lanes)
        return Scratch(coarse, fine, view, np.zeros(self._config.sampling.coarse + 1, np.float32))


def _modulate(stack: PlaneStack, latents: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
    """The coefficients of each scale's basis planes and the bias of the hidden layer, of each frame."""
    coefficients = stack.mix(latents).split([len(basis) for basis in stack.basis], dim=-1)
    return coefficients, stack.hidden.bias + stack.hidden_latent(latents)


def _with_static(coefficients: Tensor) -> np.ndarray:
    values = coefficients.detach().numpy()
    return np.concatenate([np.ones((len(values), 1), np.float32), values], axis=1)


def _backward(
    modulated: Sequence[tuple[tuple[Tensor, ...], Tensor]],
    coefficient_gradients: Sequence[Sequence[np.ndarray]],
    bias_gradients: Sequence[np.ndarray],
) -> None:
    """Backpropagate the gradients of coefficients and biases to the latents and what maps them."""
    outputs, gradients = [], []
    pairs = zip(modulated, coefficient_gradients, bias_gradients, strict=True)
    for (coefficients, bias), own, bias_gradient in pairs:
        outputs += [*coefficients, bias]
        gradients += [torch.from_numpy(np.ascontiguousarray(each[:, 1:])) for each in own]
        gradients.append(torch.from_numpy(np.ascontiguousarray(bias_gradient[:, : bias.shape[1]])))
    torch.autograd.backward(outputs, gradients)


def _padded_flat(values: Tensor, padded_count: int) -> np.ndarray:
    """(frame, ray, ...) with rays of zeros appended, flat for each frame."""
    if values.shape[1] < padded_count:
        values = padded(values, (values.shape[0], padded_count, *values.shape[2:]))
    array: np.ndarray = values.reshape(len(values), -1).contiguous().numpy()
    return array
