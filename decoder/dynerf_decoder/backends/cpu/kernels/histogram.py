"""Where the fine samples of a ray lie: coarse densities along it, their weights, and edges drawn from them.

Coarse samples are decoded ``SAMPLES`` at a time, one in each lane: a small network has too few units to fill
lanes with them. Samples where the occupancy grid says that nothing is are not decoded; their density is zero.
"""

import numpy as np

from .compiling import kernel
from .lanes import (
    exponential,
    item,
    limited,
    load,
    plus,
    plus_scaled,
    same,
    scaled,
    store,
    store_apart,
    where_positive,
    zeros,
)
from .look_up import product
from .occupancy import is_empty

SAMPLES = 8
_EIGHT = (np.float32(0),) * SAMPLES
_DARK = np.float32(7)  # optical depth; what is behind it gets less than 1e-3 of the light
_ONE = np.float32(1)
_HALF = np.float32(0.5)


@kernel
def raw_densities(stack, features):
    """The only output of a stack of one scale for ``SAMPLES`` samples; features are (channel, sample)."""
    like, first, bias = stack.like, stack.weights, stack.bias
    total = same(zeros(_EIGHT), item(stack.out_bias, 0))
    for unit in range(len(bias)):
        hidden = same(zeros(_EIGHT), item(bias, unit))
        for index in range(len(like)):
            weight = item(first, index * len(bias) + unit)
            hidden = plus_scaled(hidden, load(zeros(_EIGHT), features, index * SAMPLES), weight)
        total = plus_scaled(total, where_positive(hidden, hidden), item(stack.out_weights, unit))
    return total


@kernel
def densities(stack, features, line, positions, chosen, at, last, bounds, out):
    """Densities of the samples ``chosen[at]`` to ``chosen[last]``, the block filled up with the last one."""
    planes, sizes, like = stack.planes, stack.sizes, stack.like
    x, y, z, dx, dy, dz = line
    for sample in range(SAMPLES):
        s = positions[chosen[min(at + sample, last)]]
        found = product(like, planes[0], 0, sizes[0], x + s * dx, y + s * dy, z + s * dz)
        store_apart(features, sample, SAMPLES, found)
    exponents = plus(raw_densities(stack, features), same(zeros(_EIGHT), bounds.bias))
    store(out, 0, exponential(limited(exponents, bounds.least, bounds.most)))


@kernel
def histogram(stack, room, line, interval, grid, bounds):
    """Weights of equal intervals of a ray, ``interval`` long; the last one takes what is left.

    ``room`` is a ``records.CoarseScratch``.
    """
    positions, chosen, found, depths, weights = (
        room.positions, room.chosen, room.found, room.depths, room.weights,
    )  # fmt: skip
    count = 0
    for index in range(len(weights)):
        depths[index] = 0
        if not is_empty(grid, line, positions[index]):
            chosen[count] = index
            count += 1
    depth = np.float32(0)
    for at in range(0, count, SAMPLES):
        densities(stack, room.features, line, positions, chosen, at, count - 1, bounds, found)
        for each in range(at, min(at + SAMPLES, count)):
            depths[chosen[each]] = found[each - at] * interval
            depth += depths[chosen[each]]
        if depth > _DARK:
            break
    to_weights(depths, weights)


@kernel
def to_weights(depths, weights):
    """From the optical depth of each interval to its weight. ``depths`` are overwritten."""
    depth = np.float32(0)
    for index in range(len(weights)):
        depth += depths[index]
        depths[index] = depth
    for at in range(0, len(depths), SAMPLES):
        store(depths, at, exponential(scaled(load(zeros(_EIGHT), depths, at), -_ONE)))
    left = _ONE
    for index in range(len(weights)):
        weights[index] = left - depths[index]
        left = depths[index]
    weights[len(weights) - 1] += left


@kernel
def draw_edges(weights, padding, edges, at, count):
    """``count`` positions in the middles of as many parts of equal weight, into ``edges`` from ``at`` on.

    The histogram's intervals are equal and fill the ray.
    """
    total = np.float32(0)
    for index in range(len(weights)):
        total += weights[index]
    extra = padding * max(total, np.float32(1e-8)) / np.float32(len(weights))
    share = _ONE / (total + extra * np.float32(len(weights)))
    step, width = _ONE / np.float32(count), _ONE / np.float32(len(weights))
    index, low, high = 0, np.float32(0), (weights[0] + extra) * share
    for each in range(count):
        u = (np.float32(each) + _HALF) * step
        while high <= u and index < len(weights) - 1:
            index += 1
            low = high
            high += (weights[index] + extra) * share
        inside = min(max((u - low) / max(high - low, np.float32(1e-12)), np.float32(0)), _ONE)
        edges[at + each] = (np.float32(index) + inside) * width
