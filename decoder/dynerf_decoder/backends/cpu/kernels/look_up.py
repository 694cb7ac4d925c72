"""Bilinear look-up in three axis-aligned planes and the product of what is found, channels in lanes.

The planes xy, xz and yz of one frame lie in one flat array, (plane, row, column, channel), each square with
``size`` texels a side, the corner texels at the corners of the cube; the first axis of a plane's name runs
along columns. Points outside the cube are moved to its border, and so are coordinates that are no number.

``like`` is a tuple of as many zeros as there are channels; only its length matters.
"""

import numpy as np

from .compiling import kernel
from .lanes import load, plus_scaled, scaled, store, times, zeros

_ONE = np.float32(1)
_ZERO = np.float32(0)
_HALF = np.float32(0.5)


@kernel
def cell(coordinate, size):
    """Index of the texel before a cube coordinate, and how far the coordinate lies towards the next."""
    last = np.float32(size - 1)
    position = (coordinate + _ONE) * (_HALF * last)
    position = min(position if position > _ZERO else _ZERO, last)
    index = min(np.int32(position), np.int32(max(size - 2, 0)))
    return index, position - np.float32(index)


@kernel
def corners(column, row, x, y, size, origin, channels):
    """Offsets of a cell's first texel, from it to the next column and row, and the four weights."""
    start = origin + (row * size + column) * channels
    right = channels if size > 1 else 0
    below = size * right
    return start, right, below, (_ONE - x) * (_ONE - y), x * (_ONE - y), (_ONE - x) * y, x * y


@kernel
def interpolate(like, planes, place):
    """The four texels of a cell, weighted."""
    start, right, below, w00, w01, w10, w11 = place
    total = scaled(load(zeros(like), planes, start), w00)
    total = plus_scaled(total, load(zeros(like), planes, start + right), w01)
    total = plus_scaled(total, load(zeros(like), planes, start + below), w10)
    return plus_scaled(total, load(zeros(like), planes, start + below + right), w11)


@kernel
def places(x, y, z, origin, size, channels):
    """Where a point lies in the planes xy, xz and yz, the first of which begins at offset ``origin``."""
    plane = size * size * channels
    ix, fx = cell(x, size)
    iy, fy = cell(y, size)
    iz, fz = cell(z, size)
    return (
        corners(ix, iy, fx, fy, size, origin, channels),
        corners(ix, iz, fx, fz, size, origin + plane, channels),
        corners(iy, iz, fy, fz, size, origin + 2 * plane, channels),
    )


@kernel
def product(like, planes, origin, size, x, y, z):
    """The features of one point in the planes from offset ``origin`` on."""
    xy, xz, yz = places(x, y, z, origin, size, len(like))
    found = times(interpolate(like, planes, xy), interpolate(like, planes, xz))
    return times(found, interpolate(like, planes, yz))


@kernel
def products(like, planes, size, points, out, offset, stride):
    """The features of ``points`` (n, 3) into the flat ``out``, at ``offset + i * stride`` for point i."""
    for i in range(points.shape[0]):
        found = product(like, planes, 0, size, points[i, 0], points[i, 1], points[i, 2])
        store(out, offset + i * stride, found)
