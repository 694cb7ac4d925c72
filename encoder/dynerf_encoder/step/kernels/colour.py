"""Samples to the colour of a ray and its error, and the way back.

Rows of outputs are the density's raw one, the base colour's and the view features'. The view network sees a
ray's summed features and its encoded direction, and its outputs change the colour
(``fields.planes.FoldedPlanes``).
"""

import numpy as np

from dynerf_decoder.backends.cpu.kernels.compiling import kernel
from dynerf_decoder.backends.cpu.kernels.lanes import (
    lane_sum,
    load,
    logistic,
    minus,
    plus_scaled,
    scaled,
    splat,
    store,
    times,
    zeros,
)

_ZERO = np.float32(0)
_ONE = np.float32(1)


@kernel
def gather(like, raw, row, weights, at, count, seen, sums, to):
    """Logistic functions of one ray's outputs, into ``seen``; their weighted sum, into ``sums``."""
    total = zeros(like)
    for index in range(count):
        values = logistic(load(zeros(like), raw, (row + index) * len(like)))
        store(seen, (row + index) * len(like), values)
        total = plus_scaled(total, values, weights[at + index])
    store(sums, to, total)


@kernel
def spread(like, seen, row, weights, at, count, change, to, to_weights, to_raw):
    """The gradients of ``gather``'s weights and of its raw outputs, the density's left out."""
    given = load(zeros(like), change, to)
    one = splat(zeros(like), _ONE)
    for index in range(count):
        values = load(zeros(like), seen, (row + index) * len(like))
        to_weights[at + index] = lane_sum(times(given, values))
        slope = times(values, minus(one, values))
        store(to_raw, (row + index) * len(like), scaled(times(given, slope), weights[at + index]))


@kernel
def look_from(sums, at, features, encoded, start, size, out, to):
    """What the view network sees of one ray: ``features`` summed numbers, ``size`` of its direction."""
    for index in range(features):
        out[to + index] = sums[at + 1 + index]
    for index in range(size):
        out[to + features + index] = encoded[start + index]


@kernel
def error(base, at, change, c_at, colours, start, hit, scale, gradients):
    """One ray's squared error, and ``scale`` times its gradient with respect to the view network's outputs.

    Rays that miss are black. The same gradient reaches the base colour.
    """
    loss = 0.0
    for index in range(3):
        colour = base[at + index] + change[c_at + index] if hit else _ZERO
        off = colour - colours[start + index]
        loss += np.float64(off * off)
        gradients[c_at + index] = np.float32(2) * off * scale if hit else _ZERO
    gradients[c_at + 3] = _ZERO
    return loss


@kernel
def back_to_sums(gradients, at, change, c_at, features, sums, to, lanes):
    """The gradient of one ray's summed outputs, from those of what the view network saw and of the colour.

    Of the ``lanes`` of the sums, the density's and those that fill the row up get none.
    """
    for index in range(lanes):
        sums[to + index] = _ZERO
    for index in range(features):
        sums[to + 1 + index] = gradients[at + index] + (change[c_at + index] if index < 3 else _ZERO)
