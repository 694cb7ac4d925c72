"""Densities to weights along a block of rays, and back: ``volume_rendering`` of the decoder, with gradient.

Flat arrays hold ``count`` intervals of each of the rays; rays times intervals are a multiple of ``LANES``.
"""

import numpy as np

from dynerf_decoder.backends.cpu.kernels.compiling import kernel
from dynerf_decoder.backends.cpu.kernels.lanes import clamped, exponential, load, store, zeros

LANES = 8
_EIGHT = (np.float32(0),) * LANES
_ZERO = np.float32(0)
_ONE = np.float32(1)


@kernel
def weigh(raw, stride, rays, count, bounds, room):
    """Weights of intervals with the raw densities ``raw``, one for each ``stride`` numbers.

    ``room`` are ``records.IntervalScratch``: its lengths are given, its weights are the result. Kept for the
    way back are exponents, densities and, behind each interval, the transmittance.
    """
    lengths, exponents, density = room.lengths, room.exponents, room.density
    through, weights = room.through, room.weights
    total = rays * count
    for index in range(total):
        exponents[index] = raw[index * stride] + bounds.bias
    for at in range(0, total, LANES):
        store(
            density, at, exponential(clamped(load(zeros(_EIGHT), exponents, at), bounds.least, bounds.most))
        )
    for ray in range(rays):
        optical = 0.0
        for index in range(ray * count, ray * count + count):
            optical += np.float64(density[index] * lengths[index])
            through[index] = -np.float32(optical)
    for at in range(0, total, LANES):
        store(through, at, exponential(load(zeros(_EIGHT), through, at)))
    for ray in range(rays):
        front, last = _ONE, ray * count + count - 1
        for index in range(ray * count, last):
            weights[index] = front - through[index]
            front = through[index]
        weights[last] = front  # the far end of the space is opaque


@kernel
def to_raw(start, count, bounds, room, out, stride):
    """The gradients of one ray's raw densities, one for each ``stride`` numbers, from those of its weights.

    The ray's intervals start at ``start``. A density at a bound of its exponent's range has none.
    """
    change, lengths, exponents = room.change, room.lengths, room.exponents
    density, through = room.density, room.through
    total = 0.0
    last = start + count - 1
    out[last * stride] = _ZERO
    for index in range(last - 1, start - 1, -1):
        total += np.float64(through[index] * (change[index + 1] - change[index]))
        inside = bounds.least <= exponents[index] <= bounds.most
        gradient = -np.float32(total) * lengths[index] * density[index]
        out[index * stride] = gradient if inside else _ZERO
