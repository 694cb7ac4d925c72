"""Looks up three axis-aligned planes bilinearly and multiplies the results, for a block of points at once.

The GPU counterpart of ``kernels.look_up``. The planes of one scale lie in memory as (plane, row, column,
channel) from ``origin`` on, with ``size`` texels per side, at least two. The number of channels is a power of
two, so that one load fetches a texel. Points outside the cube are clamped to its border and NaN coordinates
become -1: whatever a file contains, no memory outside the planes is read.
"""

import triton.language as tl

from .triton_jit import kernel


@kernel
def cell(coordinate, size):
    """Index of the texel before a cube coordinate, and the coordinate's fraction of the way to the next."""
    last = (size - 1).to(tl.float32)
    position = (coordinate + 1) * (0.5 * last)
    position = tl.where(position > 0, position, 0.0)  # NaN is not greater either
    position = tl.where(position < last, position, last)
    index = tl.minimum(position.to(tl.int32), size - 2)
    return index, position - index.to(tl.float32)


@kernel
def interpolate(planes, start, column, row, x, y, size, CHANNELS: tl.constexpr):
    """The weighted sum of the four texels of each point's cell: (point, channel), float32."""
    below = size * CHANNELS
    texel = (start + (row * size + column) * CHANNELS)[:, None] + tl.arange(0, CHANNELS)[None, :]
    a = tl.load(planes + texel).to(tl.float32)
    b = tl.load(planes + texel + CHANNELS).to(tl.float32)
    c = tl.load(planes + texel + below).to(tl.float32)
    d = tl.load(planes + texel + below + CHANNELS).to(tl.float32)
    x, y = x[:, None], y[:, None]
    above = a + x * (b - a)
    return above + y * (c + x * (d - c) - above)


@kernel
def product(planes, origin, x, y, z, size, CHANNELS: tl.constexpr):
    """The features of a block of points at one scale: (point, channel), float32."""
    plane = size * size * CHANNELS
    ix, fx = cell(x, size)
    iy, fy = cell(y, size)
    iz, fz = cell(z, size)
    features = interpolate(planes, origin, ix, iy, fx, fy, size, CHANNELS)
    features *= interpolate(planes, origin + plane, ix, iz, fx, fz, size, CHANNELS)
    return features * interpolate(planes, origin + 2 * plane, iy, iz, fy, fz, size, CHANNELS)


@kernel
def spread_channels(values, BLOCK: tl.constexpr, CHANNELS: tl.constexpr, WIDTH: tl.constexpr):
    """(point, channel) to (point, ``WIDTH``) with zeros between the channels: tensor cores need 16 columns.

    Channel c goes to column c * WIDTH / CHANNELS.
    """
    if CHANNELS < WIDTH:
        values = tl.join(values, tl.zeros([BLOCK, CHANNELS], values.dtype))
        values = spread_channels(tl.reshape(values, [BLOCK, 2 * CHANNELS]), BLOCK, 2 * CHANNELS, WIDTH)
    return values
