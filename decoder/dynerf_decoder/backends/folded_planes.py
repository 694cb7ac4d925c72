"""A stack of feature planes with the latent folded in: the input of every backend."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

_MAX_LANES = 32  # channels held in registers; thousands would take too long to compile


@dataclass(frozen=True)
class FoldedStack:
    """Planes with the latent folded in, and the MLP's weights with each frame's bias."""

    planes: list[Tensor]  # (frame, 3, size, size, channel) of each scale
    hidden_weight: Float[Tensor, "hidden feature"]
    hidden_bias: Float[Tensor, "frame hidden"]
    out_weight: Float[Tensor, "output hidden"]
    out_bias: Float[Tensor, " output"]
    plain: bool = False  # torch only, without kernels

    def has_kernels(self) -> bool:
        """Whether CPU kernels support this stack: on a CPU, in float32, with sizes that fit registers."""
        fits = len(self.out_bias) <= _MAX_LANES and has_kernels(self.planes[0].movedim(-1, -3))
        return fits and not self.plain


def has_kernels(values: Float[Tensor, "*image channel row column"]) -> bool:
    """Whether CPU kernels support these planes: on a CPU, in float32, channels innermost in memory."""
    return (
        values.device.type == "cpu" and values.dtype == torch.float32
        and values.shape[-3] <= _MAX_LANES and values.movedim(-3, -1).is_contiguous()
    )  # fmt: skip


def needs_gradient(*values: Tensor) -> bool:
    """Whether autograd records operations on these tensors; kernels have no gradients."""
    return torch.is_grad_enabled() and any(each.requires_grad for each in values)
