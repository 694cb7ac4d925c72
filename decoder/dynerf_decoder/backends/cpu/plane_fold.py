"""Folds the planes of one scale with CPU kernels."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.kernels.fold import PLANES, fold_plane
from dynerf_decoder.kernels.records import IndexRange
from dynerf_decoder.threads import in_threads

_PART = 2**14  # texels; three whole planes would leave some threads idle


def fold(
    coefficients: Float[Tensor, "frame basis"],
    static: Float[Tensor, "3 size size channel"],
    basis: Float[Tensor, "basis 3 size size channel"],
) -> Float[Tensor, "frame 3 size size channel"]:
    """``1 + static + sum of coefficient_k basis_k`` for each frame; float32, contiguous channels."""
    out = static.new_empty(len(coefficients), *static.shape)
    lane_type, size = (np.float32(0),) * static.shape[-1], static[0].numel()
    arrays = [each.detach().reshape(-1).numpy() for each in (static, basis, coefficients)]
    flat = out.view(-1).numpy()

    def fill(part: tuple[int, int]) -> None:
        plane, start = part
        span = IndexRange(start, min(start + _PART * len(lane_type), size))
        fold_plane(lane_type, plane, span, size, *arrays, len(coefficients), flat)

    starts = range(0, size, _PART * len(lane_type))
    in_threads(fill, [(plane, start) for plane in range(PLANES) for start in starts])
    return out
