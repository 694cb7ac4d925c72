"""Takes fields from the front of a payload; nothing is touched that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import TruncatedError

if TYPE_CHECKING:
    import struct


class Cursor:
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
