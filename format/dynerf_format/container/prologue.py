"""The prologue of a file: head, header and directory, which a reader fetches first.

A header of more than ``_UNCOMPRESSED_MAX`` bytes is stored as one Zstandard frame, marked by a flag in the
head: cameras repeat their keys, and these bytes delay the first picture. Short headers stay readable.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynerf_format.errors import ChecksumError, LimitError
from dynerf_format.layout import ENTRY, FLAG_ZSTD_HEADER, HEAD, TRAILER
from dynerf_format.limits import DEFAULT_LIMITS

from .compression import ZSTD, compress, decompress, frame_length
from .directory import check_directory
from .file_head import FileHead, pack_head
from .header import decode_header, encode_header

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynerf_format.limits import Limits

    from .directory import Entry
    from .records import Header

_UNCOMPRESSED_MAX = 2048


@dataclass(frozen=True)
class Prologue:
    """The bytes in file order, the chunks' entries with their offsets, and the length of the whole file."""

    parts: list[bytes]
    entries: list[Entry]
    file_length: int


def make_prologue(header: Header, count: int, assign_offsets: Callable[[int], list[Entry]]) -> Prologue:
    """The prologue of a clip of ``count`` chunks.

    ``assign_offsets`` returns their entries, laid out from a given byte on. FormatError when a reader would
    refuse it.
    """
    flags, stored = _stored_header(header)
    start = HEAD.size + len(stored) + ENTRY.size * count
    entries = assign_offsets(start)
    end = entries[-1].end if entries else start
    check_directory(entries, header.segments, start, end, DEFAULT_LIMITS)
    directory = b"".join(entry.pack() for entry in entries)
    head = FileHead(
        header_length=len(stored),
        header_crc32=zlib.crc32(stored),
        directory_length=len(directory),
        directory_crc32=zlib.crc32(directory),
        file_length=end + TRAILER.size,
        flags=flags,
    )
    return Prologue([pack_head(head), stored, directory], entries, head.file_length)


def _stored_header(header: Header) -> tuple[int, bytes]:
    """Flags of the head, and the header's stored bytes."""
    plain = encode_header(header)
    if len(plain) <= _UNCOMPRESSED_MAX:
        return 0, plain
    codec, stored = compress(plain)
    return (FLAG_ZSTD_HEADER if codec == ZSTD else 0), stored


def read_header(head: FileHead, stored: bytes, limits: Limits) -> Header:
    """Decode the header of a checked head. ChecksumError, FormatError, or LimitError when it is too long."""
    if zlib.crc32(stored) != head.header_crc32:
        raise ChecksumError("the header is damaged: its checksum does not match")
    if not head.flags & FLAG_ZSTD_HEADER:
        return decode_header(stored)
    length = frame_length(stored)
    if length > limits.header_bytes:
        raise LimitError(f"header decodes to {length} bytes, at most {limits.header_bytes} allowed")
    return decode_header(decompress(ZSTD, stored, length))
