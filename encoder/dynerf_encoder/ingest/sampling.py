"""Interpolates a picture at given positions, in integers, so that the result is the same on every machine."""

import numpy as np

from dynerf_decoder.kernels.compiling import kernel

BITS = 10  # of the weights
ONE = 2**BITS
_HALF = 2 ** (2 * BITS - 1)


@kernel
def interpolate(picture, columns, rows, width, height, out):
    """Bilinear samples of ``picture`` (flat RGB, uint8) at positions in units of 1 / ``ONE`` pixel.

    Position 0 is the centre of the first pixel; samples beyond the outer centres take those pixels. A
    negative column marks a position without source: the sample is 0. Halves are rounded up.
    """
    for index in range(columns.size):
        column, row = columns[index], rows[index]
        if column < 0:
            for channel in range(3):
                out[3 * index + channel] = 0
            continue
        left, top = column >> BITS, row >> BITS
        across, down = column & (ONE - 1), row & (ONE - 1)
        right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
        for channel in range(3):
            upper = (ONE - across) * np.int64(
                picture[3 * (top * width + left) + channel]
            ) + across * np.int64(picture[3 * (top * width + right) + channel])
            lower = (ONE - across) * np.int64(
                picture[3 * (bottom * width + left) + channel]
            ) + across * np.int64(picture[3 * (bottom * width + right) + channel])
            out[3 * index + channel] = np.uint8(((ONE - down) * upper + down * lower + _HALF) >> (2 * BITS))
