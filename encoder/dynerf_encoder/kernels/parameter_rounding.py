"""Rounding a network's tensor and the gradient of its rate term, in one pass each: many are small."""

import numpy as np

from dynerf_decoder.kernels.compiling import kernel

_ONE = np.float32(1)
_LEAST_SQUARE = 1e-30


@kernel
def relative_step(values, share, least):
    """The rounding step: a share of the values' root mean square, at least ``least``."""
    total = 0.0
    for index in range(len(values)):
        total += np.float64(values[index]) * np.float64(values[index])
    return np.float32(max(share * np.sqrt(total / len(values)), least))


@kernel
def round_values(values, step, out):
    """Write multiples of ``step``; return the sum of the symbols' magnitudes."""
    total = 0.0
    for index in range(len(values)):
        symbol = np.rint(values[index] / step)
        out[index] = symbol * step
        total += np.float64(abs(symbol))
    return total


@kernel
def add_rate_gradient(values, step, slope, gradients):
    """Add the rate term's gradient (``rate_loss.py``), without the part that only shrinks the tensor."""
    projection, square = 0.0, 0.0
    for index in range(len(values)):
        symbol = np.float64(values[index] / step)
        projection += min(max(symbol, -1.0), 1.0) * symbol
        square += symbol * symbol
    share = np.float32(projection / max(square, _LEAST_SQUARE))
    for index in range(len(values)):
        symbol = values[index] / step
        change = min(max(symbol, -_ONE), _ONE) - symbol * share
        gradients[index] += change * slope
