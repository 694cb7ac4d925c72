"""Header and chunks -> the bytes of a .dnv file, for encoded, cut, joined and repaired clips.

Equal input gives equal bytes. Chunks are written from :class:`ChunkRef`; of those copied from other files one
at a time is in memory. Header and directory are checked by the reader's rules, and the finished file is read
back before it takes its final name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dynerf_format.io.atomic_write import atomic_path
from dynerf_format.layout import TRAILER_TAG

from .chunks import SOUND
from .compression import RAW, compress
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
    """A chunk to be written: its entry, whose ``offset`` the writer sets, and how to read its bytes."""

    entry: Entry
    read: Callable[[], bytes]


def write_clip(path: Path, header: Header, chunks: Sequence[Chunk]) -> int:
    """Write a clip and return its length in bytes; the file appears complete and verified, or not at all.

    ``chunks`` are in file order: weights of segment 0, its latents by frame, weights of segment 1, ...
    OutputError when the path cannot be written, FormatError when a reader would refuse the result.
    """
    return write_chunks(path, header, [compress_chunk(chunk) for chunk in chunks])


def write_chunks(
    path: Path, header: Header, chunks: Sequence[ChunkRef], check: Callable[[Reader], str] = Reader.verify
) -> int:
    """As :func:`write_clip`, for chunks that are already compressed, each read once.

    ``check`` reads the finished file back: ``Reader.check`` suffices for chunks of a file that was verified.
    """
    prologue = _prologue(header, chunks)
    with atomic_path(path) as temporary:
        with temporary.open("xb") as file:
            file.writelines(_parts(prologue, chunks))
        with FileSource(temporary) as source:
            source.name = str(path)  # for messages: the temporary file is gone by then
            check(Reader(source))
    return prologue.file_length


def clip_bytes(header: Header, chunks: Sequence[Chunk]) -> bytes:
    """Return the bytes that :func:`write_clip` writes."""
    refs = [compress_chunk(chunk) for chunk in chunks]
    return b"".join(_parts(_prologue(header, refs), refs))


def compress_chunk(chunk: Chunk) -> ChunkRef:
    """Compress a new chunk; it stays in memory until the clip is written. Sound is stored as it is."""
    codec, body = (RAW, chunk.payload) if chunk.kind == SOUND else compress(chunk.payload)
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


def _prologue(header: Header, chunks: Sequence[ChunkRef]) -> Prologue:
    return make_prologue(header, len(chunks), lambda start: _with_offsets(chunks, start))


def _with_offsets(chunks: Sequence[ChunkRef], start: int) -> list[Entry]:
    """The entries with the offsets of chunks laid out back to back from byte ``start`` on."""
    entries: list[Entry] = []
    for chunk in chunks:
        entries.append(replace(chunk.entry, offset=entries[-1].end if entries else start))
    return entries


def _parts(prologue: Prologue, chunks: Sequence[ChunkRef]) -> Iterator[bytes]:
    """All bytes of the file, in order."""
    digest = hashlib.sha256()
    for part in _hashed_parts(prologue, chunks):
        digest.update(part)
        yield part
    yield digest.digest()


def _hashed_parts(prologue: Prologue, chunks: Sequence[ChunkRef]) -> Iterator[bytes]:
    """All bytes before the digest."""
    yield from prologue.parts
    for entry, chunk in zip(prologue.entries, chunks, strict=True):
        yield entry.pack_chunk_head()
        yield chunk.read()
    yield TRAILER_TAG
