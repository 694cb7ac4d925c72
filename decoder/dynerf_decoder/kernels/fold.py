"""Folding planes: one pass over memory for all frames, and one back.

    out = 1 + static + sum over k of amount_k basis_k

Flat arrays: ``static`` (plane, texel, channel), ``basis`` (k, plane, texel, channel), ``amounts`` (frame, k),
``out`` (frame, plane, texel, channel). A call does one of the three planes; ``size`` is its number of values.
"""

import numpy as np

from .compiling import kernel
from .lanes import load, plus, plus_scaled, plus_times, same, store, total_of, zeros

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


@kernel
def fold_gradients(
    like, plane, size, basis, amounts, frames, gradients, sums, to_static, to_basis, to_amounts
):
    """Gradients of ``fold_plane``: of static and basis written, of the amounts added to what is there.

    ``sums`` are zeros, as many as there are amounts times channels.
    """
    count = len(amounts) // frames
    for i in range(0, size, len(like)):
        total = zeros(like)
        for frame in range(frames):
            total = plus(total, load(zeros(like), gradients, (frame * PLANES + plane) * size + i))
        store(to_static, plane * size + i, total)
        for k in range(count):
            at = (k * PLANES + plane) * size + i
            moving, total = load(zeros(like), basis, at), zeros(like)
            for frame in range(frames):
                gradient = load(zeros(like), gradients, (frame * PLANES + plane) * size + i)
                total = plus_scaled(total, gradient, amounts[frame * count + k])
                to = (frame * count + k) * len(like)
                store(sums, to, plus_times(load(zeros(like), sums, to), gradient, moving))
            store(to_basis, at, total)
    for index in range(len(amounts)):
        to_amounts[index] += total_of(load(zeros(like), sums, index * len(like)))
