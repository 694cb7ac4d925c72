"""rANS: integers <-> 16-bit words, with many interleaved lanes and integer tables.

A *table* gives each token t a frequency f(t) of at least 1 when it occurs; the frequencies of a table sum to
2^14, and c(t) is the sum of those before t. A *lane* is a state x, 2^16 <= x < 2^32. One token is decoded by

    slot = x mod 2^14,  t with c(t) <= slot < c(t) + f(t),  x' = f(t) (x >> 14) + slot - c(t),
    and when x' < 2^16 the next word w is taken in:  x' = x' 2^16 + w

Symbols come in *waves*; symbol i of a wave belongs to lane i mod lanes. A plain loop over the symbols and
NumPy's steps of one symbol per lane therefore take the words in the same order. Everything stays below 2^32,
so it is exact in JavaScript's numbers. (J. Duda, "Asymmetric numeral systems", 2013; interleaving: F. Giesen,
"Interleaved entropy coders", 2014.)
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from .errors import FormatError, TruncatedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

PRECISION = 14
TOTAL = 1 << PRECISION
LOWEST = 1 << 16
LANES_MAX = 4096
TABLES_MAX = 32
_MASK = np.uint32(TOTAL - 1)
_SHIFT = np.uint32(PRECISION)
_WORD = np.uint32(16)


class Tables:
    """Frequencies (table, token), uint32, each row summing to 2^14, and what coding looks up in them."""

    def __init__(self, frequencies: npt.NDArray[np.uint32]) -> None:
        self.count, self.tokens = frequencies.shape
        starts = np.cumsum(frequencies, axis=1, dtype=np.uint32) - frequencies
        self.frequencies = frequencies.ravel()
        self.starts = starts.ravel()

    @functools.cached_property
    def slots(self) -> npt.NDArray[np.uint16]:
        """For each table and slot the row of the token in ``frequencies`` and ``starts``."""
        rows = np.arange(self.count * self.tokens, dtype=np.uint16)
        return np.repeat(rows, self.frequencies)


def encode(
    frequencies: npt.NDArray[np.uint32], starts: npt.NDArray[np.uint32], waves: Sequence[int], lanes: int
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint16]]:
    """Return (states, words) from which :class:`Decoder` gets the symbols back.

    ``frequencies`` and ``starts`` are f and c of each symbol in coding order, ``waves`` the lengths of the
    waves.
    """
    states = np.full(lanes, LOWEST, np.uint64)
    steps = []
    position = 0
    for wave in waves:
        steps += [
            (start, min(start + lanes, position + wave)) for start in range(position, position + wave, lanes)
        ]
        position += wave
    words: list[npt.NDArray[np.uint16]] = []
    wide, offsets = frequencies.astype(np.uint64), starts.astype(np.uint64)
    limits = wide << np.uint64(32 - PRECISION)
    for start, stop in reversed(steps):  # what is encoded last is decoded first
        x = states[: stop - start]
        full = x >= limits[start:stop]
        words.append(x[full].astype(np.uint16))  # the low 16 bits
        x = np.where(full, x >> np.uint64(16), x)
        high, low = np.divmod(x, wide[start:stop])
        states[: stop - start] = (high << np.uint64(PRECISION)) + low + offsets[start:stop]
    words.reverse()
    return states.astype(np.uint32), np.concatenate([np.empty(0, np.uint16), *words])


class Decoder:
    """Takes tokens, wave by wave, out of the states and words that :func:`encode` made."""

    def __init__(self, states: npt.NDArray[np.uint32], words: npt.NDArray[np.uint16]) -> None:
        if states.size and int(states.min()) < LOWEST:
            raise FormatError(f"rANS: a state of {int(states.min())}, expected at least {LOWEST}")
        self._states = states.copy()
        self._words = words.astype(np.uint32)
        self._position = 0

    def wave(
        self, tables: Tables, slots: npt.NDArray[np.uint16], which: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.int32]:
        """Return the tokens of a wave; ``which`` is the table of each. TruncatedError when words run out."""
        lanes = len(self._states)
        rows = np.empty(len(which), np.uint16)
        first_slots = which * TOTAL
        for start in range(0, len(which), lanes):
            part = slice(start, start + lanes)
            first = first_slots[part]
            x = self._states[: len(first)]
            slot = x & _MASK
            row = slots.take(first + slot)
            rows[part] = row
            x = tables.frequencies.take(row) * (x >> _SHIFT) + slot - tables.starts.take(row)
            empty = (x < LOWEST).nonzero()[0]
            if empty.size:
                x[empty] = x[empty] << _WORD | self._take(empty.size)
            self._states[: len(first)] = x
        tokens: npt.NDArray[np.int32] = rows.astype(np.int32) - (which * tables.tokens).astype(np.int32)
        return tokens

    def finish(self) -> None:
        """FormatError unless the symbols were all there is: no word left, each state where encoding began."""
        if self._position != len(self._words) or (self._states != LOWEST).any():
            raise FormatError("rANS: does not end where it should")

    def _take(self, count: int) -> npt.NDArray[np.uint32]:
        if count > len(self._words) - self._position:
            raise TruncatedError(f"rANS: needs more than its {len(self._words)} words")
        self._position += count
        return self._words[self._position - count : self._position]
