"""Folding the planes of a scale by kernels, for a CPU."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.backends.cpu.kernels.fold import PLANES, fold_plane

from .threads import in_threads

_PART = 2**14  # texels; planes of one size would keep some threads waiting for the others


def fold(
    amounts: Float[Tensor, "frame basis"],
    static: Float[Tensor, "3 size size channel"],
    basis: Float[Tensor, "basis 3 size size channel"],
) -> Float[Tensor, "frame 3 size size channel"]:
    """``1 + static + sum of amount_k basis_k`` for each frame; float32, channels innermost and contiguous."""
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
    return out
