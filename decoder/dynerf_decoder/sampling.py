"""Hierarchical sampling: where along a ray the field is asked.

Positions are fractions s in [0, 1] of a ray's segment in the cube. Samples come as ``edges``: n + 1
ascending positions bound n intervals, and the field is evaluated at the intervals' midpoints. (NeRF
evaluates at jittered points instead; with jittered edges the midpoints cover the ray alike, and intervals are
what the histogram bound of mip-NeRF 360 needs.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.setting import setting

PADDING = 0.01  # share of the histogram spread evenly, so that no part of a ray is never looked at


@dataclass(frozen=True)
class Sampling:
    """Samples per ray, and whether the fine field sees the coarse samples too; travels in the file."""

    coarse: int = setting("Coarse samples of a ray.", "samples")
    fine: int = setting("Fine samples of a ray.", "samples")
    union: bool = setting("Evaluate the fine field at the coarse samples too.")

    @property
    def drawn(self) -> int:
        """How many edges are drawn: with coarse edges between them or by themselves they bound ``fine``."""
        return self.fine if self.union else self.fine + 1


@dataclass(frozen=True)
class SharedNoise:
    """Random numbers for some frames of a batch whose other frames are rendered elsewhere.

    They are drawn for all ``frames`` and kept from frame ``first`` on, so that a batch split over processes
    is jittered as if it were whole.
    """

    generator: torch.Generator
    frames: int
    first: int


class DrawnNoise:
    """Random numbers that were drawn before (``draw_noise``), given out in their order."""

    def __init__(self, numbers: Sequence[Tensor]) -> None:
        self._left = list(numbers)

    def take(self, shape: tuple[int, ...]) -> Tensor:
        """The next ones. Raises ValueError when they are of another shape."""
        numbers = self._left.pop(0)
        if tuple(numbers.shape) != shape:
            raise ValueError(f"found numbers of shape {tuple(numbers.shape)}, expected {shape}")
        return numbers


Noise = torch.Generator | SharedNoise | DrawnNoise


def draw_noise(
    rays: tuple[int, ...], sampling: Sampling, generator: torch.Generator, device: torch.device
) -> tuple[Float[Tensor, "*ray inner"], Float[Tensor, "*ray new"]]:
    """What rendering so many rays takes from a generator: the jitter of coarse edges, then of fine ones."""
    coarse = torch.rand(*rays, sampling.coarse - 1, generator=generator, device=device)
    return coarse, torch.rand(*rays, sampling.drawn, generator=generator, device=device)


def stratified_edges(
    rays: tuple[int, ...], count: int, generator: Noise | None, device: torch.device
) -> Float[Tensor, "*ray edge"]:
    """``count`` equal intervals over [0, 1]; a generator jitters the inner edges by half an interval."""
    edges = torch.linspace(0, 1, count + 1, device=device).expand(*rays, count + 1)
    if generator is None:
        return edges
    jitter = (_uniform((*rays, count - 1), generator, device) - 0.5) / count
    return torch.cat([edges[..., :1], edges[..., 1:-1] + jitter, edges[..., -1:]], dim=-1)


def importance_edges(
    edges: Float[Tensor, "*ray edge"],
    weights: Float[Tensor, "*ray bin"],
    count: int,
    generator: Noise | None,
) -> Float[Tensor, "*ray new"]:
    """``count`` ascending positions drawn from a histogram by inverse-transform sampling (NeRF, 5.2).

    One falls into each of ``count`` parts of equal weight, so they bound only the stretch of the ray that
    holds the weight. Weights need not be normalised. No gradient flows through.
    """
    weights = weights.detach()
    bins = weights.shape[-1]
    padded = weights + PADDING * weights.sum(dim=-1, keepdim=True).clamp_min(1e-8) / bins
    cumulative = torch.cumsum(padded, dim=-1)
    cumulative = cumulative / cumulative[..., -1:]
    cumulative = torch.cat([torch.zeros_like(cumulative[..., :1]), cumulative], dim=-1)
    u = _ordered_uniform(tuple(weights.shape[:-1]), count, generator, weights.device)
    upper = torch.searchsorted(cumulative, u.contiguous(), right=True).clamp(1, bins)
    low, high = cumulative.gather(-1, upper - 1), cumulative.gather(-1, upper)
    fraction = ((u - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
    left, right = edges.gather(-1, upper - 1), edges.gather(-1, upper)
    return left + fraction * (right - left)


def _ordered_uniform(
    rays: tuple[int, ...], count: int, generator: Noise | None, device: torch.device
) -> Float[Tensor, "*ray count"]:
    """Ascending numbers, one in each of ``count`` equal parts of (0, 1); its middle without jitter."""
    steps = torch.arange(count, device=device, dtype=torch.float32).expand(*rays, count)
    if generator is None:
        return (steps + 0.5) / count
    return (steps + _uniform((*rays, count), generator, device)) / count


def _uniform(shape: tuple[int, ...], noise: Noise, device: torch.device) -> Tensor:
    """Numbers in [0, 1)."""
    if isinstance(noise, DrawnNoise):
        return noise.take(shape)
    if isinstance(noise, SharedNoise):
        whole = torch.rand(noise.frames, *shape[1:], generator=noise.generator, device=device)
        return whole[noise.first : noise.first + shape[0]]
    return torch.rand(*shape, generator=noise, device=device)


def merge_edges(a: Float[Tensor, "*ray n"], b: Float[Tensor, "*ray m"]) -> Float[Tensor, "*ray k"]:
    """All edges of both sets in order: NeRF's union of coarse and fine samples."""
    return torch.sort(torch.cat([a, b], dim=-1), dim=-1).values


def histogram_bound_loss(
    fine_edges: Float[Tensor, "*ray edge"],
    fine_weights: Float[Tensor, "*ray bin"],
    coarse_edges: Float[Tensor, "*ray coarse_edge"],
    coarse_weights: Float[Tensor, "*ray coarse_bin"],
) -> Float[Tensor, ""]:
    """How far the fine weights exceed what the coarse histogram allows (mip-NeRF 360, eq. 13).

    Trains the coarse field only: the fine weights are taken as given. The last fine interval is opaque and
    holds the weight of all that lies behind it, which this bound charges to the interval itself. That is
    meant: it draws the coarse weight to where the fine field has put the end of its rays. Without it a fine
    field that paints everything on its last interval is never contradicted, and no geometry is learned.
    """
    fine_weights = fine_weights.detach()
    bound = _outer_sum(fine_edges, coarse_edges, coarse_weights)
    excess = (fine_weights - bound).clamp_min(0)
    return (excess**2 / (fine_weights + 1e-5)).sum(dim=-1).mean()


def _outer_sum(
    edges: Float[Tensor, "*ray edge"],
    coarse_edges: Float[Tensor, "*ray coarse_edge"],
    coarse_weights: Float[Tensor, "*ray coarse_bin"],
) -> Float[Tensor, "*ray bin"]:
    """Sum of the weights of all coarse intervals that touch each fine one (mip-NeRF 360, eq. 12)."""
    cumulative = torch.cumsum(coarse_weights, dim=-1)
    cumulative = torch.cat([torch.zeros_like(cumulative[..., :1]), cumulative], dim=-1)
    bins = coarse_weights.shape[-1]
    first = torch.searchsorted(coarse_edges.contiguous(), edges[..., :-1].contiguous(), right=True) - 1
    last = torch.searchsorted(coarse_edges.contiguous(), edges[..., 1:].contiguous(), right=False)
    return cumulative.gather(-1, last.clamp(0, bins)) - cumulative.gather(-1, first.clamp(0, bins))
