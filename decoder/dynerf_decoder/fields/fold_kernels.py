"""Folding the planes of a scale by kernels, for a CPU."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.kernels.fold import PLANES, fold_gradients, fold_plane
from dynerf_decoder.threads import in_threads

_PART = 2**14  # texels; planes of one size would keep some threads waiting for the others


class Folded(torch.autograd.Function):
    """``1 + static + sum of amount_k basis_k`` for each frame; float32, channels innermost and contiguous."""

    @staticmethod
    def forward(
        ctx: Any,
        amounts: Float[Tensor, "frame basis"],
        static: Float[Tensor, "3 size size channel"],
        basis: Float[Tensor, "basis 3 size size channel"],
    ) -> Float[Tensor, "frame 3 size size channel"]:
        amounts = amounts.detach().contiguous()
        out = static.new_empty(len(amounts), *static.shape)
        like, size = (np.float32(0),) * static.shape[-1], static[0].numel()
        arrays = [each.detach().reshape(-1).numpy() for each in (static, basis, amounts)]
        flat = out.view(-1).numpy()

        def fill(part: tuple[int, int]) -> None:
            plane, start = part
            values = start, min(start + _PART * len(like), size)
            fold_plane(like, plane, values, size, *arrays, len(amounts), flat)

        starts = range(0, size, _PART * len(like))
        in_threads(fill, [(plane, start) for plane in range(PLANES) for start in starts])
        ctx.save_for_backward(amounts, basis)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        amounts, basis = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        like, size = (np.float32(0),) * basis.shape[-1], gradient[0, 0].numel()
        to_static, to_basis = torch.empty_like(gradient[0]), torch.empty_like(basis)
        to_amounts = amounts.new_zeros(PLANES, amounts.numel())
        given = [each.detach().reshape(-1).numpy() for each in (basis, amounts)]
        wanted = [each.view(-1).numpy() for each in (to_static, to_basis)]
        flat, sums = gradient.view(-1).numpy(), to_amounts.numpy()

        def work(plane: int) -> None:
            room = np.zeros(amounts.numel() * len(like), np.float32)
            fold_gradients(like, plane, size, *given, len(amounts), flat, room, *wanted, sums[plane])

        in_threads(work, range(PLANES))
        return to_amounts.sum(dim=0).view_as(amounts), to_static, to_basis if len(basis) > 0 else None
