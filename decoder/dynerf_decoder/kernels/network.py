"""Evaluates a network with one hidden layer on rows of features, hidden units in lanes.

    hidden = relu(features W + b),    out = hidden V^T + c

W is (feature, hidden), V (output, hidden); all arrays are flat. The number of hidden units is a multiple of
``WIDTH``; the number of outputs is that of the lanes of ``lane_type`` (pad with zeros). Rows come in blocks
of ``ROWS``, which share each loaded weight.
"""

import numpy as np

from .compiling import kernel
from .lanes import item, load, plus_scaled, store, where_positive, zeros

WIDTH = 16
ROWS = 4
_WIDE = (np.float32(0),) * WIDTH


@kernel
def hidden_block(features, at, count, weights, bias, hidden, to, width):
    """The hidden layer of ``ROWS`` rows of ``count`` features from offset ``at``, written from ``to`` on."""
    second, third, fourth = at + count, at + 2 * count, at + 3 * count
    for unit in range(0, width, WIDTH):
        a = b = c = d = load(zeros(_WIDE), bias, unit)
        for index in range(count):
            row = load(zeros(_WIDE), weights, index * width + unit)
            a = plus_scaled(a, row, item(features, at + index))
            b = plus_scaled(b, row, item(features, second + index))
            c = plus_scaled(c, row, item(features, third + index))
            d = plus_scaled(d, row, item(features, fourth + index))
        store(hidden, to + unit, where_positive(a, a))
        store(hidden, to + width + unit, where_positive(b, b))
        store(hidden, to + 2 * width + unit, where_positive(c, c))
        store(hidden, to + 3 * width + unit, where_positive(d, d))


@kernel
def output_block(lane_type, hidden, at, width, weights, offsets, out, to):
    """The outputs of ``ROWS`` rows, whose hidden units begin at ``at``; ``weights`` is V transposed."""
    a = b = c = d = load(zeros(lane_type), offsets, 0)
    for unit in range(width):
        column = load(zeros(lane_type), weights, unit * len(lane_type))
        a = plus_scaled(a, column, item(hidden, at + unit))
        b = plus_scaled(b, column, item(hidden, at + width + unit))
        c = plus_scaled(c, column, item(hidden, at + 2 * width + unit))
        d = plus_scaled(d, column, item(hidden, at + 3 * width + unit))
    store(out, to, a)
    store(out, to + len(lane_type), b)
    store(out, to + 2 * len(lane_type), c)
    store(out, to + 3 * len(lane_type), d)


@kernel
def forward(lane_type, features, count, first, bias, second, offsets, hidden, out):
    """Hidden layer and outputs of all rows; ``first`` is W, ``second`` V transposed, ``offsets`` c."""
    width = len(bias)
    for row in range(0, len(hidden) // width, ROWS):
        hidden_block(features, row * count, count, first, bias, hidden, row * width, width)
        output_block(lane_type, hidden, row * width, width, second, offsets, out, row * len(lane_type))
