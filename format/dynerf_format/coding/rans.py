"""rANS: integers <-> 16-bit words, with many interleaved lanes and integer tables.

A *table* gives each token t a frequency f(t) of at least 1 when it occurs; the frequencies of a table sum to
2^14, and c(t) is the sum of those before t. A *lane* is a state x, 2^16 <= x < 2^32. One token is decoded by

    slot = x mod 2^14,  t with c(t) <= slot < c(t) + f(t),  x' = f(t) (x >> 14) + slot - c(t),
    and when x' < 2^16 the next word w is taken in:  x' = x' 2^16 + w

Symbols come in *waves*; symbol i of a wave belongs to lane i mod lanes. A plain loop over the symbols
(``rans_loops.py``) and steps of one symbol per lane, as vector machines like them, take the words in the same
order. Everything stays below 2^32, so it is exact in JavaScript's numbers. (J. Duda, "Asymmetric numeral
systems", 2013; interleaving: F. Giesen, "Interleaved entropy coders", 2014.)
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from dynerf_format.errors import FormatError, TruncatedError

from .rans_layout import LOWEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

LANES_MAX = 4096
TABLES_MAX = 32


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
    from .rans_kernels import put_symbols  # numba takes a while to load

    states = np.full(lanes, LOWEST, np.uint32)
    words = np.empty(len(frequencies), np.uint16)  # a symbol adds one at most
    position, stop = len(words), len(frequencies)
    for wave in reversed(waves):  # what is encoded last is decoded first
        position = put_symbols(frequencies, starts, stop - wave, stop, states, words, position)
        stop -= wave
    return states, words[position:].copy()


class Decoder:
    """Takes tokens, wave by wave, out of the states and words that :func:`encode` made."""

    def __init__(self, states: npt.NDArray[np.uint32], words: npt.NDArray[np.uint16]) -> None:
        if states.size and int(states.min()) < LOWEST:
            raise FormatError(f"rANS: a state of {int(states.min())}, expected at least {LOWEST}")
        from .rans_kernels import take_rows  # numba takes a while to load

        self._take = take_rows
        self._states = states.copy()
        self._words = words
        self._position = 0

    def wave(self, tables: Tables, which: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
        """Return the tokens of a wave; ``which`` is the table of each. TruncatedError when words run out."""
        rows = np.empty(len(which), np.int32)
        position = self._take(
            self._states, self._words, self._position, tables.frequencies, tables.starts, tables.slots, which,
            rows,
        )  # fmt: skip
        if position < 0:
            raise TruncatedError(f"rANS: needs more than its {len(self._words)} words")
        self._position = position
        tokens: npt.NDArray[np.int32] = rows - (which * tables.tokens).astype(np.int32)
        return tokens

    def finish(self) -> None:
        """FormatError unless the symbols were all there is: no word left, each state where encoding began."""
        if self._position != len(self._words) or (self._states != LOWEST).any():
            raise FormatError("rANS: does not end where it should")
