"""Parametric tables ("smooth" in SPEC.md): token frequencies from the shape and scale of a distribution.

The probability of the integer r is proportional to

    2 ^ -((|r| / a) ^ b)        b = shape / 8,  a = 2 ^ (scale / 8 - 8)

a generalised normal distribution: Laplace for b = 1, Gauss for b = 2. A network's weights are close to it,
and with a table of three bytes instead of a hundred, small tensors are coded near their entropy. All
arithmetic is on integers below 2^32, with logarithms in steps of 1/256, so that every decoder computes the
same table.
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
_FRACTION_BITS = 2  # magnitudes are in quarters, 2^-2
_OCTAVES_BELOW_ONE = 8  # scale 0 is 2^-8
_EXPONENT_MAX = 10 * _UNIT  # 2^10 octaves below the maximum: the weight is zero
_LOG_DIRECT = (0, 512, 768, 918, 1024, 1106, 1174, 1231, 1280)  # 256 log2(4 m), m = 1 to 8; unused for 0
_LOG_BUCKET = (1046, 1087, 1124, 1158, 1189, 1217, 1244, 1268)  # 256 log2(17 + 2 j), j = 0 to 7
_SHAPES = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 26)
_TOKENS_STEP = 8


class ParametricTable(NamedTuple):
    """Parameters of a smooth table: shape 1 to 32, scale 0 to 255, number of tokens 1 to 192."""

    shape: int
    scale: int
    tokens: int


def smooth_frequencies(table: ParametricTable) -> npt.NDArray[np.uint32]:
    """Return the frequencies of a smooth table, (tokens,), each at least 1, which sum to 2^14."""
    rows = _frequencies(np.array([table.shape]), np.array([table.scale]), table.tokens)
    return rows.reshape(-1)


def scaled_frequencies(table: ParametricTable, classes: int, scales_per_class: int) -> npt.NDArray[np.uint32]:
    """Return the frequencies (class, token) of tables whose scale grows by ``scales_per_class`` per row."""
    scales = np.minimum(table.scale + scales_per_class * np.arange(classes), SCALE_MAX)
    return _frequencies(np.full(classes, table.shape), scales, table.tokens)


def fit(counts: npt.NDArray[np.int64]) -> tuple[ParametricTable, float]:
    """Return the smooth table with the fewest bits for the counted tokens, and these bits."""
    tokens = _round_up(len(counts))
    bits = code_lengths(tokens)[:, :, : len(counts)] @ counts
    best = int(np.argmin(bits))
    shape, scale = divmod(best, SCALE_MAX + 1)
    return ParametricTable(_SHAPES[shape], scale, tokens), float(bits.flat[best])


def fit_scaled(counts: npt.NDArray[np.int64], scales_per_class: int) -> ParametricTable:
    """The best table of class 0 for counts (class, token), with scales growing by class as above."""
    used = max(np.trim_zeros(counts.sum(axis=0), "b").size, 1)
    tokens = _round_up(used)
    lengths = code_lengths(tokens)[:, :, :used].reshape(-1, used)
    bits = np.zeros((len(_SHAPES), SCALE_MAX + 1))
    for number in np.flatnonzero(counts.any(axis=1)):
        scales = np.minimum(np.arange(SCALE_MAX + 1) + scales_per_class * number, SCALE_MAX)
        bits += (lengths @ counts[number, :used]).reshape(bits.shape)[:, scales]
    shape, scale = divmod(int(np.argmin(bits)), SCALE_MAX + 1)
    return ParametricTable(_SHAPES[shape], scale, tokens)


@functools.lru_cache(maxsize=8)
def code_lengths(tokens: int) -> npt.NDArray[np.float32]:
    """Code lengths in bits of each token in every table that :func:`fit` tries: (shape, scale, token)."""
    shapes, scales = np.array(_SHAPES), np.arange(SCALE_MAX + 1)
    grid = _frequencies(np.repeat(shapes, len(scales)), np.tile(scales, len(shapes)), tokens)
    lengths = (PRECISION - np.log2(grid)).astype(np.float32)
    return lengths.reshape(len(shapes), len(scales), tokens)


def _round_up(tokens: int) -> int:
    """Round the number of tokens up, so that few different ones are cached."""
    return min(-(-tokens // _TOKENS_STEP) * _TOKENS_STEP, TOKENS_MAX)


def _frequencies(shapes: Longs, scales: Longs, tokens: int) -> npt.NDArray[np.uint32]:
    """Frequencies (table, token); row i has ``shapes[i]`` and ``scales[i]``."""
    magnitude, width = _logarithms(tokens)
    octaves = _UNIT // SCALES_PER_OCTAVE * scales + (_FRACTION_BITS - _OCTAVES_BELOW_ONE) * _UNIT
    exponent = shapes[:, None] * (magnitude - octaves[:, None]) >> 3
    decay = power_of_two(np.minimum(exponent, _EXPONENT_MAX)) >> 8
    decay[:, 0] = 0  # of magnitude 0
    log_mass = width - decay
    weight = power_of_two(log_mass - log_mass.max(axis=1, keepdims=True))
    frequencies: Longs = np.maximum(weight * TOTAL // weight.sum(axis=1, keepdims=True), 1)
    rows = np.arange(len(frequencies))
    frequencies[rows, frequencies.argmax(axis=1)] += TOTAL - frequencies.sum(axis=1)
    return frequencies.astype(np.uint32)


def _logarithms(tokens: int) -> tuple[Longs, Longs]:
    """256 log2 of four times each token's mean |r|, and of the number of integers it represents."""
    token = np.arange(tokens)
    raw = np.maximum(token - DIRECT, 0) // PER_OCTAVE + 1
    bucket = np.array(_LOG_BUCKET)[(token - DIRECT) % PER_OCTAVE] + raw * _UNIT
    direct = np.array(_LOG_DIRECT)[np.minimum(token + 1 >> 1, DIRECT // 2)]
    return np.where(token < DIRECT, direct, bucket), np.where(token < DIRECT, 0, raw * _UNIT)


def power_of_two(exponent: Longs) -> Longs:
    """2^16 times 2^(exponent / 256), within 0.3 %: a parabola between integer exponents."""
    whole, part = exponent >> 8, exponent & 255
    mantissa = (1 << 16) + part * (512 + part) // 3
    power: Longs = mantissa << np.maximum(whole, 0) >> np.minimum(np.maximum(-whole, 0), 31)
    return power
