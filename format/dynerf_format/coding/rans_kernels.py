"""The loops of ``rans.py`` over symbols, compiled by numba at their first use.

Indices are bounds-checked, because they come from untrusted files.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dynerf_format.io.compiled_code import compiled

from .rans_layout import PRECISION, STATE_MIN, TOTAL

if TYPE_CHECKING:
    import numpy.typing as npt

_WORD_BITS = 16


_HERE = Path(__file__)
_compiled = functools.partial(
    compiled,
    package="dynerf_format",
    sources=(_HERE, _HERE.with_name("rans_layout.py")),
    nogil=True,
    boundscheck=True,
)


@_compiled
def decode_wave(
    states: npt.NDArray[np.uint32],
    words: npt.NDArray[np.uint16],
    position: int,
    frequencies: npt.NDArray[np.uint32],
    starts: npt.NDArray[np.uint32],
    slots: npt.NDArray[np.uint16],
    table_of: npt.NDArray[np.intp],
    rows: npt.NDArray[np.int32],
) -> int:
    """Decode a wave into ``rows``, indices of ``frequencies``; return the next word's position, or -1.

    -1 means that the words run out. ``table_of`` is the table of each symbol; ``states`` are updated.
    """
    lane = 0
    for symbol in range(len(table_of)):
        x = np.int64(states[lane])
        slot = x & TOTAL - 1
        row = slots[table_of[symbol] * TOTAL + slot]
        x = np.int64(frequencies[row]) * (x >> PRECISION) + slot - np.int64(starts[row])
        if x < STATE_MIN:
            if position == len(words):
                return -1
            x = x << _WORD_BITS | np.int64(words[position])
            position += 1
        states[lane] = x
        rows[symbol] = row
        lane = lane + 1 if lane + 1 < len(states) else 0
    return position


@_compiled
def encode_wave(
    frequencies: npt.NDArray[np.uint32],
    starts: npt.NDArray[np.uint32],
    first: int,
    stop: int,
    states: npt.NDArray[np.uint32],
    words: npt.NDArray[np.uint16],
    position: int,
) -> int:
    """Encode the symbols of a wave, ``first`` to ``stop``, from the last to the first.

    Words are written downwards from ``position``; the new position is returned.
    """
    for symbol in range(stop - 1, first - 1, -1):
        lane = (symbol - first) % len(states)
        x, f = np.int64(states[lane]), np.int64(frequencies[symbol])
        if x >= f << 32 - PRECISION:
            position -= 1
            words[position] = x & 0xFFFF
            x >>= _WORD_BITS
        states[lane] = (x // f << PRECISION) + x % f + np.int64(starts[symbol])
    return position
