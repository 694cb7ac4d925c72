"""Reads a clip from any source; believes nothing that it has not checked.

Opening takes one read of 16 KiB and at most one more; it checks the head, the header and the whole directory.
Chunks are read on demand, one read each, and checked before they are decoded. Nothing is cached.
"""

from __future__ import annotations

import hashlib
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from .chunks import LATENTS, WEIGHTS, unpack_latents, unpack_weights
from .directory import Entry, check_directory, chunk_checksum, unpack_directory
from .entropy import CODECS, decompress
from .errors import ChecksumError, FormatError, LimitError
from .head import unpack_head
from .header import decode_header
from .layout import CHUNK_HEAD, FIRST_READ, HEAD, TRAILER, TRAILER_TAG
from .limits import DEFAULT_LIMITS, Limits
from .plan import ancillary_entry, latents_entries, weights_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from .quantise import QuantisedTensor
    from .records import Header
    from .source import Source


class Reader:
    """An opened clip: ``header``, ``directory`` and what the chunks hold. The source stays the caller's.

    Every FormatError names the source.
    """

    header: Header
    directory: tuple[Entry, ...]

    def __init__(self, source: Source, limits: Limits = DEFAULT_LIMITS) -> None:
        self._source = source
        self._limits = limits
        with _naming(source):
            self._open()

    def read_chunk(self, entry: Entry) -> bytes:
        """Return the decoded payload of a chunk of this clip."""
        with _naming(self._source):
            return self._decode(entry, self._read_stored(entry)[CHUNK_HEAD.size :])

    def read_stored(self, entry: Entry) -> bytes:
        """Return a chunk's bytes as they are stored, without its head, checked but not decoded."""
        with _naming(self._source):
            return self._read_stored(entry)[CHUNK_HEAD.size :]

    def layers(self, segment: int) -> int:
        """Return the number of quality layers of a segment's weights that this reader can use, at least 1."""
        return len(weights_entries(self.directory, segment))

    def weights(self, segment: int, layers: int | None = None) -> dict[str, QuantisedTensor]:
        """Return the weights of a segment by name, from its first ``layers`` quality layers (default: all).

        Fewer layers mean larger steps, not fewer tensors. ViewError when there is no such segment.
        """
        tensors: dict[str, QuantisedTensor] = {}
        for entry in weights_entries(self.directory, segment, layers):
            payload = self.read_chunk(entry)
            with _naming(self._source):
                tensors |= self._unpack_weights(entry, payload, tensors)
        return tensors

    def latents(self, first: int, count: int) -> npt.NDArray[np.float32]:
        """Return the latent codes (count, D), float32, of ``count`` frames from ``first`` on.

        Reads only the groups that hold them. ViewError when a frame is not in the clip.
        """
        groups: list[npt.NDArray[np.float32]] = []
        for entry in latents_entries(self.directory, first, count):
            group = self._latents_group(entry)
            start, stop = max(first - entry.first, 0), min(first + count - entry.first, entry.count)
            groups.append(group[start:stop])
            with _naming(self._source):
                _check_group(groups, count, self._limits)
        return np.concatenate(groups)

    def ancillary(self, kind: bytes, segment: int) -> bytes | None:
        """Return the payload of an ancillary kind (b"occu", say) for a segment; None when there is none."""
        entry = ancillary_entry(self.directory, kind, segment)
        return None if entry is None else self.read_chunk(entry)

    def bytes_by_kind(self) -> dict[str, int]:
        """Return how the bytes of the file are spent: "container", then each kind with its chunk heads."""
        spent = {"container": self._chunks_start + TRAILER.size}
        for entry in self.directory:
            kind = entry.kind.decode("ascii")
            spent[kind] = spent.get(kind, 0) + entry.end - entry.offset
        return spent

    def verify(self) -> str:
        """Read and decode the whole file once; return its SHA-256 in hex when everything is in order."""
        digest = hashlib.sha256()
        weights: dict[str, QuantisedTensor] | None = None
        with _naming(self._source):
            digest.update(self._source.read(0, self._chunks_start))
            for entry in self.directory:
                stored = self._read_stored(entry)
                digest.update(stored)
                weights = self._check_content(entry, stored[CHUNK_HEAD.size :], weights)
            tag, expected = TRAILER.unpack(self._source.read(self._source.size - TRAILER.size, TRAILER.size))
            digest.update(tag)
            if tag != TRAILER_TAG or digest.digest() != expected:
                raise ChecksumError("the file is damaged: the SHA-256 in its trailer does not match")
        return digest.hexdigest()

    def _open(self) -> None:
        source = self._source
        start = source.read(0, min(FIRST_READ, source.size))
        head = unpack_head(start, source.size, self._limits)
        if head.chunks_start > len(start):
            start += source.read(len(start), head.chunks_start - len(start))
        header_end = HEAD.size + head.header_length
        header_bytes, directory_bytes = start[HEAD.size : header_end], start[header_end : head.chunks_start]
        if zlib.crc32(header_bytes) != head.header_crc32:
            raise ChecksumError("the header is damaged: its checksum does not match")
        if zlib.crc32(directory_bytes) != head.directory_crc32:
            raise ChecksumError("the directory is damaged: its checksum does not match")
        self.header = decode_header(header_bytes)
        self.directory = unpack_directory(directory_bytes)
        self._chunks_start = head.chunks_start
        check_directory(
            self.directory, self.header.segments, head.chunks_start, head.chunks_end, self._limits
        )

    def _read_stored(self, entry: Entry) -> bytes:
        """Return chunk head and stored bytes after checking both against the directory."""
        stored = self._source.read(entry.offset, entry.end - entry.offset)
        if stored[: CHUNK_HEAD.size] != entry.pack_chunk_head():
            raise ChecksumError(f"{entry.label} is damaged: its head differs from the directory")
        if chunk_checksum(entry, stored[CHUNK_HEAD.size :]) != entry.crc32:
            raise ChecksumError(f"{entry.label} is damaged: its checksum does not match")
        return stored

    def _decode(self, entry: Entry, body: bytes) -> bytes:
        if entry.decoded_length > self._limits.chunk_bytes:
            raise LimitError(f"{entry.label}: decodes to {entry.decoded_length} bytes")
        try:
            return decompress(entry.codec, body, entry.decoded_length)
        except FormatError as error:
            raise type(error)(f"{entry.label}: {error}") from error

    def _unpack_weights(
        self, entry: Entry, payload: bytes, coarser: dict[str, QuantisedTensor]
    ) -> dict[str, QuantisedTensor]:
        return unpack_weights(payload, entry.count, self._limits, coarser if entry.layer else None)

    def _check_content(
        self, entry: Entry, body: bytes, weights: dict[str, QuantisedTensor] | None
    ) -> dict[str, QuantisedTensor] | None:
        """Decode a chunk; ``weights`` are those of the layers before it, returned with what it changes.

        They are None after a layer that this reader cannot use: what refines it is not decoded either.
        """
        if entry.codec not in CODECS:  # only chunks that may be skipped get here
            return None if entry.kind == WEIGHTS else weights
        if entry.kind == WEIGHTS and entry.layer and weights is None:
            return None
        payload = self._decode(entry, body)
        if entry.kind == WEIGHTS:
            fresh = self._unpack_weights(entry, payload, weights or {})
            return (weights or {}) | fresh if entry.layer else fresh
        if entry.kind == LATENTS and entry.layer == 0:
            unpack_latents(payload, entry.count, self._limits)
        return weights

    def _latents_group(self, entry: Entry) -> npt.NDArray[np.float32]:
        payload = self.read_chunk(entry)
        with _naming(self._source):
            return unpack_latents(payload, entry.count, self._limits).dequantise()


def _check_group(groups: list[npt.NDArray[np.float32]], count: int, limits: Limits) -> None:
    """Check the newest group against the first one, and what the answer will need."""
    dimensions = groups[0].shape[1]
    if groups[-1].shape[1] != dimensions:
        raise FormatError(f"latents of {groups[-1].shape[1]} and of {dimensions} dimensions in one clip")
    if count * dimensions > limits.elements:
        raise LimitError(
            f"latents of {count} frames: {count * dimensions} numbers, {limits.elements} allowed"
        )


@contextmanager
def _naming(source: Source) -> Iterator[None]:
    """Put the source's name before the message of a FormatError that does not carry it yet."""
    try:
        yield
    except FormatError as error:
        if str(error).startswith(source.name):
            raise
        raise type(error)(f"{source.name}: {error}") from error
