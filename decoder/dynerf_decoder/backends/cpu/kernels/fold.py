"""Folding planes: one pass over memory for all frames.

    out = 1 + static + sum over k of amount_k basis_k

Flat arrays: ``static`` (plane, texel, channel), ``basis`` (k, plane, texel, channel), ``amounts`` (frame, k),
``out`` (frame, plane, texel, channel). A call does one of the three planes; ``size`` is its number of values.
"""

import numpy as np

from .compiling import kernel
from .lanes import load, plus, plus_scaled, same, store, zeros

PLANES = 3


@kernel
def fold_plane(like, plane, part, size, static, basis, amounts, frames, out):
    """The values from ``part[0]`` to ``part[1]`` of one plane of all frames."""
    count = len(amounts) // frames
    for i in range(part[0], part[1], len(like)):
        still = plus(load(zeros(like), static, plane * size + i), same(zeros(like), np.float32(1)))
        for frame in range(frames):
            total = still
            for k in range(count):
                moving = load(zeros(like), basis, (k * PLANES + plane) * size + i)
                total = plus_scaled(total, moving, amounts[frame * count + k])
            store(out, (frame * PLANES + plane) * size + i, total)
