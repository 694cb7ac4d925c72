"""Evaluates a folded stack of planes at points: by CPU kernels where they support it, else by torch."""

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.backends.folded_planes import FoldedStack, needs_gradient

from .bilinear import look_up


def query_stack(
    stack: FoldedStack, points: Float[Tensor, "frame point 3"]
) -> Float[Tensor, "frame point output"]:
    """Raw outputs of the MLP at cube points. Differentiable in everything except the points."""
    weights = (stack.hidden_weight, stack.hidden_bias, stack.out_weight, stack.out_bias)
    if stack.has_kernels() and not needs_gradient(*stack.planes, *weights):
        from dynerf_decoder.backends.cpu.plane_stack import decode

        return decode(stack, points)
    features = look_up(stack.planes, points)
    weight = stack.hidden_weight.T.expand(len(features), -1, -1)
    hidden = torch.baddbmm(stack.hidden_bias.unsqueeze(1), features, weight)
    return F.linear(hidden.relu_(), stack.out_weight, stack.out_bias)
