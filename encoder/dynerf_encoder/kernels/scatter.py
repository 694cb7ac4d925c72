"""The gradients of samples added to the texels of one plane."""

import numpy as np

from dynerf_decoder.kernels.compiling import kernel
from dynerf_decoder.kernels.lanes import load, plus_scaled, store, zeros
from dynerf_decoder.kernels.look_up import cell, corners


@kernel
def add_to_cell(planes, cell_corners, gradient):
    """Add lanes to the four texels of a cell, weighted: the transpose of ``interpolate``."""
    start, right, below, w00, w01, w10, w11 = cell_corners
    store(planes, start, plus_scaled(load(gradient, planes, start), gradient, w00))
    start += right
    store(planes, start, plus_scaled(load(gradient, planes, start), gradient, w01))
    start += below
    store(planes, start, plus_scaled(load(gradient, planes, start), gradient, w11))
    start -= right
    store(planes, start, plus_scaled(load(gradient, planes, start), gradient, w10))


@kernel
def scatter(lane_type, starts, steps, axes, positions, count, gradients, size, out):
    """Write to ``out``, (row, column, channel), the sums of the gradients of ``count`` samples of each ray.

    ``axes`` are the coordinates that run along columns and along rows.
    """
    column_axis, row_axis = axes
    channels = len(lane_type)
    for at in range(0, len(out), channels):
        store(out, at, zeros(lane_type))
    for ray in range(len(positions) // count):
        x, dx = starts[3 * ray + column_axis], steps[3 * ray + column_axis]
        y, dy = starts[3 * ray + row_axis], steps[3 * ray + row_axis]
        for index in range(ray * count, ray * count + count):
            s = positions[index]
            column, right = cell(x + s * dx, size)
            row, below = cell(y + s * dy, size)
            cell_corners = corners(column, row, right, below, size, np.int64(0), channels)
            add_to_cell(out, cell_corners, load(zeros(lane_type), gradients, index * channels))
