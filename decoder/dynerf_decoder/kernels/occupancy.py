"""Finds the occupied cells of an occupancy grid, a ``records.CellBits``, along a ray.

Cells are numbered along x first, then y, then z; bit i mod 8 of byte i div 8 is set when cell i is occupied.
Positions are tested ``LANES`` at a time, without branches: which cells are empty cannot be predicted.
"""

import numpy as np

from .compiling import kernel
from .lanes import clamped, item, load, plus_scaled, row_major, scaled, splat, store_whole, whole, zeros

LANES = 8
_EIGHT = (np.float32(0),) * LANES
_ONE = np.float32(1)
_ZERO = np.float32(0)
_HALF = np.float32(0.5)


@kernel
def cells_along(start, step, s, size):
    """Cell indices along one axis at positions ``s`` of a line; 0 for NaN."""
    distance = scaled(plus_scaled(splat(s, start + _ONE), s, step), _HALF * np.float32(size))
    return whole(clamped(distance, _ZERO, np.float32(size - 1)))


@kernel
def occupied(grid, line, positions, first, count, cells, chosen, to):
    """Write which of ``count`` positions are in occupied cells, in order, and return how many.

    The positions, from ``first`` on, lie on a line (start, step to the end: six numbers). Both they and
    ``chosen``, from ``to`` on, hold whole blocks of ``LANES``; ``cells`` is a buffer of one block.
    """
    x, y, z, dx, dy, dz = line
    bits, size, found = grid.bits, grid.size, 0
    for at in range(0, count, LANES):
        s = load(zeros(_EIGHT), positions, first + at)
        rows = row_major(cells_along(z, dz, s, size), size, cells_along(y, dy, s, size))
        store_whole(cells, 0, row_major(rows, size, cells_along(x, dx, s, size)))
        for lane in range(LANES):
            cell = item(cells, lane)
            chosen[to + found] = at + lane
            found += (item(bits, cell >> 3) >> (cell & 7)) & 1
    while found > 0 and chosen[to + found - 1] >= count:
        found -= 1
    return found
