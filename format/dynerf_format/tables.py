"""Frequency tables: counts to integers that sum to 2^14, few of them for many contexts, and their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .errors import FormatError
from .layout import TABLE_TOKENS
from .rans import PRECISION, TABLES_MAX, TOTAL
from .tokens import TOKENS_MAX

if TYPE_CHECKING:
    import numpy.typing as npt

    from .cursor import Cursor

    Counts = npt.NDArray[np.int64]

_ROUNDS = 6


def choose_tables(counts: Counts) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.intp]]:
    """Return (frequencies (table, token), table of each context) for ``counts`` (context, token).

    Contexts share tables where that costs fewer bits than another table would; the number of tables that
    gives the smallest sum of tables and symbols is taken. Contexts that never occur use table 0.
    """
    used = np.flatnonzero(counts.sum(axis=1))
    best: tuple[float, npt.NDArray[np.uint32], npt.NDArray[np.intp]] | None = None
    tables = 1
    while best is None or tables <= min(TABLES_MAX, len(used)):
        table_of = np.zeros(len(counts), np.intp)
        table_of[used] = _cluster(counts[used], tables)
        frequencies = np.stack(
            [normalise(counts[table_of == n].sum(axis=0)) for n in range(int(table_of.max()) + 1)]
        )
        stored = sum(len(pack_table(row)) for row in frequencies) + (len(counts) if tables > 1 else 0)
        bits = cost_of(counts, frequencies, table_of) + 8.0 * stored
        if best is None or bits < best[0]:
            best = (bits, frequencies, table_of)
        tables *= 2
    return best[1], best[2]


def _cluster(counts: Counts, tables: int) -> npt.NDArray[np.intp]:
    """Lloyd's algorithm with code length as distance, from contexts in the order of their entropy."""
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


def cost_of(counts: Counts, frequencies: npt.NDArray[np.uint32], table_of: npt.NDArray[np.intp]) -> float:
    """Return the bits that the counted tokens take."""
    lengths = PRECISION - np.log2(np.maximum(frequencies, 1))
    return float((counts * lengths[table_of]).sum())


def normalise(counts: Counts) -> npt.NDArray[np.uint32]:
    """Frequencies that sum to 2^14, at least 1 for each token that occurs, near to the counts' proportion."""
    total = int(counts.sum())
    if total == 0:
        return np.array([TOTAL] + [0] * (len(counts) - 1), np.uint32)
    frequencies = np.where(counts > 0, np.maximum(counts * TOTAL // total, 1), 0)
    while (excess := int(frequencies.sum()) - TOTAL) != 0:
        # What rounding took or gave goes to the most frequent tokens, which feel it least.
        largest = int(np.argmax(frequencies))
        frequencies[largest] -= min(excess, int(frequencies[largest]) // 2)
    return frequencies.astype(np.uint32)


def pack_table(frequencies: npt.NDArray[np.uint32]) -> bytes:
    """Return a table as it is stored, without the zeros at its end."""
    row = np.trim_zeros(frequencies, "b").tolist()
    body = b"".join(bytes([f]) if f < 128 else bytes([f & 127 | 128, f >> 7]) for f in row)
    return TABLE_TOKENS.pack(len(row)) + body


def unpack_table(cursor: Cursor, name: str) -> npt.NDArray[np.uint32]:
    """Read one table; FormatError unless its frequencies sum to 2^14."""
    (tokens,) = cursor.unpack(TABLE_TOKENS)
    if not 1 <= tokens <= TOKENS_MAX:
        raise FormatError(f"tensor {name!r}: a table of {tokens} tokens, expected 1 to {TOKENS_MAX}")
    row = [_frequency(cursor) for _ in range(tokens)]
    if sum(row) != TOTAL or row[-1] == 0:
        raise FormatError(f"tensor {name!r}: a table sums to {sum(row)} or ends with 0, expected {TOTAL}")
    return np.array(row, np.uint32)


def _frequency(cursor: Cursor) -> int:
    low = cursor.take(1)[0]
    return low if low < 128 else low & 127 | cursor.take(1)[0] << 7
