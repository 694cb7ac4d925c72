"""Takes fields from the front of a payload; nothing is touched that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynerf_format.errors import FormatError, TruncatedError
from dynerf_format.layout import U32_MAX

if TYPE_CHECKING:
    import struct


class ByteReader:
    """A position in a block of bytes that only moves forward. TruncatedError at the end."""

    def __init__(self, payload: bytes) -> None:
        self._view = memoryview(payload)
        self._position = 0

    @property
    def left(self) -> int:
        """Bytes that were not taken."""
        return len(self._view) - self._position

    def take(self, length: int) -> memoryview:
        """The next ``length`` bytes."""
        if length > self.left:
            raise TruncatedError(
                f"tensors: {length} bytes needed at byte {self._position}, {self.left} are left"
            )
        self._position += length
        return self._view[self._position - length : self._position]

    def unpack(self, record: struct.Struct) -> tuple[int, ...]:
        """The next fixed-width record."""
        return record.unpack(self.take(record.size))

    def varint(self) -> int:
        """The next number of at most 32 bits, 7 in each byte; FormatError when it is longer than it needs."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
            if shift > 28:
                raise FormatError("tensors: a number of more than 5 bytes")
        if value > U32_MAX or (shift and byte == 0):
            raise FormatError(f"tensors: a number {value} of more bits than it needs or than 32")
        return value


def pack_varint(value: int) -> bytes:
    """Return a number below 2^32, the lowest 7 bits first; bit 7 of a byte says that more follow."""
    packed = bytearray()
    while value >= 128:
        packed.append(value & 127 | 128)
        value >>= 7
    return bytes([*packed, value])
