"""Chunks to be copied from one clip into another, as references for the writer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dynerf_format.container.chunks import Chunk, unpack_latents
from dynerf_format.container.directory import with_fields
from dynerf_format.container.source import FileSource
from dynerf_format.container.writer import ChunkRef, compress_chunk
from dynerf_format.tensors.quantise import QuantisedTensor
from dynerf_format.tensors.tensor_payload import pack_tensors

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from dynerf_format.container.directory import Entry
    from dynerf_format.container.reader import Reader


class PathSource:
    """A file opened for each read, so that more clips can be joined than files may be open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with FileSource(path) as file:
            self.name, self.size = file.name, file.size

    def read(self, offset: int, length: int) -> bytes:
        """Return the ``length`` bytes from ``offset`` on; TruncatedError when they do not all exist."""
        with FileSource(self._path) as file:
            return file.read(offset, length)


def copy_chunk(reader: Reader, entry: Entry, **changes: Any) -> ChunkRef:
    """A chunk copied as it is stored, with other fields in its head; its checksum is compared on reading."""
    return ChunkRef(with_fields(entry, **changes), partial(reader.read_stored, entry))


def slice_latents(reader: Reader, entry: Entry, segment: int, frames: range, shift: int) -> ChunkRef:
    """The latents of ``frames``, a part of a group, packed again with the same symbols.

    ``shift`` is the frame of the clip that becomes frame 0.
    """
    latents = unpack_latents(reader.read_chunk(entry), entry.count)
    rows = slice(frames.start - entry.first, frames.stop - entry.first)
    steps = latents.steps if latents.steps.size == 1 else latents.steps[rows]
    payload = pack_tensors([QuantisedTensor(latents.name, latents.symbols[rows], steps)])
    return compress_chunk(Chunk(entry.kind, segment, entry.layer, frames.start - shift, len(frames), payload))
