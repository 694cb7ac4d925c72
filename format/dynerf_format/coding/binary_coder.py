"""Binary arithmetic coding: decisions with 16-bit probabilities <-> bytes.

The decoder holds a *range* and the distance *value* of the coded number from its lower end, the encoder the
range and its lower end *low*, all 32 bits wide. A decision of probability p takes p / 65536 of the range if it
is 1, the rest above it if it is 0; below 2^24 the range takes in a byte. (G. Martin, "Range encoding", 1979;
carries are added to the bytes that are written already.)

One function encodes and decodes, so that both follow the same decisions.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynerf_format.io.compiled_code import compiled

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

DECODING, RANGE, VALUE, POSITION, INVALID = range(5)
"""Items of a coder's state: 1 when decoding, range, value or low, the next byte's index, 1 after an error."""
START_BYTES = 4
_TOP, _RANGE_MAX = 1 << 24, (1 << 32) - 1


coding_kernel: Callable[[Callable[..., Any]], Any] = functools.partial(
    compiled, package="dynerf_format", sources=(Path(__file__).parent,), nogil=True, boundscheck=True, forceinline=True
)
"""Compiles a function that works on a coder's state."""


def new_decoder(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """The state of a decoder that has read the first four bytes."""
    return np.array([1, _RANGE_MAX, int.from_bytes(data[:START_BYTES].tobytes(), "big"), START_BYTES, 0])


def new_encoder() -> npt.NDArray[np.int64]:
    """The state of an encoder that has written nothing."""
    return np.array([0, _RANGE_MAX, 0, 0, 0])


def finish_encoder(coder: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> int:
    """Write what the decoder has read in advance; return the number of all bytes."""
    end = int(coder[POSITION]) + START_BYTES
    data[end - START_BYTES : end] = np.frombuffer(int(coder[VALUE]).to_bytes(START_BYTES, "big"), np.uint8)
    return end


@coding_kernel
def code_bit(coder, data, bit, probability):
    """Code one decision, which is 1 with ``probability`` / 65536; return it.

    A decoder reads zeros beyond the end of ``data`` and counts them in ``POSITION``.
    """
    size = coder[RANGE]
    bound = (size >> 16) * probability + ((size & 0xFFFF) * probability >> 16)
    if coder[DECODING]:
        bit = 1 if coder[VALUE] < bound else 0
        if not bit:
            coder[VALUE] -= bound
    elif not bit:
        coder[VALUE] += bound
        if coder[VALUE] > _RANGE_MAX:
            coder[VALUE] &= _RANGE_MAX
            add_carry(data, coder[POSITION] - 1)
    size = bound if bit else size - bound
    while size < _TOP:
        size <<= 8
        shift_byte(coder, data)
    coder[RANGE] = size
    return bit


@coding_kernel
def shift_byte(coder, data):
    """Move the window by one byte: read it, or write the highest one of ``low``."""
    at = coder[POSITION]
    if coder[DECODING]:
        byte = np.int64(data[at]) if at < len(data) else 0
        coder[VALUE] = coder[VALUE] << 8 | byte
    else:
        data[at] = coder[VALUE] >> 24
        coder[VALUE] = coder[VALUE] << 8 & _RANGE_MAX
    coder[POSITION] = at + 1


@coding_kernel
def add_carry(data, at):
    """Add 1 to the number that ends at byte ``at``."""
    while data[at] == 255:
        data[at] = 0
        at -= 1
    data[at] += 1


@coding_kernel
def code_number(coder, data, number, bits):
    """Code a number of so many bits, highest first, each 0 or 1 with equal probability; return it."""
    result = 0
    for bit in range(bits - 1, -1, -1):
        result = result << 1 | code_bit(coder, data, number >> bit & 1, 1 << 15)
    return result
