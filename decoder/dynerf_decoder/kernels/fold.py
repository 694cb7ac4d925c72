"""Folds latents into planes, in one pass over memory for all frames.

    out = 1 + static + sum over k of coefficient_k basis_k

Flat arrays: ``static`` (plane, texel, channel), ``basis`` (k, plane, texel, channel), ``coefficients``
(frame, k), ``out`` (frame, plane, texel, channel). A call folds one of the three planes; ``size`` is its
number of values.
"""

import numpy as np

from .compiling import kernel
from .lanes import load, plus, plus_scaled, splat, store, zeros

PLANES = 3


@kernel
def fold_plane(lane_type, plane, span, size, static, basis, coefficients, frames, out):
    """Fold the values in ``span``, ``records.IndexRange``, of one plane of all frames."""
    count = len(coefficients) // frames
    for i in range(span.start, span.stop, len(lane_type)):
        constant = plus(
            load(zeros(lane_type), static, plane * size + i), splat(zeros(lane_type), np.float32(1))
        )
        for frame in range(frames):
            total = constant
            for k in range(count):
                basis_value = load(zeros(lane_type), basis, (k * PLANES + plane) * size + i)
                total = plus_scaled(total, basis_value, coefficients[frame * count + k])
            store(out, (frame * PLANES + plane) * size + i, total)
