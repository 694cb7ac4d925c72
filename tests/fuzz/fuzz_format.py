"""The fuzz target of ``make fuzz`` for dynerf_format; started by ``run.py``.

The first byte of an input selects what the rest is: a file, a file whose checksums are corrected before it is
read (otherwise no mutation would pass them), the payload of a chunk of tensors or of sound, or a header. The
seeds come from ``format/vectors``. Only FormatError may be raised.
"""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from dynerf_format import BytesSource, FormatError, Limits, Reader, decode_header, repair_clip, unpack_sound
from dynerf_format.layout import CHUNK_HEAD, CRC32, ENTRY, HEAD, TRAILER, TRAILER_TAG
from dynerf_format.tensors.tensor_payload import unpack_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FILE, CORRECTED, TENSORS, SOUND, HEADER = b"f", b"m", b"t", b"s", b"h"
LIMITS = Limits(chunk_bytes=2**20, elements=2**18)


def one_input(data: bytes) -> bool:
    """Try one input and return whether it was accepted. Any exception other than FormatError is a finding."""
    kind, rest = data[:1], data[1:]
    try:
        if kind == TENSORS:
            unpack_tensors(rest, LIMITS)
        elif kind == SOUND:
            unpack_sound(rest)
        elif kind == HEADER:
            decode_header(rest)
        else:
            _read(correct_checksums(rest) if kind == CORRECTED else rest)
    except FormatError:
        return False
    return True


def _read(data: bytes) -> None:
    source = BytesSource(data)
    try:
        Reader(source, LIMITS).verify()
    except FormatError:
        with tempfile.TemporaryDirectory() as folder:
            repair_clip(source, Path(folder) / "saved.dnv", LIMITS)
        raise


def correct_checksums(data: bytes) -> bytes:
    """The file with all checksums corrected that can be located."""
    if len(data) < HEAD.size + TRAILER.size:
        return data
    new = bytearray(data)
    magic, major, minor, flags, header, _, directory, _, _, _ = HEAD.unpack_from(new)
    start = HEAD.size + header
    end = start + directory
    for offset_of_entry in range(start, min(end, len(new) - ENTRY.size), ENTRY.size):
        _correct_chunk(new, offset_of_entry)
    sums = zlib.crc32(new[HEAD.size : start]), zlib.crc32(new[start:end])
    HEAD.pack_into(new, 0, magic, major, minor, flags, header, sums[0], directory, sums[1], len(new), 0)
    CRC32.pack_into(new, HEAD.size - CRC32.size, zlib.crc32(new[: HEAD.size - CRC32.size]))
    new[-TRAILER.size :] = TRAILER_TAG + bytes(32)
    new[-32:] = hashlib.sha256(new[:-32]).digest()
    return bytes(new)


def _correct_chunk(data: bytearray, offset_of_entry: int) -> None:
    """Make the chunk head that an entry points to agree with it, and correct both checksums."""
    *fields, offset, stored, decoded, _ = ENTRY.unpack_from(data, offset_of_entry)
    if offset + CHUNK_HEAD.size + stored > len(data):
        return
    head = CHUNK_HEAD.pack(*fields, stored, decoded, 0)[: -CRC32.size]
    body = data[offset + CHUNK_HEAD.size : offset + CHUNK_HEAD.size + stored]
    checksum = CRC32.pack(zlib.crc32(body, zlib.crc32(head)))
    data[offset : offset + CHUNK_HEAD.size] = head + checksum
    data[offset_of_entry + ENTRY.size - CRC32.size : offset_of_entry + ENTRY.size] = checksum


def seeds() -> Iterator[bytes]:
    """Every vector as a file, with and without correction, and headers and payloads of the valid ones."""
    for path in sorted((ROOT / "format" / "vectors").glob("*.dnv")):
        data = path.read_bytes()
        yield FILE + data
        yield CORRECTED + data
        try:
            reader = Reader(BytesSource(data))
            reader.verify()
        except FormatError:
            continue
        yield HEADER + data[HEAD.size : HEAD.size + HEAD.unpack_from(data)[4]]
        for entry in reader.directory:
            if entry.kind in (b"WGHT", b"LATN") and entry.codec < 2:
                yield TENSORS + reader.read_chunk(entry)
            if entry.kind == b"soun" and entry.codec == 0:
                yield SOUND + reader.read_chunk(entry)
