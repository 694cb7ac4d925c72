"""What samples ask of one plane, added to its texels."""

import numpy as np

from dynerf_decoder.backends.cpu.kernels.compiling import kernel
from dynerf_decoder.backends.cpu.kernels.lanes import load, plus_scaled, store, zeros
from dynerf_decoder.backends.cpu.kernels.look_up import cell, corners


@kernel
def add_at(planes, place, change):
    """Add lanes to the four texels of a cell, weighted: what ``interpolate`` does, transposed."""
    start, right, below, w00, w01, w10, w11 = place
    store(planes, start, plus_scaled(load(change, planes, start), change, w00))
    start += right
    store(planes, start, plus_scaled(load(change, planes, start), change, w01))
    start += below
    store(planes, start, plus_scaled(load(change, planes, start), change, w11))
    start -= right
    store(planes, start, plus_scaled(load(change, planes, start), change, w10))


@kernel
def scatter(like, starts, steps, axes, positions, count, changes, size, out):
    """Write ``out``, (row, column, channel), the sums of the ``changes`` of all rays' ``count`` samples.

    ``axes`` are the numbers of the coordinates that run along columns and rows.
    """
    across, down = axes
    channels = len(like)
    for at in range(0, len(out), channels):
        store(out, at, zeros(like))
    for ray in range(len(positions) // count):
        x, dx = starts[3 * ray + across], steps[3 * ray + across]
        y, dy = starts[3 * ray + down], steps[3 * ray + down]
        for index in range(ray * count, ray * count + count):
            s = positions[index]
            column, right = cell(x + s * dx, size)
            row, below = cell(y + s * dy, size)
            place = corners(column, row, right, below, size, np.int64(0), channels)
            add_at(out, place, load(zeros(like), changes, index * channels))
