"""Volume rendering along rays: from densities to weights to accumulated values.

The last axis runs along the ray. ``edges`` s_0 <= ... <= s_n divide a ray into n intervals; the density sigma
(per cube unit) is constant within an interval of cube length delta:

    alpha_i = 1 - exp(-sigma_i delta_i)        opacity
    T_i     = prod_{j<i} (1 - alpha_j)         transmittance in front of interval i
    w_i     = T_i alpha_i                      weight                    (NeRF, eq. 3)

The far end of the space is opaque: the last interval takes the remaining light, w_n = T_n, so weights sum to
one. This is NeRF's last interval of infinite length; it projects what is beyond the space onto its border.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor


def ray_weights(
    density: Float[Tensor, "*ray sample"], lengths: Float[Tensor, "*ray sample"]
) -> Float[Tensor, "*ray sample"]:
    """Weights w of the intervals; they sum to one. Differentiable in both arguments."""
    depths = density * lengths
    transmittance = torch.exp(-torch.cumsum(depths[..., :-1], dim=-1))
    front = F.pad(transmittance, (1, 0), value=1.0)
    behind = F.pad(transmittance, (0, 1), value=0.0)
    return front - behind


def accumulate(
    weights: Float[Tensor, "*ray sample"], values: Float[Tensor, "*ray sample channel"]
) -> Float[Tensor, "*ray channel"]:
    """Weighted sums of values along the rays (NeRF, eq. 3)."""
    return (weights.unsqueeze(-1) * values).sum(dim=-2)


def median_position(
    weights: Float[Tensor, "*ray sample"], edges: Float[Tensor, "*ray edge"]
) -> Float[Tensor, "*ray"]:
    """Where the accumulated weight reaches one half, interpolated linearly: a depth robust to outliers."""
    cumulative = torch.cumsum(weights, dim=-1)
    index = (cumulative < 0.5).sum(dim=-1, keepdim=True).clamp_max(weights.shape[-1] - 1)
    weight = weights.gather(-1, index)
    before = cumulative.gather(-1, index) - weight
    fraction = ((0.5 - before) / weight.clamp_min(1e-6)).clamp(0, 1)
    lower, upper = edges.gather(-1, index), edges.gather(-1, index + 1)
    return (lower + fraction * (upper - lower)).squeeze(-1)
