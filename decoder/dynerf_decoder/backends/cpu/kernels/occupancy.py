"""Tests an occupancy grid, a ``records.CellBits``, along a ray.

Cells are numbered along x first, then y, then z; bit i mod 8 of byte i div 8 is set when cell i is occupied.
"""

import numpy as np

from .compiling import kernel

_ONE = np.float32(1)
_ZERO = np.float32(0)
_HALF = np.float32(0.5)


@kernel
def cell_of(coordinate, size):
    """Index of the cell of a cube coordinate; 0 for NaN."""
    position = (coordinate + _ONE) * (_HALF * np.float32(size))
    return np.int64(min(position if position > _ZERO else _ZERO, np.float32(size - 1)))


@kernel
def is_empty(grid, line, s):
    """Whether the cell at position ``s`` of a line (start, step to the end: six numbers) is empty."""
    bits, size = grid.bits, grid.size
    if size == 0:
        return False
    x, y, z, dx, dy, dz = line
    cell = (cell_of(z + s * dz, size) * size + cell_of(y + s * dy, size)) * size + cell_of(x + s * dx, size)
    return (bits[cell >> 3] >> (cell & 7)) & 1 == 0
