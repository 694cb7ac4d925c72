"""A network with one hidden layer on a block of rows, forward and backward, with sums kept in registers.

    hidden = relu(features W + b),    out = hidden V^T + c

A network is a ``records.NetworkArrays``. Rows come in blocks of ``TILE``.
"""

import numpy as np

from dynerf_decoder.kernels.compiling import kernel
from dynerf_decoder.kernels.lanes import (
    item,
    load,
    plus,
    plus_scaled,
    store,
    where_positive,
    zeros,
)
from dynerf_decoder.kernels.network import ROWS, WIDTH, hidden_block, output_block

TILE = 8
_WIDE = (np.float32(0),) * WIDTH


@kernel
def forward(network, features, hidden, out, rows):
    """Hidden units and outputs of ``rows`` rows."""
    lane_type, stride, width = network.lane_type, network.stride, len(network.bias)
    for row in range(0, rows, ROWS):
        hidden_block(
            features, row * stride, stride, network.weights, network.bias, hidden, row * width, width
        )
        output_block(
            lane_type, hidden, row * width, width, network.out_weights, network.out_bias, out,
            row * len(lane_type),
        )  # fmt: skip


@kernel
def backward_to_hidden(gradients, at, stride, outputs, second, hidden, to, width, to_hidden):
    """The gradients before the ReLU of ``ROWS`` rows of hidden units, from offset ``to`` on."""
    for unit in range(0, width, WIDTH):
        a = b = c = d = zeros(_WIDE)
        for index in range(outputs):
            row = load(zeros(_WIDE), second, index * width + unit)
            a = plus_scaled(a, row, item(gradients, at + index))
            b = plus_scaled(b, row, item(gradients, at + stride + index))
            c = plus_scaled(c, row, item(gradients, at + 2 * stride + index))
            d = plus_scaled(d, row, item(gradients, at + 3 * stride + index))
        here = to + unit
        store(to_hidden, here, where_positive(load(zeros(_WIDE), hidden, here), a))
        here += width
        store(to_hidden, here, where_positive(load(zeros(_WIDE), hidden, here), b))
        here += width
        store(to_hidden, here, where_positive(load(zeros(_WIDE), hidden, here), c))
        here += width
        store(to_hidden, here, where_positive(load(zeros(_WIDE), hidden, here), d))


@kernel
def backward_to_features(lane_type, to_hidden, at, width, transposed, offset, stride, out, to):
    """The gradients of as many features as ``lane_type`` has lanes, of ``TILE`` rows."""
    a = b = c = d = e = f = g = h = zeros(lane_type)
    for unit in range(width):
        row, here = load(zeros(lane_type), transposed, unit * stride + offset), at + unit
        a = plus_scaled(a, row, item(to_hidden, here))
        b = plus_scaled(b, row, item(to_hidden, here + width))
        c = plus_scaled(c, row, item(to_hidden, here + 2 * width))
        d = plus_scaled(d, row, item(to_hidden, here + 3 * width))
        e = plus_scaled(e, row, item(to_hidden, here + 4 * width))
        f = plus_scaled(f, row, item(to_hidden, here + 5 * width))
        g = plus_scaled(g, row, item(to_hidden, here + 6 * width))
        h = plus_scaled(h, row, item(to_hidden, here + 7 * width))
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
def add_rows(lane_type, values, at, stride, rows, out, offset):
    """Add the lanes from ``at`` on of all rows to ``out``."""
    total = load(zeros(lane_type), out, offset)
    for row in range(rows):
        total = plus(total, load(zeros(lane_type), values, at + row * stride))
    store(out, offset, total)


@kernel
def backward(network, features, hidden, gradients, to_hidden, to_features, sums, rows):
    """Gradients of ``forward``: those of features are written, those of W, b, V and c are added to ``sums``.

    ``to_hidden`` is scratch for the hidden units' gradients, ``sums`` a ``records.NetworkGradients``.
    """
    lane_type, tile_type = network.lane_type, network.tile_type
    stride, width = network.stride, len(network.bias)
    for row in range(0, rows, ROWS):
        backward_to_hidden(
            gradients, row * len(lane_type), len(lane_type), network.outputs, network.out_weights_back,
            hidden, row * width, width, to_hidden,
        )  # fmt: skip
    for row in range(0, rows, TILE):
        for offset in range(0, stride, len(tile_type)):
            backward_to_features(
                tile_type, to_hidden, row * width, width, network.weights_back, offset, stride, to_features,
                row * stride + offset,
            )  # fmt: skip
    for unit in range(0, width, WIDTH):
        add_rows(_WIDE, to_hidden, unit, width, rows, sums.bias, unit)
        for index in range(0, network.outputs, 4):
            to = index * width + unit
            add_outer(gradients, index, len(lane_type), hidden, unit, width, rows, sums.out_weights, to)
        for index in range(0, stride, 4):
            to = index * width + unit
            add_outer(features, index, stride, to_hidden, unit, width, rows, sums.weights, to)
    add_rows(lane_type, gradients, 0, len(lane_type), rows, sums.out_bias, 0)
