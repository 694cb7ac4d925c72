"""Volume rendering along segments: density to weights to accumulated values.

The last axis runs along the ray. A ray's segment is cut by ``edges`` s_0 <= ... <= s_n into n intervals; the
density sigma (per cube unit) is constant within an interval of cube length delta:

    alpha_i = 1 - exp(-sigma_i delta_i)        opacity
    T_i     = prod_{j<i} (1 - alpha_j)         transmittance in front of interval i
    w_i     = T_i alpha_i                      weight                    (NeRF, eq. 3)

The far end of the space is opaque: the last interval takes what is left, w_n = T_n, so weights sum to one.
That is NeRF's last interval of infinite length, and it paints what lies beyond the space onto its border.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor


def ray_weights(
    density: Float[Tensor, "*ray sample"], lengths: Float[Tensor, "*ray sample"]
) -> Float[Tensor, "*ray sample"]:
    """Weights w of the intervals; they sum to one. Differentiable in both arguments."""
    optical = density * lengths
    through = torch.exp(-torch.cumsum(optical[..., :-1], dim=-1))
    front = F.pad(through, (1, 0), value=1.0)
    behind = F.pad(through, (0, 1), value=0.0)
    return front - behind


def accumulate(
    weights: Float[Tensor, "*ray sample"], values: Float[Tensor, "*ray sample channel"]
) -> Float[Tensor, "*ray channel"]:
    """Weighted sums of values along the rays (NeRF, eq. 3)."""
    return (weights.unsqueeze(-1) * values).sum(dim=-2)


def median_position(
    weights: Float[Tensor, "*ray sample"], edges: Float[Tensor, "*ray edge"]
) -> Float[Tensor, "*ray"]:
    """Where the accumulated weight passes one half, linear within its interval: a depth free of outliers."""
    cumulative = torch.cumsum(weights, dim=-1)
    index = (cumulative < 0.5).sum(dim=-1, keepdim=True).clamp_max(weights.shape[-1] - 1)
    inside = weights.gather(-1, index)
    before = cumulative.gather(-1, index) - inside
    fraction = ((0.5 - before) / inside.clamp_min(1e-6)).clamp(0, 1)
    lower, upper = edges.gather(-1, index), edges.gather(-1, index + 1)
    return (lower + fraction * (upper - lower)).squeeze(-1)
