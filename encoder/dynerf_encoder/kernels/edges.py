"""Sample positions of a block of rays, and the histogram bound on the coarse weights.

The same as the decoder's ``ray_sampling``, one ray at a time; the uniform random numbers are arguments. Flat
arrays hold the rays of a block one after another, with ``count`` intervals each and one edge more.
"""

import numpy as np

from dynerf_decoder.kernels.compiling import kernel
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
    """Middles of one ray's intervals, written from ``into`` on, and their lengths in cube units."""
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
    padded_total = 0.0
    for index in range(bins):
        padded_total += np.float64(weights[start + index] + extra)
    last = np.float32(padded_total)
    bin_index, running = 0, np.float64(weights[start] + extra)
    low, high = _ZERO, np.float32(running) / last
    for index in range(count):
        u = (np.float32(index) + noise[first + index]) / np.float32(count)
        while bin_index < bins - 1 and high <= u:
            bin_index += 1
            running += np.float64(weights[start + bin_index] + extra)
            low, high = high, np.float32(running) / last
        fraction = min(max((u - low) / max(high - low, _LEAST_BIN), _ZERO), _ONE)
        left, right = edges[at + bin_index], edges[at + bin_index + 1]
        out[to + index] = left + fraction * (right - left)


@kernel
def histogram_bound(
    edges, at, weights, start, count, coarse_edges, coarse_at, coarse_weights, coarse_start, bins, scale,
    cumulative, gradients,
):  # fmt: skip
    """One ray's loss, and ``scale`` times its gradient with respect to the coarse weights.

    ``cumulative`` has bins + 1 items of scratch.
    """
    total = 0.0
    cumulative[0] = _ZERO
    for index in range(bins):
        total += np.float64(coarse_weights[coarse_start + index])
        cumulative[index + 1] = np.float32(total)
        gradients[coarse_start + index] = _ZERO
    first, last, loss = 0, 0, 0.0
    for index in range(count):
        low, high = edges[at + index], edges[at + index + 1]
        while first < bins and coarse_edges[coarse_at + first + 1] <= low:  # the last edge up to low
            first += 1
        while last < bins and coarse_edges[coarse_at + last] < high:  # the first edge from high on
            last += 1
        weight = weights[start + index]
        excess = max(weight - (cumulative[last] - cumulative[first]), _ZERO)
        slope = excess / (weight + _LEAST_WEIGHT)
        loss += np.float64(excess * slope)
        # The bound is a sum over the bins from first up to last, so all of these have the same gradient.
        slope *= np.float32(-2) * scale
        if last > first and slope != _ZERO:
            for each in range(first, last):
                gradients[coarse_start + each] += slope
    return loss
