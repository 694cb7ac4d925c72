"""The ``planes`` field: feature planes modulated by a latent code and decoded by a tiny MLP.

At each scale three axis-aligned planes (xy, xz, yz) of R x R features are looked up bilinearly and multiplied
(K-Planes' product, without its time planes). Time enters through the latent z only:

    P(z) = 1 + P_0 + sum_k a_k(z) B_k,       a(z) = A z + b

Planes are initialised to the constant 1 (P_0 and B_k to zero), so untrained texels cost nothing in the file.
Folding computes that sum once per frame; the result is a static tri-plane field. The MLP takes the
concatenated features of all scales, and z through its bias.

Shading is deferred (SNeRG, MERF): density, base colour and a few view features are accumulated along the ray,
and one evaluation of a tiny MLP per ray adds the view-dependent colour.

Planes have the shape (..., channel, row, column) and are stored with the channels last: a look-up reads all
channels of a texel at once.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from dynerf_decoder.backends.folded_planes import FoldedStack, has_kernels, needs_gradient
from dynerf_decoder.kernels.records import Bounds
from dynerf_decoder.scene.contraction import RayIntervals
from dynerf_decoder.scene.ray_sampling import Sampling
from dynerf_decoder.setting import setting
from dynerf_format import Occupancy

from .field import Model
from .plane_query import query_stack
from .positional_encoding import encode, encoded_size

if TYPE_CHECKING:
    from dynerf_decoder.backends.cpu.ray_marcher import CpuMarcher
    from dynerf_decoder.backends.triton.triton_marcher import TritonMarcher

_DENSITY_BIAS = -1.0  # an untrained field is thin fog: exp(-1) = 0.37 per cube unit
_DENSITY_RANGE = (-10.0, 8.0)  # of the exponent: from empty to opaque within a thousandth of the cube
DENSITY_BOUNDS = Bounds(*map(np.float32, (_DENSITY_BIAS, *_DENSITY_RANGE)))
_DIRECTION_FREQUENCIES = 2


@dataclass(frozen=True)
class PlanesSettings:
    """Sizes of the ``planes`` model; stored in the file's field record."""

    latent: int = setting("Dimensions of the latent code.", "dimensions", default=32)
    scales: tuple[int, ...] = setting(
        "Resolutions of the feature planes, coarsest first.", "texels per side", default=(64, 160)
    )
    channels: int = setting("Feature channels of each plane.", "channels", default=8)
    basis: tuple[int, ...] = setting(
        "Basis planes per scale that the latent blends; 0: the scale is static.", "planes", default=(8, 8)
    )
    coarse_basis: int = setting("Basis planes of the coarse field.", "planes", default=8)
    hidden: int = setting("Hidden units of the network that decodes features.", "units", default=64)
    view_features: int = setting(
        "Features accumulated along a ray for the view network.", "features", default=6
    )
    view_hidden: int = setting(
        "Hidden units of the view network, evaluated once per ray.", "units", default=32
    )
    coarse_scale: int = setting("Resolution of the coarse field's planes.", "texels per side", default=64)
    coarse_channels: int = setting("Feature channels of the coarse field.", "channels", default=4)
    coarse_hidden: int = setting("Hidden units of the coarse field.", "units", default=16)


class PlanesModel(Model):
    """A fine ``planes`` field and a small coarse one, with density only, for placing samples."""

    def __init__(self, settings: PlanesSettings) -> None:
        super().__init__()
        self.settings = settings
        self.latent_size = settings.latent
        self.fine = PlaneStack(
            settings.latent, settings.scales, settings.channels, settings.basis, settings.hidden,
            outputs=1 + 3 + settings.view_features,
        )  # fmt: skip
        self.coarse = PlaneStack(
            settings.latent, (settings.coarse_scale,), settings.coarse_channels,
            (settings.coarse_basis,), settings.coarse_hidden, outputs=1,
        )  # fmt: skip
        inputs = 3 + settings.view_features + encoded_size(3, _DIRECTION_FREQUENCIES)
        offset = nn.Linear(settings.view_hidden, 3)
        nn.init.zeros_(offset.weight)
        nn.init.zeros_(offset.bias)
        self.view = nn.Sequential(nn.Linear(inputs, settings.view_hidden), nn.ReLU(), offset)

    @property
    def view_hidden(self) -> nn.Linear:
        """The first layer of the view network; its inputs are a ray's features and direction."""
        layer = self.view[0]
        assert isinstance(layer, nn.Linear)
        return layer

    @property
    def view_out(self) -> nn.Linear:
        """The last layer of the view network; its outputs are added to the base colour."""
        layer = self.view[2]
        assert isinstance(layer, nn.Linear)
        return layer

    def fold(self, latents: Float[Tensor, "frame latent"]) -> "FoldedPlanesModel":
        return FoldedPlanesModel(
            FoldedPlanes(self.fine.fold(latents), self.view), FoldedCoarse(self.coarse.fold(latents)),
            self.occupancy,
        )  # fmt: skip


class PlaneStack(nn.Module):
    """Planes at several scales and the MLP that decodes their features."""

    def __init__(
        self,
        latent: int,
        scales: tuple[int, ...],
        channels: int,
        basis: tuple[int, ...],
        hidden: int,
        outputs: int,
    ) -> None:
        super().__init__()
        if len(scales) != len(basis):
            raise ValueError(
                f"{len(scales)} scales and {len(basis)} numbers of basis planes, expected as many of each "
                "(planes.scales, planes.basis)"
            )
        if sum(basis) == 0:
            raise ValueError("no basis planes at any scale: the scene would be static")
        self.static = nn.ParameterList(_channels_last(3, channels, size, size) for size in scales)
        self.basis = nn.ParameterList(
            _channels_last(count, 3, channels, size, size) for size, count in zip(scales, basis, strict=True)
        )
        self._static_cache: dict[int, tuple[tuple[int, int], Tensor]] = {}
        self.mix = nn.Linear(latent, sum(basis))
        self.hidden = nn.Linear(channels * len(scales), hidden)
        self.hidden_latent = nn.Linear(latent, hidden, bias=False)
        self.out = nn.Linear(hidden, outputs)
        nn.init.zeros_(self.hidden_latent.weight)
        nn.init.zeros_(self.out.bias)

    def fold(self, latents: Float[Tensor, "frame latent"]) -> FoldedStack:
        """Compute each frame's planes and biases."""
        coefficients = self.mix(latents).split([len(basis) for basis in self.basis], dim=-1)
        single_frame = len(latents) == 1 and not any(static.requires_grad for static in self.static)
        planes = [
            self._static_planes(scale)
            if len(basis) == 0 and single_frame
            else _fold_scale(coefficient, static, basis)
            for scale, (coefficient, static, basis) in enumerate(
                zip(coefficients, self.static, self.basis, strict=True)
            )
        ]
        bias = self.hidden.bias + self.hidden_latent(latents)
        return FoldedStack(planes, self.hidden.weight, bias, self.out.weight, self.out.bias)

    def _static_planes(self, scale: int) -> Float[Tensor, "1 3 size size channel"]:
        """Planes without a basis, often the largest: folded once and cached until the weights change."""
        static = self.static[scale]
        key = (static._version, static.data_ptr())
        if self._static_cache.get(scale, (None,))[0] != key:
            self._static_cache[scale] = key, 1 + static.movedim(1, -1).unsqueeze(0)
        return self._static_cache[scale][1]


def _channels_last(*shape: int) -> Tensor:
    """Zeros of shape (..., channel, row, column), stored as (..., row, column, channel)."""
    *outer, channels, rows, columns = shape
    return torch.zeros(*outer, rows, columns, channels).movedim(-1, -3)


def _fold_scale(
    coefficients: Float[Tensor, "frame basis"],
    static: Float[Tensor, "3 channel size size"],
    basis: Float[Tensor, "basis 3 channel size size"],
) -> Float[Tensor, "frame 3 size size channel"]:
    static_last, basis_last = static.movedim(1, -1), basis.movedim(2, -1)
    if has_kernels(static) and not needs_gradient(coefficients, static, basis):
        from dynerf_decoder.backends.cpu.plane_fold import fold

        return fold(coefficients, static_last, basis_last)
    return fold_plain(coefficients, static_last, basis_last)


def fold_plain(
    coefficients: Float[Tensor, "frame basis"],
    static: Float[Tensor, "3 size size channel"],
    basis: Float[Tensor, "basis 3 size size channel"],
) -> Float[Tensor, "frame 3 size size channel"]:
    """Fold in torch, on any device and in any precision: the kernels' reference."""
    planes = (1 + static).flatten().expand(len(coefficients), -1)
    if len(basis) > 0:
        planes = torch.addmm(planes, coefficients, basis.flatten(start_dim=1))
    return planes.reshape(len(coefficients), *static.shape)


def encoded_directions(directions: Float[Tensor, "*ray 3"]) -> Float[Tensor, "*ray code"]:
    """A ray's direction as encoded for the view network."""
    return encode(directions, _DIRECTION_FREQUENCIES)


@dataclass(frozen=True)
class FoldedPlanes:
    """The fine field of some frames: density, base colour and view features; shading is per ray."""

    stack: FoldedStack
    view: nn.Sequential

    def query(
        self, points: Float[Tensor, "frame ray sample 3"], directions: Float[Tensor, "frame ray 3"]
    ) -> tuple[Float[Tensor, "frame ray sample"], Float[Tensor, "frame ray sample channel"]]:
        frames, rays, samples, _ = points.shape
        raw = query_stack(self.stack, points.reshape(frames, -1, 3))
        raw = raw.view(frames, rays, samples, raw.shape[-1])
        return _density(raw[..., 0]), torch.sigmoid(raw[..., 1:])

    def density(self, points: Float[Tensor, "frame ray sample 3"]) -> Float[Tensor, "frame ray sample"]:
        """Density from the network's first output only."""
        density_stack = replace(
            self.stack, out_weight=self.stack.out_weight[:1], out_bias=self.stack.out_bias[:1]
        )
        return FoldedCoarse(density_stack).density(points)

    def shade(
        self, features: Float[Tensor, "frame ray channel"], directions: Float[Tensor, "frame ray 3"]
    ) -> Float[Tensor, "frame ray 3"]:
        inputs = torch.cat([features, encoded_directions(directions)], dim=-1)
        offset: Tensor = self.view(inputs)
        return features[..., :3] + offset


@dataclass(frozen=True)
class FoldedCoarse:
    """The coarse field of some frames: density only."""

    stack: FoldedStack

    def density(self, points: Float[Tensor, "frame ray sample 3"]) -> Float[Tensor, "frame ray sample"]:
        frames, rays, samples, _ = points.shape
        raw = query_stack(self.stack, points.reshape(frames, -1, 3))
        return _density(raw.view(frames, rays, samples))


def _density(raw: Tensor) -> Tensor:
    """Density by an exponential, which covers the range from air to wall in few training steps."""
    return torch.exp((raw + _DENSITY_BIAS).clamp(*_DENSITY_RANGE))


@dataclass(frozen=True)
class FoldedPlanesModel:
    """Both folded fields."""

    fine: FoldedPlanes
    coarse: FoldedCoarse
    occupancy: Occupancy | None = None

    @property
    def floats_per_sample(self) -> int:
        """The looked-up features, and inputs and outputs of the hidden layer."""
        stack = self.fine.stack
        return sum(3 * planes.shape[-1] for planes in stack.planes) + sum(stack.hidden_weight.shape)

    def plain(self) -> "FoldedPlanesModel":
        """The same model in torch, without kernels or grids: the reference."""
        fine = replace(self.fine, stack=replace(self.fine.stack, plain=True))
        return FoldedPlanesModel(fine, FoldedCoarse(replace(self.coarse.stack, plain=True)))

    def march(
        self,
        intervals: RayIntervals,
        directions: Float[Tensor, "1 ray 3"],
        sampling: Sampling,
        min_transmittance: float,
    ) -> tuple[Float[Tensor, "1 ray 3"], Float[Tensor, "1 ray"]] | None:
        """March one frame's rays by kernels: colours, and the positions where half the light is absorbed.

        A ray ends at ``min_transmittance``; one that misses is black. None when no kernel supports the model.
        """
        if sampling.union:
            return None
        counts = sampling.coarse, sampling.fine
        if self._triton_marcher is not None:
            marched = self._triton_marcher(intervals, *counts, min_transmittance)
            if marched is None:
                return None
            features, medians = marched
            return self.fine.shade(features, directions) * intervals.hit.unsqueeze(-1), medians
        return (
            None
            if self._cpu_marcher is None
            else self._cpu_marcher(intervals, directions, counts, min_transmittance)
        )

    @cached_property
    def _triton_marcher(self) -> "TritonMarcher | None":
        from dynerf_decoder.backends.triton.triton_marcher import TritonMarcher, can_use_triton

        stacks = (self.coarse.stack, self.fine.stack)
        if any(stack.plain for stack in stacks) or not can_use_triton(stacks[0].out_bias.device):
            return None
        return TritonMarcher.of(*stacks, DENSITY_BOUNDS)

    @cached_property
    def _cpu_marcher(self) -> "CpuMarcher | None":
        stacks = (self.coarse.stack, self.fine.stack)
        if not all(stack.has_kernels() and len(stack.hidden_bias) == 1 for stack in stacks):
            return None
        from dynerf_decoder.backends.cpu.ray_marcher import CpuMarcher

        return CpuMarcher.of(*stacks, self.fine.view, self.occupancy, DENSITY_BOUNDS)
