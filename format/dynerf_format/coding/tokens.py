"""Integers <-> tokens of a small alphabet and raw bits.

An integer r becomes v = 2r for r >= 0, -2r - 1 below. v < 16 is its own token. Above, with n = floor(log2
v), the token is 16 + 8 (n - 4) + the three bits of v below its leading one, and the n - 3 bits below these
are raw: they are nearly uniformly distributed, so they are not entropy-coded. Raw bits fill bytes from the
lowest bit up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dynerf_format.errors import FormatError, TruncatedError

if TYPE_CHECKING:
    import numpy.typing as npt

DIRECT = 16
PER_OCTAVE = 8
TOKENS_MAX = 192  # v < 2^26, more than the difference of any two symbols needs


def to_tokens(
    residuals: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return (tokens, raw bits, number of raw bits) of each integer."""
    v = np.where(residuals >= 0, 2 * residuals, -2 * residuals - 1)
    n = np.frexp(np.maximum(v, 1).astype(np.float64))[1] - 1  # floor(log2 v), exact below 2^53
    width = np.where(v < DIRECT, 0, n - 3).astype(np.int64)
    token = np.where(v < DIRECT, v, DIRECT + PER_OCTAVE * (n - 4) + ((v >> width) & PER_OCTAVE - 1))
    return token.astype(np.int64), v & ((1 << width) - 1), width


def widths_of(tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Number of raw bits of each token."""
    return np.where(tokens < DIRECT, 0, (tokens - DIRECT) // PER_OCTAVE + 1).astype(np.int64)


def from_tokens(tokens: npt.NDArray[np.int32], bits: BitReader) -> npt.NDArray[np.int32]:
    """Return the integers, reading raw bits where tokens have them."""
    v = tokens
    if tokens.size and int(tokens.max()) >= DIRECT:
        width = widths_of(tokens)
        wide = (PER_OCTAVE + (tokens - DIRECT) % PER_OCTAVE << width) | bits.take(width)
        v = np.where(tokens < DIRECT, tokens, wide).astype(np.int32)
    return (v >> 1) ^ -(v & 1)


def pack_bits(values: npt.NDArray[np.int64], widths: npt.NDArray[np.int64]) -> bytes:
    """Return the low ``widths`` bits of each value, concatenated."""
    used = widths > 0
    values, widths = values[used], widths[used]
    ends = np.cumsum(widths)
    total = int(ends[-1]) if ends.size else 0
    source = np.repeat(np.arange(len(widths)), widths)
    bit = np.arange(total) - np.repeat(ends - widths, widths)
    return np.packbits((values[source] >> bit & 1).astype(np.uint8), bitorder="little").tobytes()


class BitReader:
    """Sequential reader of raw bits."""

    def __init__(self, data: bytes | memoryview) -> None:
        # Padded, so that four bytes can be read from any byte on.
        self._bytes = np.concatenate([np.frombuffer(data, np.uint8), np.zeros(4, np.uint8)]).astype(np.int64)
        self._bits = 8 * len(data)
        self._position = 0

    def take(self, widths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the next ``widths`` bits, 0 to 23 each, as integers. TruncatedError when they run out."""
        ends = np.cumsum(widths)
        if int(ends[-1]) > self._bits - self._position:
            raise TruncatedError(f"raw bits: needs more than the {self._bits} present")
        starts = self._position + ends - widths
        self._position += int(ends[-1])
        first = np.minimum(starts >> 3, len(self._bytes) - 4)  # a value without bits may start at the end
        window = np.zeros_like(starts)
        for byte in range(4):
            window |= self._bytes[first + byte] << 8 * byte
        taken: npt.NDArray[np.int64] = window >> starts - 8 * first & (1 << widths) - 1
        return taken

    def finish(self) -> None:
        """FormatError unless less than a byte is left, all of it zero."""
        unused = self._bits - self._position
        if unused >= 8 or (unused and self._bytes[-5] >> 8 - unused):
            raise FormatError(f"raw bits: {unused} are left over")
