"""Header and chunks -> the bytes of a .dnv file: for what is encoded, cut, joined and repaired alike.

Equal input gives equal bytes. A chunk is written from a :class:`ChunkRef`, and memory holds one chunk at a
time beside those that were made here. What is written has passed the reader's own rules, and the finished
file is read back before it takes its final name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dynerf_format.io.atomic_write import atomic_path
from dynerf_format.layout import TRAILER_TAG

from .compression import compress
from .directory import Entry, chunk_checksum
from .prologue import make_prologue
from .reader import Reader
from .source import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from .chunks import Chunk
    from .prologue import Prologue
    from .records import Header


@dataclass(frozen=True)
class ChunkRef:
    """A chunk to be written: its entry, whose ``offset`` the writer sets, and how to get its stored bytes."""

    entry: Entry
    read: Callable[[], bytes]


def write_clip(path: Path, header: Header, chunks: Sequence[Chunk]) -> int:
    """Write a clip and return its length in bytes; the file appears complete and verified, or not at all.

    ``chunks`` stand in file order: weights of segment 0, its latents by frame, weights of segment 1, ...
    OutputError when the place cannot be written, FormatError when a reader would refuse the result.
    """
    return write_chunks(path, header, [compressed(chunk) for chunk in chunks])


def write_chunks(
    path: Path, header: Header, chunks: Sequence[ChunkRef], check: Callable[[Reader], str] = Reader.verify
) -> int:
    """As :func:`write_clip`, of chunks that are stored already, each read once.

    ``check`` reads the finished file back: ``Reader.check`` suffices for chunks of a file that was verified.
    """
    opening = _opening(header, chunks)
    with atomic_path(path) as temporary:
        with temporary.open("xb") as file:
            file.writelines(_parts(opening, chunks))
        with FileSource(temporary) as source:
            source.name = str(path)  # for messages: the temporary is gone when they are read
            check(Reader(source))
    return opening.file_length


def clip_bytes(header: Header, chunks: Sequence[Chunk]) -> bytes:
    """Return the bytes that :func:`write_clip` writes."""
    refs = [compressed(chunk) for chunk in chunks]
    return b"".join(_parts(_opening(header, refs), refs))


def compressed(chunk: Chunk) -> ChunkRef:
    """A new chunk, compressed; it stays in memory until the clip is written."""
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
    return ChunkRef(replace(entry, crc32=chunk_checksum(entry, body)), lambda: body)


def _opening(header: Header, chunks: Sequence[ChunkRef]) -> Prologue:
    return make_prologue(header, len(chunks), lambda start: _placed(chunks, start))


def _placed(chunks: Sequence[ChunkRef], start: int) -> list[Entry]:
    """The entries, one chunk after the other from byte ``start`` on."""
    placed: list[Entry] = []
    for chunk in chunks:
        placed.append(replace(chunk.entry, offset=placed[-1].end if placed else start))
    return placed


def _parts(opening: Prologue, chunks: Sequence[ChunkRef]) -> Iterator[bytes]:
    """All bytes of the file, in order."""
    digest = hashlib.sha256()
    for part in _hashed_parts(opening, chunks):
        digest.update(part)
        yield part
    yield digest.digest()


def _hashed_parts(opening: Prologue, chunks: Sequence[ChunkRef]) -> Iterator[bytes]:
    """All bytes before the digest."""
    yield from opening.parts
    for entry, chunk in zip(opening.entries, chunks, strict=True):
        yield entry.pack_chunk_head()
        yield chunk.read()
    yield TRAILER_TAG
