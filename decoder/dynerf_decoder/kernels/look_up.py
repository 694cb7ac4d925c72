"""Looks up three axis-aligned planes bilinearly and multiplies the results, channels in lanes.

The planes xy, xz and yz of one frame are one flat array, (plane, row, column, channel). Each is a square of
``size`` texels per side, with the corner texels at the corners of the cube; the first axis of a plane's name
runs along columns. Points outside the cube are clamped to its border; NaN coordinates become -1.

``lane_type`` is a tuple of zeros, one for each channel.
"""

import numpy as np

from .compiling import kernel
from .lanes import (
    clamped,
    floored,
    halves,
    item,
    load,
    load_pair,
    minus,
    plus,
    plus_scaled,
    row_major,
    scaled,
    splat,
    store,
    store_whole,
    times,
    whole,
    zeros,
)

_ONE = np.float32(1)
_ZERO = np.float32(0)
_HALF = np.float32(0.5)
_PAIRED = 4  # channels


@kernel
def cell(coordinate, size):
    """Index of the texel before a cube coordinate, and the coordinate's fraction of the way to the next."""
    last = np.float32(size - 1)
    position = (coordinate + _ONE) * (_HALF * last)
    position = min(position if position > _ZERO else _ZERO, last)
    index = min(np.int32(position), np.int32(max(size - 2, 0)))
    return index, position - np.float32(index)


@kernel
def corners(column, row, x, y, size, origin, channels):
    """Offset of a cell's first texel, offsets from it to the next column and row, and the four weights."""
    start = origin + (row * size + column) * channels
    right = channels if size > 1 else 0
    below = size * right
    return start, right, below, (_ONE - x) * (_ONE - y), x * (_ONE - y), (_ONE - x) * y, x * y


@kernel
def interpolate(lane_type, planes, cell_corners):
    """The weighted sum of a cell's four texels."""
    start, right, below, w00, w01, w10, w11 = cell_corners
    total = scaled(load(zeros(lane_type), planes, start), w00)
    total = plus_scaled(total, load(zeros(lane_type), planes, start + right), w01)
    total = plus_scaled(total, load(zeros(lane_type), planes, start + below), w10)
    return plus_scaled(total, load(zeros(lane_type), planes, start + below + right), w11)


@kernel
def plane_corners(x, y, z, origin, size, channels):
    """The ``corners`` of a point's cells in the planes xy, xz and yz; xy begins at offset ``origin``."""
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
def product(lane_type, planes, origin, size, x, y, z):
    """The features of one point; the planes begin at offset ``origin``."""
    xy, xz, yz = plane_corners(x, y, z, origin, size, len(lane_type))
    features = times(interpolate(lane_type, planes, xy), interpolate(lane_type, planes, xz))
    return times(features, interpolate(lane_type, planes, yz))


@kernel
def products(lane_type, planes, size, points, out, offset, stride):
    """Write the features of ``points`` (n, 3) to ``out``, those of point i at ``offset + i * stride``."""
    for i in range(points.shape[0]):
        features = product(lane_type, planes, 0, size, points[i, 0], points[i, 1], points[i, 2])
        store(out, offset + i * stride, features)


@kernel
def cells(coordinates, size):
    """``cell`` of several coordinates: whole lanes, and lanes of fractions."""
    last = np.float32(size - 1)
    position = scaled(plus(coordinates, splat(coordinates, _ONE)), _HALF * last)
    position = clamped(position, _ZERO, last)
    before = clamped(floored(position), _ZERO, np.float32(max(size - 2, 0)))
    return whole(before), minus(position, before)


@kernel
def locate(lane_type, x, y, z, size, texels, fractions):
    """Write the cells of several points, one for each lane of ``lane_type``, for ``product_at``.

    ``texels`` gets the numbers of their first texels in the planes xy, xz and yz, ``fractions`` the fractions
    along x, y and z: three blocks of lanes each.
    """
    count = len(lane_type)
    ix, fx = cells(x, size)
    iy, fy = cells(y, size)
    iz, fz = cells(z, size)
    store_whole(texels, 0, row_major(iy, size, ix))
    store_whole(texels, count, row_major(iz, size, ix))
    store_whole(texels, 2 * count, row_major(iz, size, iy))
    store(fractions, 0, fx)
    store(fractions, count, fy)
    store(fractions, 2 * count, fz)


@kernel
def blend(lane_type, planes, start, below, x, y):
    """The texels of the cell that begins at offset ``start``, interpolated.

    ``below`` is the offset from a texel to the one in the next row. Two neighbouring texels are loaded at
    once where they fit a register of eight lanes.
    """
    right = start + len(lane_type)
    if len(lane_type) <= _PAIRED:
        upper = load_pair(zeros(lane_type), planes, start)
        both = plus_scaled(upper, minus(load_pair(zeros(lane_type), planes, start + below), upper), y)
        near, far = halves(both)
    else:
        near, far = load(zeros(lane_type), planes, start), load(zeros(lane_type), planes, right)
        near = plus_scaled(near, minus(load(zeros(lane_type), planes, start + below), near), y)
        far = plus_scaled(far, minus(load(zeros(lane_type), planes, right + below), far), y)
    return plus_scaled(near, minus(far, near), x)


@kernel
def product_at(lane_type, planes, size, texels, fractions, at, count):
    """``product`` of one of the ``count`` points that ``locate`` wrote, number ``at``; size is at least 2."""
    channels = len(lane_type)
    below, plane = size * channels, size * size * channels
    x, y, z = item(fractions, at), item(fractions, at + count), item(fractions, at + 2 * count)
    xy = np.int64(item(texels, at)) * channels
    xz = np.int64(item(texels, at + count)) * channels + plane
    yz = np.int64(item(texels, at + 2 * count)) * channels + 2 * plane
    features = times(blend(lane_type, planes, xy, below, x, y), blend(lane_type, planes, xz, below, x, z))
    return times(features, blend(lane_type, planes, yz, below, y, z))
