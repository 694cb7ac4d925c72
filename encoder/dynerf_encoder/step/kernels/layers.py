"""A network with one hidden layer on a block of rows, forward and backward, sums kept in registers.

    hidden = relu(features W + b),    out = hidden V^T + c

A net is a ``records.Network``. Rows come in blocks of ``TILE``.
"""

import numpy as np

from dynerf_decoder.backends.cpu.kernels.compiling import kernel
from dynerf_decoder.backends.cpu.kernels.lanes import (
    item,
    load,
    plus,
    plus_scaled,
    store,
    where_positive,
    zeros,
)
from dynerf_decoder.backends.cpu.kernels.network import ROWS, WIDTH, hidden_block, output_block

TILE = 8
_WIDE = (np.float32(0),) * WIDTH


@kernel
def forward(net, features, hidden, out, rows):
    """Hidden units and outputs of ``rows`` rows."""
    like, stride, width = net.like, net.stride, len(net.bias)
    for row in range(0, rows, ROWS):
        hidden_block(features, row * stride, stride, net.weights, net.bias, hidden, row * width, width)
        output_block(like, hidden, row * width, width, net.out_weights, net.out_bias, out, row * len(like))


@kernel
def hidden_gradients(gradients, at, stride, outputs, second, hidden, to, width, change):
    """The gradients before the rectifier of ``ROWS`` rows of hidden units from offset ``to`` on."""
    for unit in range(0, width, WIDTH):
        a = b = c = d = zeros(_WIDE)
        for index in range(outputs):
            row = load(zeros(_WIDE), second, index * width + unit)
            a = plus_scaled(a, row, item(gradients, at + index))
            b = plus_scaled(b, row, item(gradients, at + stride + index))
            c = plus_scaled(c, row, item(gradients, at + 2 * stride + index))
            d = plus_scaled(d, row, item(gradients, at + 3 * stride + index))
        here = to + unit
        store(change, here, where_positive(load(zeros(_WIDE), hidden, here), a))
        here += width
        store(change, here, where_positive(load(zeros(_WIDE), hidden, here), b))
        here += width
        store(change, here, where_positive(load(zeros(_WIDE), hidden, here), c))
        here += width
        store(change, here, where_positive(load(zeros(_WIDE), hidden, here), d))


@kernel
def feature_gradients(like, change, at, width, transposed, offset, stride, out, to):
    """The gradients of as many features as ``like`` has lanes, of ``TILE`` rows."""
    a = b = c = d = e = f = g = h = zeros(like)
    for unit in range(width):
        row, here = load(zeros(like), transposed, unit * stride + offset), at + unit
        a = plus_scaled(a, row, item(change, here))
        b = plus_scaled(b, row, item(change, here + width))
        c = plus_scaled(c, row, item(change, here + 2 * width))
        d = plus_scaled(d, row, item(change, here + 3 * width))
        e = plus_scaled(e, row, item(change, here + 4 * width))
        f = plus_scaled(f, row, item(change, here + 5 * width))
        g = plus_scaled(g, row, item(change, here + 6 * width))
        h = plus_scaled(h, row, item(change, here + 7 * width))
    store(out, to, a)
    store(out, to + stride, b)
    store(out, to + 2 * stride, c)
    store(out, to + 3 * stride, d)
    store(out, to + 4 * stride, e)
    store(out, to + 5 * stride, f)
    store(out, to + 6 * stride, g)
    store(out, to + 7 * stride, h)


@kernel
def add_outer(a, at, stride, b, to, width, rows, out, offset):
    """Add to four rows of ``out`` the products of four columns of ``a`` with ``WIDTH`` columns of ``b``."""
    p = q = r = s = zeros(_WIDE)
    for row in range(rows):
        lanes, start = load(zeros(_WIDE), b, to + row * width), at + row * stride
        p = plus_scaled(p, lanes, item(a, start))
        q = plus_scaled(q, lanes, item(a, start + 1))
        r = plus_scaled(r, lanes, item(a, start + 2))
        s = plus_scaled(s, lanes, item(a, start + 3))
    store(out, offset, plus(load(zeros(_WIDE), out, offset), p))
    offset += width
    store(out, offset, plus(load(zeros(_WIDE), out, offset), q))
    offset += width
    store(out, offset, plus(load(zeros(_WIDE), out, offset), r))
    offset += width
    store(out, offset, plus(load(zeros(_WIDE), out, offset), s))


@kernel
def add_rows(like, values, at, stride, rows, out, offset):
    """Add all rows' lanes from ``at`` on to ``out``."""
    total = load(zeros(like), out, offset)
    for row in range(rows):
        total = plus(total, load(zeros(like), values, at + row * stride))
    store(out, offset, total)


@kernel
def backward(net, features, hidden, gradients, change, to_features, sums, rows):
    """Gradients of ``forward``: those of features written, those of W, b, V and c added to ``sums``.

    ``change`` is room for the hidden units' gradients. ``sums`` are ``records.NetworkSums``.
    """
    like, stride, tile, width = net.like, net.stride, net.tile, len(net.bias)
    for row in range(0, rows, ROWS):
        hidden_gradients(
            gradients, row * len(like), len(like), net.outputs, net.out_weights_back, hidden, row * width,
            width, change,
        )  # fmt: skip
    for row in range(0, rows, TILE):
        for offset in range(0, stride, len(tile)):
            feature_gradients(
                tile, change, row * width, width, net.weights_back, offset, stride, to_features,
                row * stride + offset,
            )  # fmt: skip
    for unit in range(0, width, WIDTH):
        add_rows(_WIDE, change, unit, width, rows, sums.bias, unit)
        for index in range(0, net.outputs, 4):
            to = index * width + unit
            add_outer(gradients, index, len(like), hidden, unit, width, rows, sums.out_weights, to)
        for index in range(0, stride, 4):
            to = index * width + unit
            add_outer(features, index, stride, change, unit, width, rows, sums.weights, to)
    add_rows(like, gradients, 0, len(like), rows, sums.out_bias, 0)
