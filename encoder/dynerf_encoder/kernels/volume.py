"""Volume rendering along a block of rays, from densities to weights, with its gradient (see the decoder).

Flat arrays hold ``count`` intervals of each ray; rays times intervals are a multiple of ``LANES``.
"""

import numpy as np

from dynerf_decoder.kernels.compiling import kernel
from dynerf_decoder.kernels.lanes import clamped, exponential, load, store, zeros

LANES = 8
_EIGHT = (np.float32(0),) * LANES
_ZERO = np.float32(0)
_ONE = np.float32(1)


@kernel
def volume_weights(raw, stride, rays, count, bounds, scratch):
    """Weights of intervals from raw densities ``raw``, which are ``stride`` apart.

    ``scratch`` is a ``records.IntervalScratch``: its lengths are input, its weights the result. Exponents,
    densities and the transmittance behind each interval are kept for the backward pass.
    """
    lengths, exponents, density = scratch.lengths, scratch.exponents, scratch.density
    transmittance, weights = scratch.transmittance, scratch.weights
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
            transmittance[index] = -np.float32(optical)
    for at in range(0, total, LANES):
        store(transmittance, at, exponential(load(zeros(_EIGHT), transmittance, at)))
    for ray in range(rays):
        front, last = _ONE, ray * count + count - 1
        for index in range(ray * count, last):
            weights[index] = front - transmittance[index]
            front = transmittance[index]
        weights[last] = front  # the far end of the space is opaque


@kernel
def volume_weights_backward(start, count, bounds, scratch, out, stride):
    """The gradients of one ray's raw densities, written ``stride`` apart, from those of its weights.

    The ray's intervals start at ``start``. A density at a bound of its exponent's range has a gradient of 0.
    """
    weight_gradients, lengths, exponents = scratch.weight_gradients, scratch.lengths, scratch.exponents
    density, transmittance = scratch.density, scratch.transmittance
    optical_gradient = 0.0
    last = start + count - 1
    out[last * stride] = _ZERO
    for index in range(last - 1, start - 1, -1):
        optical_gradient += np.float64(
            transmittance[index] * (weight_gradients[index + 1] - weight_gradients[index])
        )
        inside = bounds.least <= exponents[index] <= bounds.most
        gradient = -np.float32(optical_gradient) * lengths[index] * density[index]
        out[index * stride] = gradient if inside else _ZERO
