"""Context models: predict a symbol's base value, sign and context from symbols decoded earlier.

A *model* arranges the symbols of a tensor on a canvas (position, column) and orders the positions in waves.
The symbols of a wave depend on earlier waves only, so each wave is one NumPy expression; within it the order
is position by position, column by column. A symbol is ``base + residual``, and the residual is coded with the
table of the context. Encoder and decoder call the same ``predict``, in integers, so they cannot diverge.

============  ===  ========================================================================  ========
model         id   base                                                                      contexts
============  ===  ========================================================================  ========
flat          0    from side information: 0, the coarser or the previous segment's symbol    1
rows          3    as flat, row by row                                                       41
columns       5    as flat, column by column                                                 41
steps         6    the symbol of the previous row                                            41
lines         7    extrapolated linearly from the two previous rows                          41
============  ===  ========================================================================  ========

Rows, columns, steps and lines are in ``row_model.py``. Model 1, planes, has decisions instead of tables and a
coder of its own (``planes_coder.py``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from .row_model import CLASSES, COLUMNS_MAX, ROWS_MAX, RowModel, rows_per_wave
from .side_information import Prediction

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from .side_information import SideInformation

    Ints: TypeAlias = npt.NDArray[np.int32]

FLAT, PLANES, ROWS, COLUMNS, STEPS, LINES = 0, 1, 3, 5, 6, 7
ROW_MODELS = (ROWS, COLUMNS, STEPS, LINES)
_ORDER = {ROWS: 0, COLUMNS: 0, STEPS: 1, LINES: 2}
CONTEXTS = {FLAT: 1, **dict.fromkeys(ROW_MODELS, 1 + CLASSES)}
"""Number of contexts of each model."""
WAVE_MAX = 2**16  # symbols; the working memory is about a hundred bytes each


class ContextModel(Protocol):
    """A tensor's symbols in coding order; ``canvas``, int32 (position, column), holds the known ones."""

    canvas: Ints

    def waves(self) -> Iterator[npt.NDArray[np.intp]]:
        """The positions of each wave."""
        ...

    def predict(self, wave: npt.NDArray[np.intp]) -> Prediction:
        """Predict the symbols of a wave from earlier waves."""
        ...

    def load(self, symbols: Ints) -> None:
        """Fill the canvas with all symbols."""
        ...

    def symbols(self) -> Ints:
        """The canvas as a tensor."""
        ...


def fits(model: int, shape: tuple[int, ...], side_info: SideInformation) -> bool:
    """Whether a tensor of this shape may use the model."""
    if model == FLAT:
        return True
    independent = side_info.coarse is None and side_info.previous is None
    if model not in ROW_MODELS or len(shape) != 2 or (_ORDER[model] > 0 and not independent):
        return False
    rows, columns = shape[::-1] if model == COLUMNS else shape
    return rows <= ROWS_MAX and columns <= COLUMNS_MAX


def wave_count(model: int, shape: tuple[int, ...]) -> int:
    """The number of waves of a tensor, before long ones are split."""
    if model == FLAT:
        return -(-math.prod(shape) // WAVE_MAX)
    rows, columns = shape[::-1] if model == COLUMNS else shape
    return -(-rows // rows_per_wave(rows, columns, _ORDER[model]))


def make_model(model: int, shape: tuple[int, ...], side_info: SideInformation) -> ContextModel:
    """Create a model by its number."""
    if model == FLAT:
        return FlatModel(shape, side_info)
    return RowModel(shape, side_info, _ORDER[model], transposed=model == COLUMNS)


class FlatModel:
    """Prediction from side information only, not from other symbols of the tensor."""

    def __init__(self, shape: tuple[int, ...], side_info: SideInformation) -> None:
        self._shape = shape
        base = side_info.base()
        self._base = None if isinstance(base, int) else base.ravel()
        self.canvas = np.empty((math.prod(shape), 1), np.int32)

    def waves(self) -> Iterator[npt.NDArray[np.intp]]:
        for start in range(0, len(self.canvas), WAVE_MAX):
            yield np.arange(start, min(start + WAVE_MAX, len(self.canvas)))

    def predict(self, wave: npt.NDArray[np.intp]) -> Prediction:
        base = np.zeros(wave.size, np.int32) if self._base is None else self._base[wave]
        return Prediction(np.zeros(wave.size, np.intp), base)

    def load(self, symbols: Ints) -> None:
        self.canvas[:, 0] = symbols.ravel()

    def symbols(self) -> Ints:
        return self.canvas.reshape(self._shape)
