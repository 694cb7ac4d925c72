"""Chunks on their way from one clip into another: taken as they are stored, written in two passes.

Memory holds one chunk at a time, whatever the length of the clips.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from .atomic import atomic_path
from .chunks import Chunk, unpack_latents
from .directory import Entry, chunk_checksum
from .entropy import compress
from .layout import TRAILER_TAG
from .opening import make_opening
from .quantise import QuantisedTensor
from .reader import Reader
from .source import FileSource
from .tensors import pack_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from .records import Header


@dataclass(frozen=True)
class Piece:
    """A chunk on its way into another clip; ``entry`` lacks its place and checksum."""

    entry: Entry
    read: Callable[[], bytes]


class PathSource:
    """A file opened for each read: more clips can be joined than files may be open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with FileSource(path) as file:
            self.name, self.size = file.name, file.size

    def read(self, offset: int, length: int) -> bytes:
        """Return the ``length`` bytes from ``offset`` on; TruncatedError when they do not all exist."""
        with FileSource(self._path) as file:
            return file.read(offset, length)


def copied(reader: Reader, entry: Entry, segment: int, first: int) -> Piece:
    """A chunk as it is stored, with another segment and first frame."""
    return Piece(replace(entry, segment=segment, first=first), partial(reader.read_stored, entry))


def sliced(reader: Reader, entry: Entry, segment: int, frames: range, shift: int) -> Piece:
    """The latents of ``frames``, a part of a group, packed anew with the symbols they had.

    ``shift`` is the frame of the clip that becomes frame 0.
    """
    latents = unpack_latents(reader.read_chunk(entry), entry.count)
    rows = slice(frames.start - entry.first, frames.stop - entry.first)
    steps = latents.steps if latents.steps.size == 1 else latents.steps[rows]
    payload = pack_tensors([QuantisedTensor(latents.name, latents.symbols[rows], steps)])
    return made(Chunk(entry.kind, segment, entry.layer, frames.start - shift, len(frames), payload))


def made(chunk: Chunk) -> Piece:
    """A new chunk; it stays in memory until the clip is written."""
    codec, body = compress(chunk.payload)
    numbers = (chunk.kind, chunk.segment, chunk.layer, codec, chunk.first, chunk.count)
    return Piece(Entry(*numbers, 0, len(body), len(chunk.payload), 0), lambda: body)


def write_pieces(output: Path, header: Header, pieces: Sequence[Piece]) -> int:
    """Write the clip in two passes over the pieces, holding one of them at a time, and read it back.

    Returns the length in bytes. FormatError when a reader would refuse the result, OutputError.
    """
    opening = make_opening(header, len(pieces), lambda start: _placed(pieces, start))
    with atomic_path(output) as temporary:
        digest = hashlib.sha256()
        with temporary.open("xb") as file:
            for part in _parts(opening.parts, opening.entries, pieces):
                digest.update(part)
                file.write(part)
            file.write(digest.digest())
        with FileSource(temporary) as source:
            Reader(source).verify()
    return opening.file_length


def _placed(pieces: Sequence[Piece], start: int) -> list[Entry]:
    entries: list[Entry] = []
    for piece in pieces:
        entry = replace(piece.entry, offset=entries[-1].end if entries else start)
        entries.append(replace(entry, crc32=chunk_checksum(entry, piece.read())))
    return entries


def _parts(start: list[bytes], entries: Sequence[Entry], pieces: Sequence[Piece]) -> Iterator[bytes]:
    """All bytes of the file before the digest, in order."""
    yield from start
    for entry, piece in zip(entries, pieces, strict=True):
        yield entry.pack_chunk_head()
        yield piece.read()
    yield TRAILER_TAG
