"""Rounding a network's tensor and the price of its symbols, in one pass each: many are small."""

import numpy as np

from dynerf_decoder.backends.cpu.kernels.compiling import kernel

_ONE = np.float32(1)
_LEAST_SQUARE = 1e-30


@kernel
def step_of(values, share, least):
    """The rounding step: a share of the values' root mean square."""
    total = 0.0
    for index in range(len(values)):
        total += np.float64(values[index]) * np.float64(values[index])
    return np.float32(max(share * np.sqrt(total / len(values)), least))


@kernel
def round_values(values, step, out):
    """Write multiples of ``step``; the sum of the symbols' magnitudes."""
    total = 0.0
    for index in range(len(values)):
        symbol = np.rint(values[index] / step)
        out[index] = symbol * step
        total += np.float64(abs(symbol))
    return total


@kernel
def add_price(values, step, price, gradients):
    """Add ``rate.py``'s relative price, without the part that only shrinks the tensor."""
    along, square = 0.0, 0.0
    for index in range(len(values)):
        position = np.float64(values[index] / step)
        along += min(max(position, -1.0), 1.0) * position
        square += position * position
    share = np.float32(along / max(square, _LEAST_SQUARE))
    for index in range(len(values)):
        position = values[index] / step
        change = min(max(position, -_ONE), _ONE) - position * share
        gradients[index] += change * price
