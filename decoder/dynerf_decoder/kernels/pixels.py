"""Directions of the rays through a camera's pixels, in float64, without passes over memory."""

import numpy as np

from .compiling import kernel

_HALF = 0.5


@kernel
def pixel_rays(first, step, width, focal_x, focal_y, centre_x, centre_y, pose, directions):
    """Fill in unit world directions, (pixel, axis), of every ``step``-th pixel from ``first`` on, row by row.

    ``pose`` is the flat 3x4 matrix of ``cameras.Camera``.
    """
    row, column = divmod(first, width)
    for at in range(0, len(directions), 3):
        x, y = (column + (_HALF - centre_x)) / focal_x, (row + (_HALF - centre_y)) / -focal_y
        scale = 1 / np.sqrt(x * x + y * y + 1)
        for axis in range(3):
            right, up, back = pose[4 * axis], pose[4 * axis + 1], pose[4 * axis + 2]
            directions[at + axis] = (right * x + up * y - back) * scale
        column += step
        while column >= width:
            column -= width
            row += 1
        while column < 0:
            column += width
            row -= 1
