"""Computes the weights that rays are drawn by: how much a pixel differs from itself at other times.

DyNeRF, 3.2. ``pictures`` are pixels of one static view over time, uint8 (frame, n, 3). The formulas are the
paper's, for colours in 0..1; the code computes them in levels of 1/255. Weights w are in 0..1 and are
returned as round(255 * w), uint8: a step of 0.004, too small to affect sampling. Nothing here is
differentiable. Scratch memory is about 40 bytes for each value of (frame, n), so pass few pixels at a time;
few pixels also stay in the CPU's cache, which makes this fast.
"""

import numpy as np
from jaxtyping import Float32, Int16, UInt8, UInt16


def temporal_median(pictures: UInt8[np.ndarray, "frame n 3"]) -> UInt16[np.ndarray, "n 3"]:
    """Twice the median over time, exact, 0..510.

    Doubled, because the median of an even number of frames is the mean of the two middle ones. Unlike the
    mean, which public re-implementations use, the median ignores what is visible in less than half of the
    frames.
    """
    frames, pixels = pictures.shape[:2]
    values = pictures.reshape(frames, 3 * pixels)
    lower = _order_statistic(values, (frames - 1) // 2).astype(np.uint16)
    upper = lower if frames % 2 else _order_statistic(values, frames // 2)
    return (lower + upper).reshape(pixels, 3)


def isg_weights(
    pictures: UInt8[np.ndarray, "frame n 3"], doubled_median: UInt16[np.ndarray, "n 3"], gamma: float
) -> UInt8[np.ndarray, "frame n"]:
    """ISG: w = 1/3 sum over rgb of psi(C_t - median), psi(x) = x^2 / (x^2 + gamma^2) (Geman-McClure)."""
    median = doubled_median * np.float32(0.5)
    width = np.float32((255 * gamma) ** 2)
    total: Float32[np.ndarray, "frame n"] = np.zeros(pictures.shape[:2], np.float32)
    for channel in range(3):
        square = pictures[:, :, channel].astype(np.float32)
        square -= median[:, channel]
        square *= square
        total += square / (square + width)
    total *= 255 / 3
    return total.round().astype(np.uint8)


def ist_weights(
    pictures: UInt8[np.ndarray, "frame n 3"], window: int, floor: float
) -> UInt8[np.ndarray, "frame n"]:
    """IST: w = max(floor, max over t' within ``window`` frames of mean over rgb of |C_t - C_t'|).

    t' is before or after t. No pairs of frames are compared: the sum of three absolute differences is the
    largest of the signed sums, |r| + |g| + |b| = max over signs of (+-r +-g +-b), so its maximum over t'
    follows from a running maximum and minimum over time of four signed sums of the colour. Exact, in
    integers, and the cost grows with log(window) instead of window.
    """
    red, green, blue = (pictures[:, :, channel].astype(np.int16) for channel in range(3))
    change = np.zeros(red.shape, np.int16)
    for signed in (red + green + blue, red + green - blue, red - green + blue, red - green - blue):
        np.maximum(change, _running(np.maximum, signed, window) - signed, out=change)
        np.maximum(change, signed - _running(np.minimum, signed, window), out=change)
    mean = (change + 1) // 3  # to the nearest; thirds have no ties
    return np.maximum(mean, round(255 * floor)).astype(np.uint8)


def _order_statistic(values: UInt8[np.ndarray, "frame n"], rank: int) -> UInt8[np.ndarray, " n"]:
    """The value of ``rank`` (0 is the smallest) in each column, found bit by bit.

    It is the largest v with at most ``rank`` values below v. Ten times faster than np.partition over axis 0.
    """
    found = np.zeros(values.shape[1], np.uint8)
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        candidate = found | np.uint8(bit)
        found = np.where(_true_in_column(values < candidate) <= rank, candidate, found)
    return found


def _true_in_column(mask: np.ndarray) -> np.ndarray:
    """Number of true values per column; summed in uint8, 255 rows at a time, because that is fastest."""
    total = np.zeros(mask.shape[1], np.int64)
    for start in range(0, len(mask), 255):
        total += np.add.reduce(mask[start : start + 255].view(np.uint8), axis=0, dtype=np.uint8)
    return total


def _running(
    extreme: np.ufunc, values: Int16[np.ndarray, "frame n"], window: int
) -> Int16[np.ndarray, "frame n"]:
    """np.maximum or np.minimum of all rows within ``window`` of each row, by doubling the span."""
    frames = len(values)
    reach = min(window, frames - 1)
    # Repeating the end rows has no effect: a span that extends beyond an end contains its row.
    spans = np.concatenate([values[:1].repeat(reach, axis=0), values, values[-1:].repeat(reach, axis=0)])
    span = 1
    while 2 * span <= 2 * reach + 1:
        spans = extreme(spans[:-span], spans[span:])
        span *= 2
    rest = 2 * reach + 1 - span  # two overlapping spans make one of 2 * reach + 1 rows
    running: np.ndarray = extreme(spans[:frames], spans[rest : rest + frames])
    return running
