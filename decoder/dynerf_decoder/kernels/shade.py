"""Adds the view-dependent colour: a tiny network evaluated once per ray, on its accumulated features.

    colour = base + V relu(W [base, features, e(direction)] + b) + c,   e(d) = d, sin d, cos d, sin 2d, cos 2d

A view is a ``records.ViewNetwork``.
"""

import numpy as np

from .compiling import kernel
from .lanes import (
    item,
    lane_sum,
    load,
    minus,
    pack,
    plus_scaled,
    plus_times,
    scaled,
    splat,
    store,
    times,
    where_positive,
    zeros,
)
from .network import WIDTH

_WIDE = (np.float32(0),) * WIDTH
_ZERO = np.float32(0)
_ONE = np.float32(1)
_TWO = np.float32(2)
DIRECTION_NUMBERS = 15


@kernel
def sine_and_cosine(x):
    """Sines and cosines of numbers from -1 to 1 by Taylor series, exact to the last bits of float32."""
    square = times(x, x)
    sine = splat(x, np.float32(-1 / 39916800))
    for factor in (1 / 362880, -1 / 5040, 1 / 120, -1 / 6, 1.0):
        sine = plus_times(splat(x, np.float32(factor)), sine, square)
    cosine = splat(x, np.float32(1 / 479001600))
    for factor in (-1 / 3628800, 1 / 40320, -1 / 720, 1 / 24, -1 / 2, 1.0):
        cosine = plus_times(splat(x, np.float32(factor)), cosine, square)
    return times(x, sine), cosine


@kernel
def encode_direction(directions, ray, out, at):
    """Write the encoding of a unit vector, ``DIRECTION_NUMBERS`` numbers, to ``out`` from ``at`` on.

    One more item of ``out`` is overwritten: the axes are three of four lanes.
    """
    d = pack((item(directions, 3 * ray), item(directions, 3 * ray + 1), item(directions, 3 * ray + 2), _ZERO))
    sine, cosine = sine_and_cosine(d)
    twice = scaled(sine, _TWO)
    store(out, at, d)
    store(out, at + 3, sine)
    store(out, at + 6, cosine)
    store(out, at + 9, times(twice, cosine))
    store(out, at + 12, minus(splat(d, _ONE), times(twice, sine)))


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
