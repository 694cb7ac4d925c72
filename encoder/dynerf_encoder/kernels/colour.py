"""From samples to the colour of a ray and its error, and the backward pass.

A row of outputs holds the raw density, the base colour and the view features. The view network's inputs are a
ray's summed view features and its encoded direction; its outputs are added to the base colour
(``fields.planes.FoldedPlanes``).
"""

import numpy as np

from dynerf_decoder.kernels.compiling import kernel
from dynerf_decoder.kernels.lanes import (
    lane_sum,
    load,
    logistic,
    minus,
    plus_scaled,
    scaled,
    splat,
    store,
    times,
    zeros,
)

_ZERO = np.float32(0)
_ONE = np.float32(1)


@kernel
def composite(lane_type, raw, row, weights, at, count, activated, sums, to):
    """The logistic function of one ray's outputs, into ``activated``; its weighted sum, into ``sums``."""
    total = zeros(lane_type)
    for index in range(count):
        values = logistic(load(zeros(lane_type), raw, (row + index) * len(lane_type)))
        store(activated, (row + index) * len(lane_type), values)
        total = plus_scaled(total, values, weights[at + index])
    store(sums, to, total)


@kernel
def composite_backward(
    lane_type, activated, row, weights, at, count, sum_gradients, to, weight_gradients, raw_gradients
):
    """The gradients of the weights and of the raw outputs of ``composite``, except the density's."""
    gradient = load(zeros(lane_type), sum_gradients, to)
    one = splat(zeros(lane_type), _ONE)
    for index in range(count):
        values = load(zeros(lane_type), activated, (row + index) * len(lane_type))
        weight_gradients[at + index] = lane_sum(times(gradient, values))
        slope = times(values, minus(one, values))
        change = scaled(times(gradient, slope), weights[at + index])
        store(raw_gradients, (row + index) * len(lane_type), change)


@kernel
def view_inputs(sums, at, features, encoded, start, size, out, to):
    """The inputs of the view network for one ray: ``features`` sums, ``size`` numbers of its direction."""
    for index in range(features):
        out[to + index] = sums[at + 1 + index]
    for index in range(size):
        out[to + features + index] = encoded[start + index]


@kernel
def squared_error(base, at, offsets, offset_at, colours, start, hit, scale, gradients):
    """One ray's squared error, and ``scale`` times its gradient with respect to the view network's outputs.

    Rays that miss the scene are black. The gradient of the base colour is the same.
    """
    loss = 0.0
    for index in range(3):
        colour = base[at + index] + offsets[offset_at + index] if hit else _ZERO
        difference = colour - colours[start + index]
        loss += np.float64(difference * difference)
        gradients[offset_at + index] = np.float32(2) * difference * scale if hit else _ZERO
    gradients[offset_at + 3] = _ZERO
    return loss


@kernel
def view_inputs_backward(gradients, at, colour_gradients, colour_at, features, sum_gradients, to, lanes):
    """The gradient of one ray's sums, from those of the view network's inputs and of the colour.

    The density's lane and the padding of the ``lanes`` get zero.
    """
    for index in range(lanes):
        sum_gradients[to + index] = _ZERO
    for index in range(features):
        from_colour = colour_gradients[colour_at + index] if index < 3 else _ZERO
        sum_gradients[to + 1 + index] = gradients[at + index] + from_colour
