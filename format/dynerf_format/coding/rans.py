"""rANS: integers <-> 16-bit words, with many interleaved lanes and integer tables.

A *table* gives each token t a frequency f(t) of at least 1 when it occurs; the frequencies of a table sum to
2^14, and c(t) is the sum of those before t. A *lane* is a state x, 2^16 <= x < 2^32. One token is decoded by

    slot = x mod 2^14,  t with c(t) <= slot < c(t) + f(t),  x' = f(t) (x >> 14) + slot - c(t),
    and when x' < 2^16 the next word w is taken in:  x' = x' 2^16 + w

Symbols are coded in *waves*; symbol i of a wave belongs to lane i mod lanes. A plain loop over the symbols
(``rans_kernels.py``) and a vectorised decoder with one symbol per lane read the words in the same order. All
values are below 2^32, so they are exact in JavaScript's numbers. (J. Duda, "Asymmetric numeral systems",
2013; interleaving: F. Giesen, "Interleaved entropy coders", 2014.)
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from dynerf_format.errors import FormatError, TruncatedError

from .rans_layout import STATE_MIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

LANES_MAX = 4096


class Tables:
    """Frequencies (table, token), uint32, each row summing to 2^14, with look-up tables for decoding."""

    def __init__(self, frequencies: npt.NDArray[np.uint32]) -> None:
        self.count, self.tokens = frequencies.shape
        starts = np.cumsum(frequencies, axis=1, dtype=np.uint32) - frequencies
        self.frequencies = frequencies.ravel()
        self.starts = starts.ravel()

    @functools.cached_property
    def slots(self) -> npt.NDArray[np.uint16]:
        """For each table and slot, the token's index in ``frequencies`` and ``starts``."""
        rows = np.arange(self.count * self.tokens, dtype=np.uint16)
        return np.repeat(rows, self.frequencies)


def encode(
    frequencies: npt.NDArray[np.uint32], starts: npt.NDArray[np.uint32], waves: Sequence[int], lanes: int
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint16]]:
    """Return (states, words) that :class:`RansDecoder` decodes.

    ``frequencies`` and ``starts`` are f and c of each symbol in coding order, ``waves`` the lengths of the
    waves.
    """
    from .rans_kernels import encode_wave  # loading numba is slow

    states = np.full(lanes, STATE_MIN, np.uint32)
    words = np.empty(len(frequencies), np.uint16)  # at most one per symbol
    position, stop = len(words), len(frequencies)
    for wave in reversed(waves):  # what is encoded last is decoded first
        position = encode_wave(frequencies, starts, stop - wave, stop, states, words, position)
        stop -= wave
    return states, words[position:].copy()


class RansDecoder:
    """Decode tokens, wave by wave, from the states and words of :func:`encode`."""

    def __init__(self, states: npt.NDArray[np.uint32], words: npt.NDArray[np.uint16]) -> None:
        if states.size and int(states.min()) < STATE_MIN:
            raise FormatError(f"rANS: a state of {int(states.min())}, expected at least {STATE_MIN}")
        from .rans_kernels import decode_wave  # loading numba is slow

        self._decode_wave = decode_wave
        self._states = states.copy()
        self._words = words
        self._position = 0

    def wave(self, tables: Tables, table_of: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
        """Return a wave's tokens; ``table_of`` is the table of each. TruncatedError when words run out."""
        rows = np.empty(len(table_of), np.int32)
        position = self._decode_wave(
            self._states, self._words, self._position,
            tables.frequencies, tables.starts, tables.slots, table_of, rows,
        )  # fmt: skip
        if position < 0:
            raise TruncatedError(f"rANS: needs more than its {len(self._words)} words")
        self._position = position
        tokens: npt.NDArray[np.int32] = rows - (table_of * tables.tokens).astype(np.int32)
        return tokens

    def finish(self) -> None:
        """FormatError unless no word is left and every state is back at its initial value."""
        if self._position != len(self._words) or (self._states != STATE_MIN).any():
            raise FormatError("rANS: words are left, or a state does not end at its initial value")
