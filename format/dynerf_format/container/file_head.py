"""The 40-byte head: format and version, and the lengths of header, directory and file.

The first 10 bytes (magic, major, minor) never change their meaning; the rest belongs to the major version.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynerf_format.errors import (
    ChecksumError,
    FormatError,
    LimitError,
    NotDnvError,
    TruncatedError,
    VersionError,
)
from dynerf_format.layout import CRC32, ENTRY, FLAGS_KNOWN, HEAD, MAGIC, MAJOR, MINOR, TRAILER

from .file_type import describe_content

if TYPE_CHECKING:
    from dynerf_format.limits import Limits


@dataclass(frozen=True)
class FileHead:
    """Lengths are in bytes, checksums are CRC-32 of the header and of the directory."""

    header_length: int
    header_crc32: int
    directory_length: int
    directory_crc32: int
    file_length: int
    minor: int = MINOR
    flags: int = 0

    @property
    def chunks_start(self) -> int:
        """Offset of the first byte after the directory."""
        return HEAD.size + self.header_length + self.directory_length

    @property
    def chunks_end(self) -> int:
        """Offset of the trailer."""
        return self.file_length - TRAILER.size


def pack_head(head: FileHead) -> bytes:
    """Return the 40 bytes of a head of this major version."""
    body = HEAD.pack(
        MAGIC,
        MAJOR,
        head.minor,
        head.flags,
        head.header_length,
        head.header_crc32,
        head.directory_length,
        head.directory_crc32,
        head.file_length,
        0,
    )[: -CRC32.size]
    return body + CRC32.pack(zlib.crc32(body))


def unpack_head(start: bytes, size: int, limits: Limits) -> FileHead:
    """Read the head from the first bytes of a file of ``size`` bytes.

    NotDnvError, TruncatedError, VersionError, ChecksumError, LimitError or FormatError. The sections that a
    returned head describes lie within the file.
    """
    if not start or start[: len(MAGIC)] != MAGIC[: len(start)]:
        raise NotDnvError(f"not a .dnv file: this looks like {describe_content(start[:512])}")
    if len(start) < HEAD.size:
        raise TruncatedError(f"{size} bytes, a .dnv file has at least {HEAD.size + TRAILER.size}")
    fields = HEAD.unpack_from(start)
    _, major, minor, flags, header_length, header_crc32, directory_length, directory_crc32 = fields[:8]
    file_length, head_crc32 = fields[8:]
    if major != MAJOR:
        raise VersionError(
            f"written in format version {major}.{minor}, this reader supports {MAJOR}.{MINOR}; "
            + ("a newer dynerf is needed" if major > MAJOR else "that version was never released")
        )
    if zlib.crc32(start[: HEAD.size - CRC32.size]) != head_crc32:
        raise ChecksumError("the head is damaged: its checksum does not match")
    unknown = flags & ~FLAGS_KNOWN
    if unknown:
        raise VersionError(f"flags {unknown:#06x} are set, which version {MAJOR}.{MINOR} does not define")
    head = FileHead(header_length, header_crc32, directory_length, directory_crc32, file_length, minor, flags)
    _check_lengths(head, size, limits)
    return head


def _check_lengths(head: FileHead, size: int, limits: Limits) -> None:
    if head.header_length > limits.header_bytes:
        raise LimitError(f"header of {head.header_length} bytes, at most {limits.header_bytes} allowed")
    if head.directory_length > limits.directory_bytes:
        raise LimitError(
            f"directory of {head.directory_length} bytes, at most {limits.directory_bytes} allowed"
        )
    if head.directory_length % ENTRY.size:
        raise FormatError(f"directory of {head.directory_length} bytes, expected a multiple of {ENTRY.size}")
    if head.chunks_start > head.chunks_end:
        raise FormatError(f"header and directory do not fit into the declared {head.file_length} bytes")
    if size < head.file_length:
        raise TruncatedError(f"{size} of {head.file_length} bytes are present; the rest is missing")
    if size > head.file_length:
        raise FormatError(f"{size - head.file_length} bytes follow the end of the clip")
