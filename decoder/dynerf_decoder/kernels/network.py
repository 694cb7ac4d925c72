"""A network with one hidden layer on rows of features, forward and backward, hidden units in lanes.

    hidden = relu(features W + b),    out = hidden V^T + c

W is (feature, hidden), V (output, hidden); all arrays are flat. The number of hidden units is a multiple of
``WIDTH``, that of outputs is what ``like`` has lanes (pad with zeros), and rows come in blocks of ``ROWS``: a
weight once loaded serves them all.
"""

import numpy as np

from .compiling import kernel
from .lanes import item, load, plus, plus_scaled, store, where_positive, zeros

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
def output_block(like, hidden, at, width, weights, offsets, out, to):
    """The outputs of ``ROWS`` rows, hidden layers from offset ``at`` on; ``weights`` are V, transposed."""
    a = b = c = d = load(zeros(like), offsets, 0)
    for unit in range(width):
        column = load(zeros(like), weights, unit * len(like))
        a = plus_scaled(a, column, item(hidden, at + unit))
        b = plus_scaled(b, column, item(hidden, at + width + unit))
        c = plus_scaled(c, column, item(hidden, at + 2 * width + unit))
        d = plus_scaled(d, column, item(hidden, at + 3 * width + unit))
    store(out, to, a)
    store(out, to + len(like), b)
    store(out, to + 2 * len(like), c)
    store(out, to + 3 * len(like), d)


@kernel
def forward(like, features, count, first, bias, second, offsets, hidden, out):
    """Hidden layer and outputs of all rows; ``first`` is W, ``second`` V transposed, ``offsets`` c."""
    width = len(bias)
    for row in range(0, len(hidden) // width, ROWS):
        hidden_block(features, row * count, count, first, bias, hidden, row * width, width)
        output_block(like, hidden, row * width, width, second, offsets, out, row * len(like))


@kernel
def add_products(a, at, a_stride, b, to, b_stride, out, offset, width):
    """``out[offset:] += sum over rows of a[at] * b[to:]``: ``ROWS`` rank-one updates in one pass."""
    f, g = item(a, at), item(a, at + a_stride)
    h, k = item(a, at + 2 * a_stride), item(a, at + 3 * a_stride)
    for unit in range(0, width, WIDTH):
        total = load(zeros(_WIDE), out, offset + unit)
        total = plus_scaled(total, load(zeros(_WIDE), b, to + unit), f)
        total = plus_scaled(total, load(zeros(_WIDE), b, to + b_stride + unit), g)
        total = plus_scaled(total, load(zeros(_WIDE), b, to + 2 * b_stride + unit), h)
        total = plus_scaled(total, load(zeros(_WIDE), b, to + 3 * b_stride + unit), k)
        store(out, offset + unit, total)


@kernel
def hidden_gradient(gradients, at, outputs, second, hidden, row, width, out, to):
    """The gradient before the rectifier of one row, into ``out`` from ``to`` on."""
    for unit in range(0, width, WIDTH):
        total = zeros(_WIDE)
        for index in range(outputs):
            total = plus_scaled(
                total, load(zeros(_WIDE), second, index * width + unit), item(gradients, at + index)
            )
        total = where_positive(load(zeros(_WIDE), hidden, row + unit), total)
        store(out, to + unit, total)


@kernel
def feature_gradients(like, change, transposed, count, first, width, out, at):
    """The gradients of ``ROWS`` rows of features, from number ``first`` on as many as ``like`` has lanes."""
    a = b = c = d = zeros(like)
    for unit in range(width):
        row = load(zeros(like), transposed, unit * count + first)
        a = plus_scaled(a, row, item(change, unit))
        b = plus_scaled(b, row, item(change, width + unit))
        c = plus_scaled(c, row, item(change, 2 * width + unit))
        d = plus_scaled(d, row, item(change, 3 * width + unit))
    store(out, at + first, a)
    store(out, at + count + first, b)
    store(out, at + 2 * count + first, c)
    store(out, at + 3 * count + first, d)


@kernel
def backward(
    like,
    features,
    hidden,
    gradients,
    transposed,
    second,
    change,
    to_features,
    to_first,
    to_bias,
    to_second,
    to_offsets,
):
    """Gradients of ``forward`` for all rows, given those of its outputs.

    ``transposed`` is W as (hidden, feature), ``second`` V as (output, hidden),
    ``change`` room for ``ROWS`` hidden layers; here ``like`` has as many lanes as a
    scale has channels. Those of the weights are added to what is there; those of the
    features, whose number is a multiple of the lanes of ``like``, are written.
    """
    width, outputs = len(to_bias), len(to_offsets)
    count = len(to_first) // width
    for row in range(0, len(gradients) // outputs, ROWS):
        for index in range(ROWS):
            each = row + index
            hidden_gradient(
                gradients, each * outputs, outputs, second, hidden, each * width, width, change, index * width
            )
            for unit in range(0, width, WIDTH):
                total = load(zeros(_WIDE), to_bias, unit)
                store(to_bias, unit, plus(total, load(zeros(_WIDE), change, index * width + unit)))
            for out in range(outputs):
                to_offsets[out] += gradients[each * outputs + out]
        for index in range(outputs):
            at = row * outputs + index
            add_products(gradients, at, outputs, hidden, row * width, width, to_second, index * width, width)
        for index in range(count):
            add_products(
                features, row * count + index, count, change, 0, width, to_first, index * width, width
            )
        for first in range(0, count, len(like)):
            feature_gradients(like, change, transposed, count, first, width, to_features, row * count)
