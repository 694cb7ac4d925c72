"""Places the fine samples of a ray: coarse densities along it, their weights, and edges drawn from them.

Coarse samples are decoded ``SAMPLES`` at a time, one per lane: a small network has too few units to fill the
lanes. Samples in empty cells of the occupancy grid are not decoded; their density is zero.
"""

import numpy as np

from .compiling import kernel
from .lanes import (
    clamped,
    exponential,
    item,
    load,
    plus,
    plus_scaled,
    scaled,
    splat,
    store,
    store_strided,
    where_positive,
    zeros,
)
from .look_up import locate, product_at
from .occupancy import occupied

SAMPLES = 8
_EIGHT = (np.float32(0),) * SAMPLES
_MAX_DEPTH = np.float32(7)  # optical depth: the transmittance behind it is below 1e-3
_ONE = np.float32(1)
_HALF = np.float32(0.5)


@kernel
def raw_densities(stack, features):
    """The single output of a stack of one scale for ``SAMPLES`` samples; features are (channel, sample)."""
    channels, first, bias = stack.channels, stack.weights, stack.bias
    total = splat(zeros(_EIGHT), item(stack.out_bias, 0))
    for unit in range(len(bias)):
        hidden = splat(zeros(_EIGHT), item(bias, unit))
        for index in range(len(channels)):
            weight = item(first, index * len(bias) + unit)
            hidden = plus_scaled(hidden, load(zeros(_EIGHT), features, index * SAMPLES), weight)
        total = plus_scaled(total, where_positive(hidden, hidden), item(stack.out_weights, unit))
    return total


@kernel
def decode_densities(stack, scratch, line, at, bounds):
    """Densities of the ``SAMPLES`` chosen samples from number ``at`` on, in ``scratch.densities``."""
    channels, size, features = stack.channels, stack.sizes[0], scratch.features
    x, y, z, dx, dy, dz = line
    s = load(zeros(_EIGHT), scratch.places, at)
    locate(
        _EIGHT, plus_scaled(splat(s, x), s, dx), plus_scaled(splat(s, y), s, dy),
        plus_scaled(splat(s, z), s, dz), size, scratch.texels, scratch.fractions, 0,
    )  # fmt: skip
    for sample in range(SAMPLES):
        found = product_at(
            channels, stack.planes[0], size, scratch.texels, scratch.fractions, sample, SAMPLES
        )
        store_strided(features, sample, SAMPLES, found)
    exponents = plus(raw_densities(stack, features), splat(zeros(_EIGHT), bounds.bias))
    store(scratch.densities, 0, exponential(clamped(exponents, bounds.least, bounds.most)))


@kernel
def histogram(stack, scratch, count, line, interval, grid, bounds):
    """Cumulative weights of ``count`` equal intervals of a ray, ``interval`` long, in ``scratch.shares``.

    They rise to one: the last interval takes the remaining light, and each gets an even share, as in
    ``ray_sampling.importance_edges``. ``scratch`` is a ``records.CoarseScratch``.
    """
    places, positions, chosen, depths = scratch.places, scratch.positions, scratch.chosen, scratch.depths
    found = occupied(grid, line, positions, 0, count, scratch.cells, chosen, 0)
    for at in range(0, len(depths), SAMPLES):
        store(depths, at, zeros(_EIGHT))
    for at in range(found):
        places[at] = positions[chosen[at]]
    depth = np.float32(0)
    for at in range(0, found, SAMPLES):
        decode_densities(stack, scratch, line, at, bounds)
        for each in range(at, min(at + SAMPLES, found)):
            depths[chosen[each]] = scratch.densities[each - at] * interval
            depth += depths[chosen[each]]
        if depth > _MAX_DEPTH:
            break
    to_shares(depths, scratch.even, scratch.gain, scratch.shares, count)


@kernel
def to_shares(depths, even, gain, shares, count):
    """Convert the optical depths of ``count`` intervals to cumulative weights; ``depths`` are overwritten.

    The weights up to an interval sum to one minus the transmittance T behind it, so with the padding p the
    share is (1 + p (i + 1) / count - T) / (1 + p), that is ``even[i] + gain T``.
    """
    depth = np.float32(0)
    for index in range(count):
        depth += depths[index]
        depths[index] = depth
    for at in range(0, len(depths), SAMPLES):
        through = exponential(scaled(load(zeros(_EIGHT), depths, at), -_ONE))
        store(shares, at, plus_scaled(load(zeros(_EIGHT), even, at), through, gain))
    shares[count - 1] = _ONE


@kernel
def draw_edges(shares, count, edges, at, drawn):
    """Write ``drawn`` positions to ``edges`` from ``at`` on: the middles of as many parts of equal weight.

    ``shares`` are the cumulative weights of ``count`` equal intervals that cover the ray.
    """
    step, width = _ONE / np.float32(drawn), _ONE / np.float32(count)
    index, low, high = 0, np.float32(0), shares[0]
    for each in range(drawn):
        u = (np.float32(each) + _HALF) * step
        while high <= u and index < count - 1:
            index += 1
            low = high
            high = shares[index]
        fraction = min(max((u - low) / max(high - low, np.float32(1e-12)), np.float32(0)), _ONE)
        edges[at + each] = (np.float32(index) + fraction) * width
