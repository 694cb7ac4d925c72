"""Header and chunks -> the bytes of a .dnv file. Equal input gives equal bytes.

What is written has passed the reader's own rules, and :func:`write_clip` reads the finished file back before
it takes its final name.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from .atomic import atomic_path
from .directory import Entry, chunk_checksum
from .entropy import compress
from .layout import TRAILER, TRAILER_TAG
from .opening import make_opening
from .reader import Reader
from .source import FileSource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .chunks import Chunk
    from .records import Header


def write_clip(path: Path, header: Header, chunks: Sequence[Chunk]) -> int:
    """Write a clip and return its length in bytes; the file appears complete and verified, or not at all.

    ``chunks`` stand in file order: weights of segment 0, its latents by frame, weights of segment 1, ...
    OutputError when the place cannot be written, FormatError when a reader would refuse the result.
    """
    entries, bodies = _compress(chunks)
    return write_parts(path, header, entries, bodies)


def write_parts(path: Path, header: Header, entries: Sequence[Entry], bodies: Sequence[bytes]) -> int:
    """As :func:`write_clip`, of chunks that are compressed already; the entries' offsets are set anew."""
    parts = _parts(header, entries, bodies)
    with atomic_path(path) as temporary:
        with temporary.open("xb") as file:
            file.writelines(parts)
        with FileSource(temporary) as source:
            Reader(source).verify()
    return sum(map(len, parts))


def clip_bytes(header: Header, chunks: Sequence[Chunk]) -> bytes:
    """Return the bytes that :func:`write_clip` writes."""
    return b"".join(_parts(header, *_compress(chunks)))


def _parts(header: Header, unplaced: Sequence[Entry], bodies: Sequence[bytes]) -> list[bytes]:
    opening = make_opening(header, len(unplaced), lambda start: _place(unplaced, start))
    parts = opening.parts
    for entry, body in zip(opening.entries, bodies, strict=True):
        parts += [entry.pack_chunk_head(), body]
    return [*parts, _trailer(parts)]


def _compress(chunks: Sequence[Chunk]) -> tuple[list[Entry], list[bytes]]:
    """Entries, not in their place yet, and stored bytes of the chunks."""
    entries: list[Entry] = []
    bodies: list[bytes] = []
    for chunk in chunks:
        codec, body = compress(chunk.payload)
        entry = Entry(
            kind=chunk.kind,
            segment=chunk.segment,
            layer=chunk.layer,
            codec=codec,
            first=chunk.first,
            count=chunk.count,
            offset=0,
            stored_length=len(body),
            decoded_length=len(chunk.payload),
            crc32=0,
        )
        entries.append(replace(entry, crc32=chunk_checksum(entry, body)))
        bodies.append(body)
    return entries, bodies


def _place(entries: Sequence[Entry], start: int) -> list[Entry]:
    """The chunks one after the other from byte ``start`` on."""
    placed: list[Entry] = []
    for entry in entries:
        placed.append(replace(entry, offset=placed[-1].end if placed else start))
    return placed


def _trailer(parts: Sequence[bytes]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    digest.update(TRAILER_TAG)
    return TRAILER.pack(TRAILER_TAG, digest.digest())
