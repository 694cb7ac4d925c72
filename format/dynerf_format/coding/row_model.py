"""Matrices in which rows or columns are of different size: a network's weights, latents over time.

RowModel are coded one after the other, many rows a few at once. What is expected of a row is nothing, the row
before it, or the line through the two before it; how far each symbol will be off is told by how far the
symbols above it in its column were. The mean of these distances, in half octaves, is the context, and its
table the smooth table of that scale, so that one pair of numbers serves all contexts. (Scales from running
means are LOCO-I's: M. Weinberger et al., 2000.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from dynerf_format.layout import SYMBOL_MAX

from .side_information import Prediction

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from .side_information import SideInformation

    Ints: TypeAlias = npt.NDArray[np.int32]

CLASSES = 40
"""Contexts beside the first; each is half an octave of the mean distance, from 1/16 on."""
ROWS_MAX, COLUMNS_MAX = 2**12, 2**16
_WAVES = 64  # at most, where no row tells of the next: enough to follow the columns, and each is long
_UNIT = 16  # of a mean distance
_PRIOR = 2  # rows that the mean over all columns counts for
_DISTANCE_MAX = 2**16 - 1  # sums stay exact in JavaScript's numbers


def rows_per_wave(rows: int, columns: int, order: int) -> int:
    """How many rows are coded at once, each knowing only what came before all of them."""
    return 1 if order else max(1, min(-(-rows // _WAVES), COLUMNS_MAX // columns))


class RowModel:
    """The rows of a matrix, or its columns when ``turned``, each expected from ``order`` rows before it.

    ``order`` is 0, or 1 or 2 when nothing else is known. The first ``order`` rows have the first context and
    count for nothing.
    """

    contexts = 1 + CLASSES

    def __init__(self, shape: tuple[int, ...], known: SideInformation, order: int, turned: bool) -> None:
        self._order, self._turned = order, turned
        base = known.base()
        self._known = np.zeros(shape, np.int32) if isinstance(base, int) else base
        if turned:
            self._known = self._known.T
        self.canvas = np.empty(self._known.shape, np.int32)
        rows, columns = self.canvas.shape
        self._group = rows_per_wave(rows, columns, order)
        self._sums = np.zeros(self.canvas.shape[1], np.int64)

    def waves(self) -> Iterator[npt.NDArray[np.intp]]:
        for first in range(0, len(self.canvas), self._group):
            yield np.arange(first, min(first + self._group, len(self.canvas)))

    def predict(self, wave: npt.NDArray[np.intp]) -> Prediction:
        first = int(wave[0])
        if first > self._order:
            self._count(slice(first - self._group, first))
        contexts = self._contexts(first - self._order)
        return Prediction(
            np.tile(contexts, len(wave)), self._expected(slice(first, first + len(wave))).ravel()
        )

    def load(self, symbols: Ints) -> None:
        self.canvas[:] = symbols.T if self._turned else symbols

    def symbols(self) -> Ints:
        return np.ascontiguousarray(self.canvas.T) if self._turned else self.canvas

    def _count(self, rows: slice) -> None:
        """Add how far the symbols of rows were off."""
        distance = np.abs(self.canvas[rows] - self._expected(rows))
        self._sums += np.minimum(distance, _DISTANCE_MAX).sum(axis=0, dtype=np.int64)

    def _expected(self, rows: slice) -> Ints:
        """What is expected of rows, of one row when the order is above 0."""
        expected: Ints = self._known[rows]
        if self._order > 0 and rows.start > 0:
            expected = self.canvas[rows.start - 1 : rows.start]
        if self._order > 1 and rows.start > 1:
            expected = np.clip(2 * expected - self.canvas[rows.start - 2], -SYMBOL_MAX, SYMBOL_MAX)
        return expected

    def _contexts(self, counted: int) -> npt.NDArray[np.intp]:
        """0 before any row was counted, else 1 + the class of each column's mean distance."""
        columns = len(self._sums)
        if counted < 1:
            return np.zeros(columns, np.intp)
        everywhere = _UNIT * int(self._sums.sum()) // (counted * columns)
        mean = np.maximum((_UNIT * self._sums + _PRIOR * everywhere) // (counted + _PRIOR), 1)
        octave = np.frexp(mean.astype(np.float64))[1].astype(np.int64) - 1  # floor(log2), exact below 2^53
        upper_half = (mean >> np.maximum(octave - 1, 0) & 1) * (octave > 0)
        return (1 + np.minimum(2 * octave + upper_half, CLASSES - 1)).astype(np.intp)
