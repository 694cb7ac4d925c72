"""The loss that trains a coarse density field to bound the weights of the fine field's samples."""

import torch
from jaxtyping import Float
from torch import Tensor


def histogram_bound_loss(
    fine_edges: Float[Tensor, "*ray edge"],
    fine_weights: Float[Tensor, "*ray bin"],
    coarse_edges: Float[Tensor, "*ray coarse_edge"],
    coarse_weights: Float[Tensor, "*ray coarse_bin"],
) -> Float[Tensor, ""]:
    """How far the fine weights exceed what the coarse histogram allows (mip-NeRF 360, eq. 13).

    Trains the coarse field only: the fine weights are constants. The last fine interval is opaque and holds
    the weight of everything behind it, which this bound charges to the interval itself. This is intended: it
    moves coarse weight to where the fine field ends its rays. Without it, a fine field that paints everything
    on its last interval would never be contradicted, and no geometry would be learned.
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
