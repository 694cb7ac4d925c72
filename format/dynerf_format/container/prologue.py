"""The opening of a file: head, header and directory, what a reader fetches first.

A header of more than ``_PLAIN`` bytes is stored as one Zstandard frame, which a flag of the head tells:
cameras repeat their keys, and every byte before the first picture is waited for. Short ones stay readable.
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

_PLAIN = 2048


@dataclass(frozen=True)
class Prologue:
    """Bytes in the order of the file, the chunks' entries in their places, and the whole file's length."""

    parts: list[bytes]
    entries: list[Entry]
    file_length: int


def make_prologue(header: Header, count: int, place: Callable[[int], list[Entry]]) -> Prologue:
    """The opening of a clip of ``count`` chunks; ``place`` puts their entries in a row from a byte on.

    FormatError when a reader would refuse it.
    """
    flags, stored = _store(header)
    start = HEAD.size + len(stored) + ENTRY.size * count
    entries = place(start)
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


def _store(header: Header) -> tuple[int, bytes]:
    """Flags of the head, and the header's bytes in the file."""
    plain = encode_header(header)
    if len(plain) <= _PLAIN:
        return 0, plain
    codec, stored = compress(plain)
    return (FLAG_ZSTD_HEADER if codec == ZSTD else 0), stored


def read_header(head: FileHead, stored: bytes, limits: Limits) -> Header:
    """The header of a checked head. ChecksumError, FormatError, or LimitError when it would be too long."""
    if zlib.crc32(stored) != head.header_crc32:
        raise ChecksumError("the header is damaged: its checksum does not match")
    if not head.flags & FLAG_ZSTD_HEADER:
        return decode_header(stored)
    length = frame_length(stored)
    if length > limits.header_bytes:
        raise LimitError(f"header decodes to {length} bytes, at most {limits.header_bytes} allowed")
    return decode_header(decompress(ZSTD, stored, length))
