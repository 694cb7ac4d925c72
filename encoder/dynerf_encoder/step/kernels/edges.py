"""Where a block of rays is sampled, and how far the coarse histogram lets the fine weights go.

The same as the decoder's ``ray_sampling``, one ray at a time; uniform numbers are given. Flat arrays hold the
rays of a block one after another, ``count`` numbers of intervals each, edges one more.
"""

import numpy as np

from dynerf_decoder.backends.cpu.kernels.compiling import kernel
from dynerf_decoder.scene.ray_sampling import PADDING

_HALF = np.float32(0.5)
_ZERO = np.float32(0)
_ONE = np.float32(1)
_LEAST_SUM, _LEAST_BIN, _LEAST_WEIGHT = np.float32(1e-8), np.float32(1e-12), np.float32(1e-5)
_PADDING = np.float32(PADDING)


@kernel
def stratified(even, noise, at, count, edges, to):
    """The ``count`` + 1 edges of one ray: ``even`` ones, jittered by ``noise`` from ``at`` on."""
    edges[to] = even[0]
    for index in range(1, count):
        edges[to + index] = even[index] + (noise[at + index - 1] - _HALF) / np.float32(count)
    edges[to + count] = even[count]


@kernel
def intervals(edges, at, count, length, middles, into, lengths, to):
    """Middles of one ray's intervals, written from ``into`` on, and lengths in cube units."""
    for index in range(count):
        low, high = edges[at + index], edges[at + index + 1]
        middles[into + index] = (high + low) * _HALF
        lengths[to + index] = (high - low) * length


@kernel
def draw(edges, at, weights, start, bins, noise, first, count, out, to):
    """``count`` positions of one ray, one from each part of equal weight of its histogram."""
    total = 0.0
    for index in range(bins):
        total += np.float64(weights[start + index])
    extra = _PADDING * max(np.float32(total), _LEAST_SUM) / np.float32(bins)
    whole = 0.0
    for index in range(bins):
        whole += np.float64(weights[start + index] + extra)
    last = np.float32(whole)
    found, running = 0, np.float64(weights[start] + extra)
    low, high = _ZERO, np.float32(running) / last
    for each in range(count):
        u = (np.float32(each) + noise[first + each]) / np.float32(count)
        while found < bins - 1 and high <= u:
            found += 1
            running += np.float64(weights[start + found] + extra)
            low, high = high, np.float32(running) / last
        inside = min(max((u - low) / max(high - low, _LEAST_BIN), _ZERO), _ONE)
        left, right = edges[at + found], edges[at + found + 1]
        out[to + each] = left + inside * (right - left)


@kernel
def bound(edges, at, weights, start, count, coarse, c_at, given, c_start, bins, scale, sums, change):
    """One ray's loss, and ``scale`` times its gradient with respect to the coarse weights, into ``change``.

    ``sums`` is room for bins + 1 numbers.
    """
    running = 0.0
    sums[0] = _ZERO
    for index in range(bins):
        running += np.float64(given[c_start + index])
        sums[index + 1] = np.float32(running)
        change[c_start + index] = _ZERO
    first, last, loss = 0, 0, 0.0
    for index in range(count):
        low, high = edges[at + index], edges[at + index + 1]
        while first < bins and coarse[c_at + first + 1] <= low:  # the last edge that is not beyond low
            first += 1
        while last < bins and coarse[c_at + last] < high:  # the first edge that is not before high
            last += 1
        weight = weights[start + index]
        excess = max(weight - (sums[last] - sums[first]), _ZERO)
        slope = excess / (weight + _LEAST_WEIGHT)
        loss += np.float64(excess * slope)
        # The bound is a sum over the bins from first up to last; what it wants it wants of each of them.
        slope *= np.float32(-2) * scale
        if last > first and slope != _ZERO:
            for each in range(first, last):
                change[c_start + each] += slope
    return loss
