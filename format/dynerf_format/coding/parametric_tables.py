"""Parametric tables: the frequencies of all tokens from the shape and scale of a distribution.

The integer r is taken to have a probability in proportion to

    2 ^ -((|r| / a) ^ b)        b = shape / 8,  a = 2 ^ (scale / 8 - 8)

a generalised normal distribution: Laplace's for b = 1, Gauss's for b = 2. A network's weights are near to
it, and three bytes for a table instead of a hundred leave the coder at the entropy of a few hundred symbols.
All is done in integers below 2^32, with logarithms in steps of 1/256, so that every decoder finds the same
table.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from .rans_layout import PRECISION, TOTAL
from .tokens import DIRECT, PER_OCTAVE, TOKENS_MAX

if TYPE_CHECKING:
    import numpy.typing as npt

    Longs: TypeAlias = npt.NDArray[np.int64]

SHAPE_MAX = 32
SCALE_MAX = 255
SCALES_PER_OCTAVE = 8
_UNIT = 256  # of a logarithm to base 2
_QUARTERS = 2  # magnitudes are counted in quarters, 2^-2
_SCALE_LEAST = 8  # octaves below one
_EXPONENT_MAX = 10 * _UNIT  # 2^10 octaves down nothing is left
_LOG_DIRECT = (0, 512, 768, 918, 1024, 1106, 1174, 1231, 1280)  # 256 log2(4 m), m = 1 to 8; unused for 0
_LOG_BUCKET = (1046, 1087, 1124, 1158, 1189, 1217, 1244, 1268)  # 256 log2(17 + 2 j), j = 0 to 7
_TRIED = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 26)
_TOKENS_STEP = 8


class ParametricTable(NamedTuple):
    """Which smooth table: shape 1 to 32, scale 0 to 255, number of tokens 1 to 192."""

    shape: int
    scale: int
    tokens: int


def smooth_frequencies(table: ParametricTable) -> npt.NDArray[np.uint32]:
    """Return the frequencies of a smooth table, (tokens,), each at least 1, which sum to 2^14."""
    rows = _frequencies(np.array([table.shape]), np.array([table.scale]), table.tokens)
    return rows.reshape(-1)


def scaled_frequencies(table: ParametricTable, classes: int, scales_per_class: int) -> npt.NDArray[np.uint32]:
    """Return the frequencies (class, token) of a table and of others, each so many scales above the last."""
    scales = np.minimum(table.scale + scales_per_class * np.arange(classes), SCALE_MAX)
    return _frequencies(np.full(classes, table.shape), scales, table.tokens)


def fit(counts: npt.NDArray[np.int64]) -> tuple[ParametricTable, float]:
    """Return the smooth table with which the counted tokens take the fewest bits, and these bits."""
    tokens = _round_up(len(counts))
    bits = code_lengths(tokens)[:, :, : len(counts)] @ counts
    best = int(np.argmin(bits))
    shape, scale = divmod(best, SCALE_MAX + 1)
    return ParametricTable(_TRIED[shape], scale, tokens), float(bits.flat[best])


def fit_scaled(counts: npt.NDArray[np.int64], scales_per_class: int) -> ParametricTable:
    """The smooth table of class 0 for counts (class, token), each class's so many scales above the last's."""
    used = max(np.trim_zeros(counts.sum(axis=0), "b").size, 1)
    tokens = _round_up(used)
    lengths = code_lengths(tokens)[:, :, :used].reshape(-1, used)
    bits = np.zeros((len(_TRIED), SCALE_MAX + 1))
    for number in np.flatnonzero(counts.any(axis=1)):
        scales = np.minimum(np.arange(SCALE_MAX + 1) + scales_per_class * number, SCALE_MAX)
        bits += (lengths @ counts[number, :used]).reshape(bits.shape)[:, scales]
    shape, scale = divmod(int(np.argmin(bits)), SCALE_MAX + 1)
    return ParametricTable(_TRIED[shape], scale, tokens)


@functools.lru_cache(maxsize=8)
def code_lengths(tokens: int) -> npt.NDArray[np.float32]:
    """Bits of each token by every table that :func:`fit` tries: (shape, scale, token)."""
    shapes, scales = np.array(_TRIED), np.arange(SCALE_MAX + 1)
    grid = _frequencies(np.repeat(shapes, len(scales)), np.tile(scales, len(shapes)), tokens)
    lengths = (PRECISION - np.log2(grid)).astype(np.float32)
    return lengths.reshape(len(shapes), len(scales), tokens)


def _round_up(tokens: int) -> int:
    """Fewer different numbers of tokens, so that their code lengths are at hand."""
    return min(-(-tokens // _TOKENS_STEP) * _TOKENS_STEP, TOKENS_MAX)


def _frequencies(shapes: Longs, scales: Longs, tokens: int) -> npt.NDArray[np.uint32]:
    """Row i is the table of ``shapes[i]`` and ``scales[i]``."""
    magnitude, width = _logarithms(tokens)
    octaves = _UNIT // SCALES_PER_OCTAVE * scales + (_QUARTERS - _SCALE_LEAST) * _UNIT
    exponent = shapes[:, None] * (magnitude - octaves[:, None]) >> 3
    fall = _power(np.minimum(exponent, _EXPONENT_MAX)) >> 8
    fall[:, 0] = 0  # of magnitude 0
    likely = width - fall
    weight = _power(likely - likely.max(axis=1, keepdims=True))
    found: Longs = np.maximum(weight * TOTAL // weight.sum(axis=1, keepdims=True), 1)
    rows = np.arange(len(found))
    found[rows, found.argmax(axis=1)] += TOTAL - found.sum(axis=1)
    return found.astype(np.uint32)


def _logarithms(tokens: int) -> tuple[Longs, Longs]:
    """256 log2 of four times each token's mean |r|, and of the number of integers it stands for."""
    token = np.arange(tokens)
    raw = np.maximum(token - DIRECT, 0) // PER_OCTAVE + 1
    bucket = np.array(_LOG_BUCKET)[(token - DIRECT) % PER_OCTAVE] + raw * _UNIT
    direct = np.array(_LOG_DIRECT)[np.minimum(token + 1 >> 1, DIRECT // 2)]
    return np.where(token < DIRECT, direct, bucket), np.where(token < DIRECT, 0, raw * _UNIT)


def _power(exponent: Longs) -> Longs:
    """2^16 times 2^(exponent / 256), within 0.3 %: a parabola between whole exponents."""
    whole, part = exponent >> 8, exponent & 255
    mantissa = (1 << 16) + part * (512 + part) // 3
    power: Longs = mantissa << np.maximum(whole, 0) >> np.minimum(np.maximum(-whole, 0), 31)
    return power
