"""Frequency tables: explicit ("counted") or parametric ("smooth"), shared by contexts, and their bytes.

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
from .rans import TABLES_MAX
from .rans_layout import PRECISION, TOTAL
from .tokens import TOKENS_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .byte_reader import ByteReader

    Counts = npt.NDArray[np.int64]
    Frequencies = npt.NDArray[np.uint32]

_ROUNDS = 6


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
    table_of = np.zeros(1, np.intp)
    exact = cost_of(counts[None, : explicit.frequencies.size], explicit.frequencies[None], table_of)
    return Table(smooth) if bits + 8 * SMOOTH.size < exact + 8 * len(explicit.pack()) else explicit


def choose_tables(counts: Counts) -> tuple[list[Table], npt.NDArray[np.intp]]:
    """Return tables and the table of each context for ``counts`` (context, token).

    Contexts are clustered into 1, 2, 4, ... tables; the number with the smallest total of tables and symbols
    is used. Contexts that never occur use table 0.
    """
    used = np.flatnonzero(counts.sum(axis=1))
    best: tuple[float, list[Table], npt.NDArray[np.intp]] | None = None
    tables = 1
    while best is None or tables <= min(TABLES_MAX, len(used)):
        table_of = np.zeros(len(counts), np.intp)
        table_of[used] = _cluster(counts[used], tables)
        candidates = [best_table(counts[table_of == n].sum(axis=0)) for n in range(int(table_of.max()) + 1)]
        stored = sum(len(table.pack()) for table in candidates) + (len(counts) if len(candidates) > 1 else 0)
        bits = (
            cost_of(counts, stack_tables([table.frequencies for table in candidates]), table_of)
            + 8.0 * stored
        )
        if best is None or bits < best[0]:
            best = (bits, candidates, table_of)
        tables *= 2
    return best[1], best[2]


def _cluster(counts: Counts, tables: int) -> npt.NDArray[np.intp]:
    """Lloyd's algorithm with code length as distance, initialised by splitting contexts sorted by entropy."""
    share = counts / counts.sum(axis=1, keepdims=True)
    entropy = -(share * np.log2(np.maximum(share, 1e-12))).sum(axis=1)
    order = np.argsort(entropy, kind="stable")
    weight = np.cumsum(counts.sum(axis=1)[order])
    table_of = np.empty(len(counts), np.intp)
    table_of[order] = np.minimum(tables * (weight - weight[0] // 2) // (weight[-1] + 1), tables - 1)
    for _ in range(_ROUNDS):
        numbers, table_of = np.unique(table_of, return_inverse=True)
        sums = np.stack([counts[table_of == n].sum(axis=0) for n in range(len(numbers))]) + 0.01
        lengths = -np.log2(sums / sums.sum(axis=1, keepdims=True))
        table_of = np.argmin(counts @ lengths.T, axis=1)
    return np.unique(table_of, return_inverse=True)[1]


def cost_of(counts: Counts, frequencies: Frequencies, table_of: npt.NDArray[np.intp]) -> float:
    """Return the code length in bits of counted tokens (context, token); infinite if a table lacks one."""
    padded = np.zeros((len(frequencies), max(counts.shape[1], frequencies.shape[1])), np.float64)
    padded[:, : frequencies.shape[1]] = frequencies
    with np.errstate(divide="ignore"):
        lengths = (PRECISION - np.log2(padded))[table_of, : counts.shape[1]]
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
