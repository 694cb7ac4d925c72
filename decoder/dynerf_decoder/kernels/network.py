"""A network with one hidden layer on rows of features, forward and backward, hidden units in lanes.

    hidden = relu(features W + b),    out = hidden V^T + c

W is (feature, hidden), V (output, hidden); all arrays are flat. The number of hidden units is a multiple of
``WIDTH`` (pad with zeros), rows come in blocks of ``ROWS``: a weight once loaded serves them all.
"""

import numpy as np
from numba import njit

from .lanes import load, plus, plus_scaled, plus_times, store, total_of, where_positive, zeros

WIDTH = 16
ROWS = 4
_WIDE = (np.float32(0),) * WIDTH


@njit(nogil=True, cache=True, error_model="numpy")
def hidden_block(features, at, count, weights, bias, hidden, to, width):  # type: ignore[no-untyped-def]
    """The hidden layer of ``ROWS`` rows of ``count`` features from offset ``at``, written from ``to`` on."""
    second, third, fourth = at + count, at + 2 * count, at + 3 * count
    for unit in range(0, width, WIDTH):
        a = b = c = d = load(zeros(_WIDE), bias, unit)
        for index in range(count):
            row = load(zeros(_WIDE), weights, index * width + unit)
            a = plus_scaled(a, row, features[at + index])
            b = plus_scaled(b, row, features[second + index])
            c = plus_scaled(c, row, features[third + index])
            d = plus_scaled(d, row, features[fourth + index])
        store(hidden, to + unit, where_positive(a, a))
        store(hidden, to + width + unit, where_positive(b, b))
        store(hidden, to + 2 * width + unit, where_positive(c, c))
        store(hidden, to + 3 * width + unit, where_positive(d, d))


@njit(nogil=True, cache=True, error_model="numpy")
def output(hidden, at, weights, index, width):  # type: ignore[no-untyped-def]
    """Output ``index`` of the row whose hidden layer is at offset ``at``, without its bias."""
    total = zeros(_WIDE)
    for unit in range(0, width, WIDTH):
        row = load(zeros(_WIDE), weights, index * width + unit)
        total = plus_times(total, load(zeros(_WIDE), hidden, at + unit), row)
    return total_of(total)


@njit(nogil=True, cache=True, error_model="numpy")
def forward(features, count, first, bias, second, offsets, hidden, out):  # type: ignore[no-untyped-def]
    """Hidden layer and outputs of all rows; ``first`` is W, ``second`` V, ``offsets`` c."""
    width, outputs = len(bias), len(offsets)
    for row in range(0, len(out) // outputs, ROWS):
        hidden_block(features, row * count, count, first, bias, hidden, row * width, width)
        for each in range(row, row + ROWS):
            for index in range(outputs):
                out[each * outputs + index] = offsets[index] + output(
                    hidden, each * width, second, index, width
                )


@njit(nogil=True, cache=True, error_model="numpy")
def add_products(a, at, a_stride, b, to, b_stride, out, offset, width):  # type: ignore[no-untyped-def]
    """``out[offset:] += sum over rows of a[at] * b[to:]``: ``ROWS`` rank-one updates in one pass."""
    f, g, h, k = a[at], a[at + a_stride], a[at + 2 * a_stride], a[at + 3 * a_stride]
    for unit in range(0, width, WIDTH):
        total = load(zeros(_WIDE), out, offset + unit)
        total = plus_scaled(total, load(zeros(_WIDE), b, to + unit), f)
        total = plus_scaled(total, load(zeros(_WIDE), b, to + b_stride + unit), g)
        total = plus_scaled(total, load(zeros(_WIDE), b, to + 2 * b_stride + unit), h)
        total = plus_scaled(total, load(zeros(_WIDE), b, to + 3 * b_stride + unit), k)
        store(out, offset + unit, total)


@njit(nogil=True, cache=True, error_model="numpy")
def hidden_gradient(gradients, at, outputs, second, hidden, row, width, out, to):  # type: ignore[no-untyped-def]
    """The gradient before the rectifier of one row, into ``out`` from ``to`` on."""
    for unit in range(0, width, WIDTH):
        total = zeros(_WIDE)
        for index in range(outputs):
            total = plus_scaled(total, load(zeros(_WIDE), second, index * width + unit), gradients[at + index])
        total = where_positive(load(zeros(_WIDE), hidden, row + unit), total)
        store(out, to + unit, total)


@njit(nogil=True, cache=True, error_model="numpy")
def feature_gradients(like, change, transposed, count, first, width, out, at):  # type: ignore[no-untyped-def]
    """The gradients of ``ROWS`` rows of features, from number ``first`` on as many as ``like`` has lanes."""
    a = b = c = d = zeros(like)
    for unit in range(width):
        row = load(zeros(like), transposed, unit * count + first)
        a = plus_scaled(a, row, change[unit])
        b = plus_scaled(b, row, change[width + unit])
        c = plus_scaled(c, row, change[2 * width + unit])
        d = plus_scaled(d, row, change[3 * width + unit])
    store(out, at + first, a)
    store(out, at + count + first, b)
    store(out, at + 2 * count + first, c)
    store(out, at + 3 * count + first, d)


@njit(nogil=True, cache=True, error_model="numpy")
def backward(  # type: ignore[no-untyped-def]
    like, features, hidden, gradients, transposed, second, to_features, to_first, to_bias, to_second, to_offsets
):
    """Gradients of ``forward`` for all rows, given those of its outputs.

    ``transposed`` is W as (hidden, feature). Those of the weights are added to what is there; those of the
    features, whose number is a multiple of the lanes of ``like``, are written.
    """
    width, outputs = len(to_bias), len(to_offsets)
    count = len(to_first) // width
    change = np.empty(ROWS * width, np.float32)
    for row in range(0, len(gradients) // outputs, ROWS):
        for index in range(ROWS):
            each = row + index
            hidden_gradient(gradients, each * outputs, outputs, second, hidden, each * width, width, change,
                            index * width)
            for unit in range(0, width, WIDTH):
                total = load(zeros(_WIDE), to_bias, unit)
                store(to_bias, unit, plus(total, load(zeros(_WIDE), change, index * width + unit)))
            for out in range(outputs):
                to_offsets[out] += gradients[each * outputs + out]
        for index in range(outputs):
            at = row * outputs + index
            add_products(gradients, at, outputs, hidden, row * width, width, to_second, index * width, width)
        for index in range(count):
            add_products(features, row * count + index, count, change, 0, width, to_first, index * width, width)
        for first in range(0, count, len(like)):
            feature_gradients(like, change, transposed, count, first, width, to_features, row * count)
