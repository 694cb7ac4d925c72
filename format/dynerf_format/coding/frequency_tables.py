"""Frequency tables: explicit ("counted") or parametric ("smooth"), and their bytes.

table    u8 n, 1 to 192: n frequencies, 1 byte below 128, else 2 (low 7 bits and bit 7 set, then the rest)
         u8 192 + shape, u8 scale, u8 tokens: a smooth table (``parametric_tables.py``)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dynerf_format.errors import FormatError
from dynerf_format.layout import SMOOTH, TABLE_TOKENS

from .parametric_tables import SHAPE_MAX, ParametricTable, fit, smooth_frequencies
from .rans_layout import PRECISION, TOTAL
from .tokens import TOKENS_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .byte_reader import ByteReader

    Counts = npt.NDArray[np.int64]
    Frequencies = npt.NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Table:
    """A table in its stored form, which is small; ``frequencies`` expands it."""

    stored: Frequencies | ParametricTable

    @property
    def frequencies(self) -> Frequencies:
        """(token,), the sum is 2^14."""
        return smooth_frequencies(self.stored) if isinstance(self.stored, ParametricTable) else self.stored

    def pack(self) -> bytes:
        """Return its bytes."""
        if isinstance(self.stored, ParametricTable):
            return SMOOTH.pack(TOKENS_MAX + self.stored.shape, self.stored.scale, self.stored.tokens)
        row = self.stored.tolist()
        body = b"".join(bytes([f]) if f < 128 else bytes([f & 127 | 128, f >> 7]) for f in row)
        return TABLE_TOKENS.pack(len(row)) + body


def unpack_table(reader: ByteReader, name: str) -> Table:
    """Read one table; FormatError unless its frequencies sum to 2^14 or its parameters are in range."""
    (first,) = reader.unpack(TABLE_TOKENS)
    if TOKENS_MAX < first <= TOKENS_MAX + SHAPE_MAX:
        scale, tokens = reader.take(2)
        if not 1 <= tokens <= TOKENS_MAX:
            raise FormatError(
                f"tensor {name!r}: a smooth table of {tokens} tokens, expected 1 to {TOKENS_MAX}"
            )
        return Table(ParametricTable(first - TOKENS_MAX, scale, tokens))
    if not 1 <= first <= TOKENS_MAX:
        raise FormatError(f"tensor {name!r}: a table of {first} tokens, expected 1 to {TOKENS_MAX}")
    row = [_frequency(reader) for _ in range(first)]
    if sum(row) != TOTAL or row[-1] == 0:
        raise FormatError(f"tensor {name!r}: a table sums to {sum(row)} or ends with 0, expected {TOTAL}")
    return Table(np.array(row, np.uint32))


def _frequency(reader: ByteReader) -> int:
    low = reader.take(1)[0]
    return low if low < 128 else low & 127 | reader.take(1)[0] << 7


def stack_tables(rows: Sequence[Frequencies]) -> Frequencies:
    """The frequencies of tables (table, token), shorter ones padded with zeros."""
    frequencies = np.zeros((len(rows), max(map(len, rows))), np.uint32)
    for target, row in zip(frequencies, rows, strict=True):
        target[: len(row)] = row
    return frequencies


def best_table(counts: Counts) -> Table:
    """The table for counts (token,) that takes the fewest bits, including its own bytes."""
    explicit = Table(np.trim_zeros(normalise(counts), "b"))
    smooth, bits = fit(np.trim_zeros(counts, "b"))
    exact = cost_of(counts[None, : explicit.frequencies.size], explicit.frequencies[None])
    return Table(smooth) if bits + 8 * SMOOTH.size < exact + 8 * len(explicit.pack()) else explicit


def cost_of(counts: Counts, frequencies: Frequencies) -> float:
    """Return the code length in bits of counted tokens (context, token); infinite if a table lacks one."""
    padded = np.zeros((len(frequencies), max(counts.shape[1], frequencies.shape[1])), np.float64)
    padded[:, : frequencies.shape[1]] = frequencies
    with np.errstate(divide="ignore"):
        lengths = (PRECISION - np.log2(padded))[:, : counts.shape[1]]
    return float((counts[counts > 0] * lengths[counts > 0]).sum())


def normalise(counts: Counts) -> Frequencies:
    """Scale counts to frequencies that sum to 2^14, at least 1 for each token that occurs."""
    total = int(counts.sum())
    if total == 0:
        return np.array([TOTAL] + [0] * (len(counts) - 1), np.uint32)
    frequencies = np.where(counts > 0, np.maximum(counts * TOTAL // total, 1), 0)
    while (excess := int(frequencies.sum()) - TOTAL) != 0:
        # The rounding error goes to the most frequent tokens, where it costs least.
        largest = int(np.argmax(frequencies))
        frequencies[largest] -= min(excess, int(frequencies[largest]) // 2)
    return frequencies.astype(np.uint32)
