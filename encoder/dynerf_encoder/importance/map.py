"""Importance maps: one weight for each pixel of each training view of a frame, and rays drawn by weight.

The weights of *all* training views of a frame are normalised together (DyNeRF, 3.2), so a view with more
motion gets more rays. Weights are uint8, mapped from disk; memory holds the running sum over lines, a line
being one picture row of one view. 8 bytes per line: 49 MB for 300 frames, 20 views, 1014 rows.
"""

from functools import cached_property
from typing import SupportsIndex

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8, UInt32

_BLOCK = 64  # pixels; searching a row by block and then by pixel is several times faster


class ImportanceMap:
    """Weights of some frames of a frame store.

    ``frames`` are the numbers of the store's frames that have weights, ascending; ``views`` the indices of
    the store's views that rays are drawn from. Pixel indices are row * width + column, as in
    ``FrameStore.gather``.
    """

    frames: Int64[np.ndarray, " frame"]
    views: tuple[int, ...]

    def __init__(
        self,
        weights: UInt8[np.ndarray, "frame view row column"],
        row_sums: UInt32[np.ndarray, "frame view row"],
        frames: Int64[np.ndarray, " frame"],
        views: tuple[int, ...],
        covered: Bool[np.ndarray, " n"] | None = None,
    ) -> None:
        """``covered`` is which pixels of all ``views`` have a source (``FrameStore.covered_pixels``)."""
        count, _, self._height, self._width = weights.shape
        self.frames = frames
        self.views = views
        self._view_numbers = np.array(views, np.int64)
        self.covered = covered
        self._lines = np.asarray(weights).reshape(count, -1, self._width)
        self._line_ends = np.cumsum(row_sums.reshape(count, -1), axis=1, dtype=np.int64)

    def draw(
        self, frame: SupportsIndex, uniforms: Float64[np.ndarray, " n"]
    ) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
        """Store view and pixel for each number in [0, 1), by inverse transform sampling (DyNeRF, 3.2).

        Weights are accumulated over views, then rows, then columns: number u selects the pixel whose interval
        of the running sum contains floor(u * total). When all weights of a frame are 0, pixels with a source
        are drawn uniformly.

        Raises IndexError for a frame that has no weights stored.
        """
        slot = self._slot(int(frame))
        ends = self._line_ends[slot]
        total = int(ends[-1])
        if total == 0:
            count = len(ends) * self._width if self.covered is None else len(self.covered_numbers)
            pixels = (uniforms * count).astype(np.int64)
            if self.covered is not None:
                pixels = self.covered_numbers[pixels]
            lines, columns = np.divmod(pixels, self._width)
        else:
            # Below total: for u < 1 the product never rounds up to it.
            units = (uniforms * total).astype(np.int64)
            lines = np.searchsorted(ends, units, side="right")
            rows = self._lines[slot].take(lines, axis=0)
            columns = _owners(rows, units - _before(ends, lines))
        views, rows_in_view = np.divmod(lines, self._height)
        return self._view_numbers[views], rows_in_view * self._width + columns

    def weights(self, frame: SupportsIndex) -> UInt8[np.ndarray, "view row column"]:
        """The weights of all views of a frame, in the order of ``views``; IndexError as from ``draw``."""
        weights: np.ndarray = self._lines[self._slot(int(frame))].reshape(-1, self._height, self._width)
        return weights

    @cached_property
    def covered_numbers(self) -> Int64[np.ndarray, " m"]:
        """The numbers of the pixels that have a source, over all views."""
        return np.flatnonzero(np.ones(0, bool) if self.covered is None else self.covered)

    def _slot(self, frame: int) -> int:
        slot = int(np.searchsorted(self.frames, frame))
        if slot == len(self.frames) or self.frames[slot] != frame:
            raise IndexError(f"frame {frame} has no weights, {len(self.frames)} other frames have")
        return slot


def _before(ends: Int64[np.ndarray, " m"], index: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """The running sum before each entry."""
    return np.where(index > 0, ends[index - 1], 0)


def _owners(rows: UInt8[np.ndarray, "n column"], units: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """The column in each row whose interval of the running sum contains ``unit``, 0 <= unit < row sum."""
    width = rows.shape[1]
    sums = np.add.reduceat(rows, np.arange(0, width, _BLOCK), axis=1, dtype=np.uint32)
    ends = np.cumsum(sums, axis=1, dtype=np.int64)
    block = np.count_nonzero(ends[:, :-1] <= units[:, None], axis=1)
    index = np.arange(len(rows))
    units = units - (ends[index, block] - sums[index, block])
    columns = np.minimum(block[:, None] * _BLOCK + np.arange(_BLOCK), width - 1)
    inner = np.cumsum(np.take_along_axis(rows, columns, axis=1), axis=1, dtype=np.int64)
    column: np.ndarray = block * _BLOCK + np.count_nonzero(inner[:, :-1] <= units[:, None], axis=1)
    return column
