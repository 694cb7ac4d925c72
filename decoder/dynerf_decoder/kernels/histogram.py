"""Places the fine samples of a ray: coarse densities along it, their weights, and edges drawn from them.

Coarse samples are decoded ``SAMPLES`` at a time, one per lane: a small network has too few units to fill the
lanes. Samples in empty cells of the occupancy grid are not decoded; their density is zero.

Lanes are put together from numbers in registers: a processor waits when it loads a vector from memory that
was just written in parts.
"""

import numpy as np

from .compiling import kernel
from .lanes import (
    clamped,
    count_at_most,
    exponential,
    item,
    load,
    load_at,
    minus,
    pack,
    plus,
    plus_scaled,
    quotient,
    scaled,
    splat,
    store,
    transposed,
    where_positive,
    zeros,
)
from .look_up import locate, product_at
from .occupancy import occupied
from .records import Share

SAMPLES = 8
_EIGHT = (np.float32(0),) * SAMPLES
_MAX_DEPTH = np.float32(7)  # optical depth: the transmittance behind it is below 1e-3
_ONE = np.float32(1)


@kernel
def raw_densities(stack, channels):
    """The single output of a stack of one scale for ``SAMPLES`` samples, given as lanes of each channel."""
    first, bias = stack.weights, stack.bias
    total = splat(zeros(_EIGHT), item(stack.out_bias, 0))
    for unit in range(len(bias)):
        hidden = splat(zeros(_EIGHT), item(bias, unit))
        for index in range(len(channels)):
            hidden = plus_scaled(hidden, channels[index], item(first, index * len(bias) + unit))
        total = plus_scaled(total, where_positive(hidden, hidden), item(stack.out_weights, unit))
    return total


@kernel
def feature(stack, scratch, sample):
    """The features of one of the located samples."""
    return product_at(
        stack.channels, stack.planes[0], stack.sizes[0], scratch.texels, scratch.fractions, sample, SAMPLES
    )


@kernel
def decode_densities(stack, scratch, line, at, bounds):
    """Densities of the ``SAMPLES`` chosen samples from number ``at`` on, in ``scratch.densities``."""
    x, y, z, dx, dy, dz = line
    s = load_at(zeros(_EIGHT), scratch.positions, 0, scratch.chosen, at)
    locate(
        _EIGHT, plus_scaled(splat(s, x), s, dx), plus_scaled(splat(s, y), s, dy),
        plus_scaled(splat(s, z), s, dz), stack.sizes[0], scratch.texels, scratch.fractions,
    )  # fmt: skip
    channels = transposed(
        (
            feature(stack, scratch, 0), feature(stack, scratch, 1), feature(stack, scratch, 2),
            feature(stack, scratch, 3), feature(stack, scratch, 4), feature(stack, scratch, 5),
            feature(stack, scratch, 6), feature(stack, scratch, 7),
        )
    )  # fmt: skip
    exponents = plus(raw_densities(stack, channels), splat(zeros(_EIGHT), bounds.bias))
    store(scratch.densities, 0, exponential(clamped(exponents, bounds.least, bounds.most)))


@kernel
def histogram(stack, scratch, count, line, interval, grid, bounds):
    """Cumulative weights of ``count`` equal intervals of a ray, ``interval`` long, in ``scratch.shares``.

    They rise from zero to one: the last interval takes the remaining light, and each gets an even share, as
    in ``ray_sampling.importance_edges``. ``scratch`` is a ``records.CoarseScratch``.
    """
    chosen, densities, depths = scratch.chosen, scratch.densities, scratch.depths
    found = occupied(grid, line, scratch.positions, 0, count, scratch.cells, chosen, 0)
    beyond = len(scratch.positions) - 1
    for sample in range(SAMPLES):  # pads the last block
        chosen[found + sample] = beyond
    for at in range(0, len(depths), SAMPLES):
        store(depths, at, zeros(_EIGHT))
    depth = np.float32(0)
    for at in range(0, found, SAMPLES):
        decode_densities(stack, scratch, line, at, bounds)
        for sample in range(SAMPLES):
            through = item(densities, sample) * interval
            depths[item(chosen, at + sample)] = through
            depth += through
        if depth > _MAX_DEPTH:
            break
    to_shares(depths, scratch.even, scratch.gain, scratch.shares, count)


@kernel
def to_shares(depths, even, gain, shares, count):
    """Convert the optical depths of ``count`` intervals to cumulative weights.

    The weights up to an interval sum to one minus the transmittance T behind it, so with the padding p the
    share is (1 + p (i + 1) / count - T) / (1 + p), that is ``even[i] + gain T``. ``shares`` begins with a
    block of zeros; from the last interval on, it is one.
    """
    total = np.float32(0)
    for at in range(0, len(even), SAMPLES):
        a = total + item(depths, at)
        b = a + item(depths, at + 1)
        c = b + item(depths, at + 2)
        d = c + item(depths, at + 3)
        e = d + item(depths, at + 4)
        f = e + item(depths, at + 5)
        g = f + item(depths, at + 6)
        total = g + item(depths, at + 7)
        through = exponential(scaled(pack((a, b, c, d, e, f, g, total)), -_ONE))
        store(shares, SAMPLES + at, plus_scaled(load(zeros(_EIGHT), even, at), through, gain))
    for index in range(SAMPLES + count - 1, len(shares)):
        shares[index] = _ONE


@kernel
def find_share(shares, count, target):
    """The interval whose shares enclose ``target``, as ``records.Share``."""
    index = np.int64(0)
    for block in range(SAMPLES, len(shares), SAMPLES):
        index += count_at_most(load(zeros(_EIGHT), shares, block), target)
    index = min(index, count - 1)
    return Share(np.float32(index), item(shares, SAMPLES - 1 + index), item(shares, SAMPLES + index))


@kernel
def draw_edges(shares, count, targets, edges, at):
    """Write positions to ``edges`` from ``at`` on: where the cumulative weight reaches each of ``targets``.

    ``shares`` are the cumulative weights of ``count`` equal intervals that cover the ray, after a block of
    zeros. Targets come in whole blocks.
    """
    for first in range(0, len(targets), SAMPLES):
        a = find_share(shares, count, item(targets, first))
        b = find_share(shares, count, item(targets, first + 1))
        c = find_share(shares, count, item(targets, first + 2))
        d = find_share(shares, count, item(targets, first + 3))
        e = find_share(shares, count, item(targets, first + 4))
        f = find_share(shares, count, item(targets, first + 5))
        g = find_share(shares, count, item(targets, first + 6))
        h = find_share(shares, count, item(targets, first + 7))
        low = pack((a.low, b.low, c.low, d.low, e.low, f.low, g.low, h.low))
        high = pack((a.high, b.high, c.high, d.high, e.high, f.high, g.high, h.high))
        width = clamped(minus(high, low), np.float32(1e-12), _ONE)
        fraction = clamped(quotient(minus(load(low, targets, first), low), width), np.float32(0), _ONE)
        intervals = pack((
            a.interval, b.interval, c.interval, d.interval, e.interval, f.interval, g.interval, h.interval,
        ))  # fmt: skip
        store(edges, at + first, scaled(plus(intervals, fraction), _ONE / np.float32(count)))
