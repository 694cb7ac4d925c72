"""Adds the view-dependent colour: a tiny network evaluated once per ray, on its accumulated features.

    colour = base + V relu(W [base, features, e(direction)] + b) + c,   e(d) = d, sin d, cos d, sin 2d, cos 2d

A view is a ``records.ViewNetwork``.
"""

import numpy as np

from .compiling import kernel
from .lanes import item, lane_sum, load, plus_scaled, plus_times, store, where_positive, zeros
from .network import WIDTH

_WIDE = (np.float32(0),) * WIDTH
_ONE = np.float32(1)
_TWO = np.float32(2)
DIRECTION_NUMBERS = 15


@kernel
def sine_and_cosine(x):
    """Sine and cosine of a number from -1 to 1 by Taylor series, exact to the last bits of float32."""
    square = x * x
    sine = np.float32(-1 / 39916800)
    for factor in (1 / 362880, -1 / 5040, 1 / 120, -1 / 6, 1.0):
        sine = sine * square + np.float32(factor)
    cosine = np.float32(1 / 479001600)
    for factor in (-1 / 3628800, 1 / 40320, -1 / 720, 1 / 24, -1 / 2, 1.0):
        cosine = cosine * square + np.float32(factor)
    return x * sine, cosine


@kernel
def encode_direction(directions, ray, out, at):
    """Write the encoding of a unit vector, ``DIRECTION_NUMBERS`` numbers, to ``out`` from ``at`` on."""
    for axis in range(3):
        d = directions[3 * ray + axis]
        sine, cosine = sine_and_cosine(d)
        out[at + axis] = d
        out[at + 3 + axis] = sine
        out[at + 6 + axis] = cosine
        out[at + 9 + axis] = _TWO * sine * cosine
        out[at + 12 + axis] = _ONE - _TWO * sine * sine


@kernel
def shade(view, inputs, count, hidden, out, at):
    """The colour of one ray, three numbers, from ``count`` inputs that begin with its base colour."""
    first, bias, second, offsets = view.weights, view.bias, view.out_weights, view.out_bias
    width = len(bias)
    for unit in range(0, width, WIDTH):
        total = load(zeros(_WIDE), bias, unit)
        for index in range(count):
            total = plus_scaled(total, load(zeros(_WIDE), first, index * width + unit), item(inputs, index))
        store(hidden, unit, where_positive(total, total))
    for channel in range(3):
        total = zeros(_WIDE)
        for unit in range(0, width, WIDTH):
            weights = load(zeros(_WIDE), second, channel * width + unit)
            total = plus_times(total, load(zeros(_WIDE), hidden, unit), weights)
        out[at + channel] = inputs[channel] + offsets[channel] + lane_sum(total)
