"""Hierarchical sampling: the positions along a ray at which the field is evaluated.

Positions are fractions s in [0, 1] of a ray's interval in the cube. Samples are given by ``edges``: n + 1
ascending positions bound n bins, and the field is evaluated at their midpoints. (NeRF evaluates at jittered
points instead; with jittered edges the midpoints cover the ray equally well, and the histogram bound of
mip-NeRF 360 needs bins.)
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.setting import setting

PADDING = 0.01  # share of the histogram spread evenly, so that every part of a ray can be sampled


Jitter = tuple[Float[Tensor, "*ray inner"], Float[Tensor, "*ray new"]]
"""Uniform numbers in [0, 1) for the inner coarse edges and for the edges drawn from the histogram."""


@dataclass(frozen=True)
class Sampling:
    """Samples per ray, and whether the fine field is evaluated at coarse samples too; stored in the file."""

    coarse: int = setting("Coarse samples of a ray.", "samples")
    fine: int = setting("Fine samples of a ray.", "samples")
    union: bool = setting("Evaluate the fine field at the coarse samples too.")

    @property
    def drawn(self) -> int:
        """The number of edges drawn; merged with the coarse edges, or alone, they give ``fine`` samples."""
        return self.fine if self.union else self.fine + 1


def draw_jitter(
    rays: tuple[int, ...], sampling: Sampling, generator: torch.Generator, device: torch.device
) -> Jitter:
    """Jitter of the coarse edges and of the fine ones, for training."""
    coarse = torch.rand(*rays, sampling.coarse - 1, generator=generator, device=device)
    return coarse, torch.rand(*rays, sampling.drawn, generator=generator, device=device)


def stratified_edges(
    rays: tuple[int, ...], count: int, jitter: Float[Tensor, "*ray inner"] | None, device: torch.device
) -> Float[Tensor, "*ray edge"]:
    """``count`` equal bins over [0, 1]; jitter moves the inner edges by up to half a bin."""
    edges = torch.linspace(0, 1, count + 1, device=device).expand(*rays, count + 1)
    if jitter is None:
        return edges
    inner = edges[..., 1:-1] + (jitter - 0.5) / count
    return torch.cat([edges[..., :1], inner, edges[..., -1:]], dim=-1)


def importance_edges(
    edges: Float[Tensor, "*ray edge"],
    weights: Float[Tensor, "*ray bin"],
    count: int,
    jitter: Float[Tensor, "*ray new"] | None,
) -> Float[Tensor, "*ray new"]:
    """``count`` ascending positions drawn from a histogram by inverse-transform sampling (NeRF, 5.2).

    One lies in each of ``count`` parts of equal weight, in its middle without jitter, so they bound only the
    part of the ray that has weight. Weights need not be normalised. No gradient flows through.
    """
    weights = weights.detach()
    bins = weights.shape[-1]
    padded = weights + PADDING * weights.sum(dim=-1, keepdim=True).clamp_min(1e-8) / bins
    cumulative = torch.cumsum(padded, dim=-1)
    cumulative = cumulative / cumulative[..., -1:]
    cumulative = torch.cat([torch.zeros_like(cumulative[..., :1]), cumulative], dim=-1)
    within = 0.5 if jitter is None else jitter
    u = (torch.arange(count, device=weights.device, dtype=torch.float32) + within) / count
    u = u.expand(*weights.shape[:-1], count)
    upper = torch.searchsorted(cumulative, u.contiguous(), right=True).clamp(1, bins)
    low, high = cumulative.gather(-1, upper - 1), cumulative.gather(-1, upper)
    fraction = ((u - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
    left, right = edges.gather(-1, upper - 1), edges.gather(-1, upper)
    return left + fraction * (right - left)


def merge_edges(a: Float[Tensor, "*ray n"], b: Float[Tensor, "*ray m"]) -> Float[Tensor, "*ray k"]:
    """All edges of both sets in ascending order: NeRF's union of coarse and fine samples."""
    return torch.sort(torch.cat([a, b], dim=-1), dim=-1).values
