"""Model of matrices whose rows or columns differ in magnitude: a network's weights, latents over time.

Rows are coded one after the other, or a few at once where there are many. A row is predicted as zero, as the
previous row, or by linear extrapolation of the two previous rows. The mean absolute residual of the rows
above, per column and in half octaves, is the context; its table is the smooth table of that scale, so that
one pair of parameters serves all contexts. (Scales from running means follow LOCO-I: M. Weinberger et al.,
2000.)
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
"""Contexts besides the first; each is half an octave of the mean absolute residual, from 1/16 on."""
ROWS_MAX, COLUMNS_MAX = 2**12, 2**16
_WAVES_MAX = 64  # for order 0: enough to adapt to the columns, and each wave is long
_FRACTION = 16  # means are in 16ths
_PRIOR_ROWS = 2  # weight of the mean over all columns, in rows
_RESIDUAL_MAX = 2**16 - 1  # sums stay exact in JavaScript's numbers


def rows_per_wave(rows: int, columns: int, order: int) -> int:
    """Number of rows coded at once, each predicted from the rows before all of them."""
    return 1 if order else max(1, min(-(-rows // _WAVES_MAX), COLUMNS_MAX // columns))


class RowModel:
    """The rows of a matrix, or columns if ``transposed``, each predicted from the ``order`` previous rows.

    ``order`` is 0, or without side information 1 or 2. The first ``order`` rows have the first context and
    are not counted.
    """

    def __init__(
        self, shape: tuple[int, ...], side_info: SideInformation, order: int, transposed: bool
    ) -> None:
        self._order, self._transposed = order, transposed
        base = side_info.base()
        self._base = np.zeros(shape, np.int32) if isinstance(base, int) else base
        if transposed:
            self._base = self._base.T
        self.canvas = np.empty(self._base.shape, np.int32)
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
            np.tile(contexts, len(wave)), self._predict_rows(slice(first, first + len(wave))).ravel()
        )

    def load(self, symbols: Ints) -> None:
        self.canvas[:] = symbols.T if self._transposed else symbols

    def symbols(self) -> Ints:
        return np.ascontiguousarray(self.canvas.T) if self._transposed else self.canvas

    def _count(self, rows: slice) -> None:
        """Add the absolute residuals of rows to the sums."""
        residual = np.abs(self.canvas[rows] - self._predict_rows(rows))
        self._sums += np.minimum(residual, _RESIDUAL_MAX).sum(axis=0, dtype=np.int64)

    def _predict_rows(self, rows: slice) -> Ints:
        """The prediction of rows; of a single row when the order is above 0."""
        predicted: Ints = self._base[rows]
        if self._order > 0 and rows.start > 0:
            predicted = self.canvas[rows.start - 1 : rows.start]
        if self._order > 1 and rows.start > 1:
            predicted = np.clip(2 * predicted - self.canvas[rows.start - 2], -SYMBOL_MAX, SYMBOL_MAX)
        return predicted

    def _contexts(self, counted: int) -> npt.NDArray[np.intp]:
        """0 before any row was counted, else 1 + the class of each column's mean absolute residual."""
        columns = len(self._sums)
        if counted < 1:
            return np.zeros(columns, np.intp)
        overall = _FRACTION * int(self._sums.sum()) // (counted * columns)
        mean = np.maximum((_FRACTION * self._sums + _PRIOR_ROWS * overall) // (counted + _PRIOR_ROWS), 1)
        octave = np.frexp(mean.astype(np.float64))[1].astype(np.int64) - 1  # floor(log2), exact below 2^53
        upper_half = (mean >> np.maximum(octave - 1, 0) & 1) * (octave > 0)
        return (1 + np.minimum(2 * octave + upper_half, CLASSES - 1)).astype(np.intp)
