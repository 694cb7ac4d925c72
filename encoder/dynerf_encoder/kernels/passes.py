"""What every step does to every texel of every plane, compiled, for a CPU: each is one pass over memory.

Planes lie in flat arrays, (image, row, column, channel); ``like`` is a tuple of as many zeros as there are
channels. An array of whole symbols, ``known``, is what they are counted from; it is empty where that is zero.
"""

import numpy as np

from dynerf_decoder.kernels.compiling import kernel
from dynerf_decoder.kernels.lanes import (
    divided,
    limited,
    load,
    magnitude,
    minus,
    plus,
    plus_scaled,
    plus_times,
    rounded,
    scaled,
    store,
    zeros,
)

_LEAST, _MOST = np.float32(-1), np.float32(1)


@kernel
def round_image(like, values, known, step, out, magnitudes):
    """Values rounded to multiples of ``step``; each channel's sum of symbol magnitudes."""
    total = zeros(like)
    for at in range(0, len(values), len(like)):
        symbols = rounded(divided(load(zeros(like), values, at), step))
        store(out, at, scaled(symbols, step))
        if len(known) > 0:
            symbols = minus(symbols, load(zeros(like), known, at))
        total = plus(total, magnitude(symbols))
    store(magnitudes, 0, total)


@kernel
def price_image(like, values, known, step, prices, gradients):
    """Add each channel's price, times how far a symbol is from zero, at most one."""
    factors = load(zeros(like), prices, 0)
    for at in range(0, len(values), len(like)):
        position = divided(load(zeros(like), values, at), step)
        if len(known) > 0:
            position = minus(position, load(zeros(like), known, at))
        store(
            gradients,
            at,
            plus_times(load(zeros(like), gradients, at), limited(position, _LEAST, _MOST), factors),
        )


@kernel
def smooth_image(like, values, size, weight, gradients):
    """Add ``weight`` times the sum of each texel's differences to its neighbours in a square image."""
    right = len(like)
    below = size * right
    for row in range(size):
        for column in range(size):
            at = row * below + column * right
            here = load(zeros(like), values, at)
            total = zeros(like)
            if column > 0:
                total = plus(total, minus(here, load(zeros(like), values, at - right)))
            if column < size - 1:
                total = plus(total, minus(here, load(zeros(like), values, at + right)))
            if row > 0:
                total = plus(total, minus(here, load(zeros(like), values, at - below)))
            if row < size - 1:
                total = plus(total, minus(here, load(zeros(like), values, at + below)))
            store(gradients, at, plus_scaled(load(zeros(like), gradients, at), total, weight))
