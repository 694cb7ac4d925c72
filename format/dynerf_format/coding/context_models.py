"""Context models: predict a symbol's base value, sign and context from symbols decoded earlier.

A *model* arranges the symbols of a tensor on a canvas (position, column) and orders the positions in waves.
The symbols of a wave depend on earlier waves only, so each wave is one NumPy expression; within it the order
is position by position, column by column. A symbol is ``base + sign * residual``, and the residual is coded
with the table of the context. Encoder and decoder call the same ``predict``, in integers, so they cannot
diverge.

============  ===  ========================================================================  ========
model         id   base                                                                      contexts
============  ===  ========================================================================  ========
flat          0    from side information: 0, the coarser or the previous segment's symbol    1
planes        1    median edge detection of left, up and upper left (LOCO-I)                 68
refined       2    factor times the coarser symbol                                           343
rows          3    as flat, row by row                                                       41
continued     4    the previous segment's symbol, or factor times the coarser symbol         208
columns       5    as flat, column by column                                                 41
steps         6    the symbol of the previous row                                            41
lines         7    extrapolated linearly from the two previous rows                          41
============  ===  ========================================================================  ========

Rows, columns, steps and lines are in ``row_model.py``. LOCO-I: M. Weinberger, G. Seroussi, G. Sapiro, "The
LOCO-I lossless image compression algorithm", 2000. Its contexts are three gradients of the neighbourhood, and
a context and its mirror image share a table. Most texels have zero gradients, so that context is divided by
*activity*: the number of channels that are uneven at the texel.
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

FLAT, PLANES, REFINED, ROWS, CONTINUED, COLUMNS, STEPS, LINES = range(8)
ROW_MODELS = (ROWS, COLUMNS, STEPS, LINES)
_ORDER = {ROWS: 0, COLUMNS: 0, STEPS: 1, LINES: 2}
ACTIVITIES = 5
"""Contexts for neighbourhoods without gradients besides the first, by the number of uneven channels."""
_ROW_CONTEXTS = 1 + CLASSES
CONTEXTS = (1, 63 + ACTIVITIES, 338 + ACTIVITIES, _ROW_CONTEXTS, 203 + ACTIVITIES, *[_ROW_CONTEXTS] * 3)
"""Number of contexts of each model."""
WAVES_MAX = 2**16
SYMBOLS_PER_WAVE_MIN = 64
_ACTIVITY = np.array([min(ACTIVITIES, count.bit_length()) for count in range(17)], np.int32)
WAVE_MAX = 2**16  # symbols; the working memory is about a hundred bytes each


class ContextModel(Protocol):
    """A tensor's symbols in coding order; ``canvas``, int32 (position, column), holds the known ones."""

    contexts: int
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
    """Whether a tensor of this shape may use the model; many small waves would be slow."""
    if model == FLAT:
        return True
    if model in ROW_MODELS:
        independent = side_info.coarse is None and side_info.previous is None
        if len(shape) != 2 or (_ORDER[model] > 0 and not independent):
            return False
        rows, columns = shape[::-1] if model == COLUMNS else shape
        return rows <= ROWS_MAX and columns <= COLUMNS_MAX
    if model != model_for_planes(side_info) or len(shape) < 3:
        return False
    waves = wave_count(model, shape)
    if math.prod(shape[:-2]) > WAVE_MAX:
        return False
    return waves <= WAVES_MAX and math.prod(shape) >= SYMBOLS_PER_WAVE_MIN * waves


def model_for_planes(side_info: SideInformation) -> int:
    """The model for planes that uses the available side information."""
    if side_info.previous is not None:
        return CONTINUED
    return PLANES if side_info.coarse is None else REFINED


def wave_count(model: int, shape: tuple[int, ...]) -> int:
    """The number of waves of a tensor, before long ones are split."""
    if model == FLAT:
        return -(-math.prod(shape) // WAVE_MAX)
    if model in ROW_MODELS:
        rows, columns = shape[::-1] if model == COLUMNS else shape
        return -(-rows // rows_per_wave(rows, columns, _ORDER[model]))
    return shape[-1] + 2 * (shape[-2] - 1)


def make_model(model: int, shape: tuple[int, ...], side_info: SideInformation) -> ContextModel:
    """Create a model by its number."""
    if model in ROW_MODELS:
        return RowModel(shape, side_info, _ORDER[model], transposed=model == COLUMNS)
    if model == FLAT:
        return FlatModel(shape, side_info)
    if side_info.previous is not None:
        return ContinuedModel(shape, side_info.previous, side_info)
    return (
        PlanesContextModel(shape)
        if side_info.coarse is None
        else RefinedModel(shape, side_info.coarse, side_info.factor)
    )


class FlatModel:
    """Prediction from side information only, not from other symbols of the tensor."""

    contexts = CONTEXTS[FLAT]

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


class PlanesContextModel:
    """Planes (plane, row, column) padded with zeros; wave d holds the texels with column + 2 row = d.

    Left, upper, upper left and upper right neighbours of a texel lie in earlier waves.
    """

    contexts = CONTEXTS[PLANES]

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._height, self._width = shape[-2:]
        self._channels = shape[-3]
        self._stride = self._width + 2
        self.canvas = np.zeros(((self._height + 2) * self._stride, math.prod(shape[:-2])), np.int32)

    def waves(self) -> Iterator[npt.NDArray[np.intp]]:
        for wave in range(self._width + 2 * (self._height - 1)):
            first = max(0, (wave - self._width + 2) // 2)
            rows = np.arange(first, min(self._height - 1, wave // 2) + 1)
            yield from _split_wave((rows + 1) * self._stride + wave - 2 * rows + 1, self.canvas.shape[1])

    def predict(self, wave: npt.NDArray[np.intp]) -> Prediction:
        left, up, upper_left, upper_right = neighbours = self._neighbours(wave)
        k = 25 * _level(upper_right - up) + 5 * _level(up - upper_left) + _level(upper_left - left)
        return self._mirrored(k, _median(left, up, upper_left), neighbours)

    def load(self, symbols: Ints) -> None:
        self._interior()[:] = symbols.reshape(-1, self._height, self._width).transpose(1, 2, 0)

    def symbols(self) -> Ints:
        return np.ascontiguousarray(self._interior().transpose(2, 0, 1)).reshape(self._shape)

    def _interior(self) -> Ints:
        return self.canvas.reshape(self._height + 2, self._stride, -1)[1:-1, 1:-1]

    def _mirrored(self, k: Ints, base: Ints, neighbours: tuple[Ints, ...]) -> Prediction:
        """Merge a context with its mirror image, negating the residual; split context 0 by activity."""
        size = np.abs(k)
        context = np.where(size == 0, self._activity(*neighbours), size + ACTIVITIES)
        return Prediction(context.astype(np.intp), base, np.where(k < 0, np.int32(-1), np.int32(1)))

    def _activity(self, left: Ints, up: Ints, upper_left: Ints, upper_right: Ints) -> Ints:
        """0 to 5 for each symbol: the bit length of the number of channels that are uneven at its texel."""
        uneven = ((left ^ up) | (up ^ upper_right) | (upper_left ^ left)) != 0
        count = np.count_nonzero(uneven.reshape(-1, self._channels), axis=1)
        level = _ACTIVITY.take(count, mode="clip")
        return np.repeat(level, self._channels)

    def _neighbours(self, wave: npt.NDArray[np.intp]) -> tuple[Ints, Ints, Ints, Ints]:
        above = wave - self._stride
        return tuple(self.canvas[where].ravel() for where in (wave - 1, above, above - 1, above + 1))  # type: ignore[return-value]


class RefinedModel(PlanesContextModel):
    """Planes in a refinement: the coarser symbols are known everywhere, also to the right and below."""

    contexts = CONTEXTS[REFINED]

    def __init__(self, shape: tuple[int, ...], coarse: Ints, factor: int) -> None:
        super().__init__(shape)
        self._coarse = _canvas(shape, coarse)
        self._factor = factor

    def predict(self, wave: npt.NDArray[np.intp]) -> Prediction:
        left, up, upper_left, upper_right = neighbours = self._neighbours(wave)
        coarse = self._coarse[wave].ravel()
        base = self._factor * coarse
        k = np.clip(_median(left, up, upper_left) - base, -2, 2)
        for gradient in (upper_right - up, up - upper_left, upper_left - left):
            k = 3 * k + np.sign(gradient)
        right, below = self._coarse[wave + 1].ravel(), self._coarse[wave + self._stride].ravel()
        k = 5 * k + np.sign(right - coarse) + np.sign(below - coarse)
        return self._mirrored(k, base, neighbours)


class ContinuedModel(PlanesContextModel):
    """Planes predicted from the previous segment and, in a refinement, also from the coarser layer."""

    contexts = CONTEXTS[CONTINUED]

    def __init__(self, shape: tuple[int, ...], previous: Ints, side_info: SideInformation) -> None:
        super().__init__(shape)
        self._previous = _canvas(shape, previous)
        self._coarse = None if side_info.coarse is None else _canvas(shape, side_info.coarse)
        self._factor = side_info.factor

    def predict(self, wave: npt.NDArray[np.intp]) -> Prediction:
        left, up, upper_left, upper_right = neighbours = self._neighbours(wave)
        previous = self._previous[wave].ravel()
        if self._coarse is None:
            base = previous
            right, below = self._previous[wave + 1].ravel(), self._previous[wave + self._stride].ravel()
            hint = np.sign(np.sign(right - previous) + np.sign(below - previous))
        else:
            base = self._factor * self._coarse[wave].ravel()
            hint = np.sign(previous - base)
        k = 5 * hint + np.clip(_median(left, up, upper_left) - base, -2, 2)
        for gradient in (upper_right - up, up - upper_left, upper_left - left):
            k = 3 * k + np.sign(gradient)
        return self._mirrored(k, base, neighbours)


def _canvas(shape: tuple[int, ...], symbols: Ints) -> Ints:
    """Symbols of another layer or segment on the canvas of planes."""
    planes = PlanesContextModel(shape)
    planes.load(symbols)
    return planes.canvas


def _split_wave(wave: npt.NDArray[np.intp], columns: int) -> Iterator[npt.NDArray[np.intp]]:
    """Split a wave into waves of at most 65,536 symbols."""
    positions = WAVE_MAX // columns
    for start in range(0, len(wave), positions):
        yield wave[start : start + positions]


def _median(left: Ints, up: Ints, upper_left: Ints) -> Ints:
    """The median of left, up and left + up - upper left."""
    low, high = np.minimum(left, up), np.maximum(left, up)
    median: Ints = np.minimum(np.maximum(left + up - upper_left, low), high)
    return median


def _level(gradient: Ints) -> Ints:
    """Quantise a gradient to -2..2: its sign, doubled from magnitude 3 on."""
    return np.sign(gradient) + (gradient > 2) - (gradient < -2)
