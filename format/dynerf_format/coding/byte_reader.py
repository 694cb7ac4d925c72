"""Read fields from the front of a payload, with bounds checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynerf_format.errors import FormatError, TruncatedError
from dynerf_format.layout import U32_MAX

if TYPE_CHECKING:
    import struct


class ByteReader:
    """Sequential reader of a block of bytes. TruncatedError at the end."""

    def __init__(self, payload: bytes) -> None:
        self._view = memoryview(payload)
        self._position = 0

    @property
    def remaining(self) -> int:
        """Number of unread bytes."""
        return len(self._view) - self._position

    def take(self, length: int) -> memoryview:
        """Read ``length`` bytes."""
        if length > self.remaining:
            raise TruncatedError(
                f"tensors: {length} bytes needed at byte {self._position}, {self.remaining} are left"
            )
        self._position += length
        return self._view[self._position - length : self._position]

    def unpack(self, record: struct.Struct) -> tuple[int, ...]:
        """Read a fixed-width record."""
        return record.unpack(self.take(record.size))

    def varint(self) -> int:
        """Read a varint of at most 32 bits, 7 per byte; FormatError when it is longer than necessary."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
            if shift > 28:
                raise FormatError("tensors: a varint of more than 5 bytes")
        if value > U32_MAX or (shift and byte == 0):
            raise FormatError(f"tensors: a varint {value} of more bytes than necessary or more than 32 bits")
        return value


def pack_varint(value: int) -> bytes:
    """Return a number below 2^32 as a varint, lowest 7 bits first; bit 7 of a byte marks that more follow."""
    packed = bytearray()
    while value >= 128:
        packed.append(value & 127 | 128)
        value >>= 7
    return bytes([*packed, value])
