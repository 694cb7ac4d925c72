"""Reads a clip from any source; believes nothing that it has not checked.

Opening takes one read of 16 KiB and at most one more; it checks the head, the header and the whole directory.
Chunks are read on demand, one read each, and checked before they are decoded. Nothing is kept but the weights
read last, and only where the next segment continues them.
"""

from __future__ import annotations

import hashlib
import zlib
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dynerf_format.errors import ChecksumError, FormatError, LimitError
from dynerf_format.layout import CHUNK_HEAD, FIRST_READ, HEAD, TRAILER, TRAILER_TAG
from dynerf_format.limits import DEFAULT_LIMITS, Limits
from dynerf_format.tensors.occupancy import unpack_occupancy

from .chunk_lookup import ancillary_entry, latents_entries, weights_chain, weights_entries
from .chunks import LATENTS, OCCUPANCY, WEIGHTS, unpack_latents, unpack_weights
from .compression import CODECS, decompress
from .directory import Entry, check_directory, chunk_checksum, unpack_directory
from .file_head import unpack_head
from .prologue import read_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    import numpy.typing as npt

    from dynerf_format.tensors.occupancy import Occupancy
    from dynerf_format.tensors.quantise import QuantisedTensor

    from .records import Header
    from .source import Source

    Tensors: TypeAlias = dict[str, QuantisedTensor]

_RUN = 1 << 20  # bytes read at once when all of a file is read


class _Contents:
    """The weights of a file that is read from front to back, as far as what follows may need them.

    ``found`` are those of the segment at hand after each layer, the newest only where no segment continues
    it; ``before`` those of the segment before, if it builds on that.
    """

    def __init__(self) -> None:
        self.found: list[Tensors] = []
        self.before: list[Tensors] = []
        self._layers = 0

    def expect(self, entry: Entry) -> bool:
        """Whether a ``WGHT`` chunk can be used: not after a layer, here or there, in an unknown codec."""
        if entry.layer == 0:
            self.before = self.found if entry.first else []
            self.found, self._layers = [], 0
        return entry.layer == self._layers and (not entry.first or entry.layer < len(self.before))

    def add(self, tensors: Tensors, continued: bool) -> None:
        """Take the weights after one more layer."""
        self.found = [*self.found, tensors] if continued else [tensors]
        self._layers += 1


class Reader:
    """An opened clip: ``header``, ``directory`` and what the chunks hold. The source stays the caller's.

    Every FormatError names the source.
    """

    header: Header
    directory: tuple[Entry, ...]

    def __init__(self, source: Source, limits: Limits = DEFAULT_LIMITS) -> None:
        self._source = source
        self._limits = limits
        self._kept: tuple[int, list[Tensors]] | None = None
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

    def weights(self, segment: int, layers: int | None = None) -> Tensors:
        """Return the weights of a segment by name, from its first ``layers`` quality layers (default: all).

        Fewer layers mean larger steps, not fewer tensors. Reads the segments that it builds on, too, but for
        the one read last. ViewError when there is no such segment.
        """
        chain = weights_chain(self.directory, segment, layers)
        if len(chain) > 1 or segment in self._continued:
            return dict(self.layered_weights(segment, layers)[-1])
        tensors: Tensors = {}
        for entry in chain[0]:
            payload = self.read_chunk(entry)
            with _naming(self._source):
                coarser = tensors if entry.layer else None
                tensors |= unpack_weights(payload, entry.count, self._limits, coarser)
        return tensors

    def layered_weights(self, segment: int, layers: int | None = None) -> list[Tensors]:
        """As :meth:`weights`, after each of the first ``layers`` quality layers, coarse first."""
        chain = weights_chain(self.directory, segment, layers)
        key, count, kept = segment - len(chain) + 1, len(chain[0]), self._kept
        found: list[Tensors] = []
        if kept is not None and key <= kept[0] <= segment and len(kept[1]) >= count:
            chain, found = chain[kept[0] - key + 1 :], kept[1][:count]
        for entries in chain:
            found = self._read_layers(entries, found)
        if segment in self._continued:
            self._kept = segment, found
        return found

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

    def occupancy(self, segment: int) -> Occupancy | None:
        """Return where a segment is empty with exactly so many layers as it says; None when there is none."""
        payload = self.ancillary(OCCUPANCY, segment)
        if payload is None:
            return None
        with _naming(self._source):
            return unpack_occupancy(payload)

    def bytes_by_kind(self) -> dict[str, int]:
        """Return how the bytes of the file are spent: "container", then each kind with its chunk heads."""
        spent = {"container": self._chunks_start + TRAILER.size}
        for entry in self.directory:
            kind = entry.kind.decode("ascii")
            spent[kind] = spent.get(kind, 0) + entry.end - entry.offset
        return spent

    def verify(self) -> str:
        """Read and decode the whole file once; return its SHA-256 in hex when everything is in order."""
        contents = _Contents()
        return self._read_through(lambda entry, body: self._check_content(entry, body, contents))

    def check(self) -> str:
        """As :meth:`verify` without decoding: every checksum, and the SHA-256 of the whole file."""
        return self._read_through()

    def _read_through(self, use: Callable[[Entry, bytes], None] | None = None) -> str:
        """Read the whole file once and compare all checksums; ``use`` gets each chunk's stored bytes."""
        digest = hashlib.sha256()
        with _naming(self._source):
            digest.update(self._source.read(0, self._chunks_start))
            for run in _runs(self.directory):
                start = run[0].offset
                data = self._source.read(start, run[-1].end - start)
                for entry in run:
                    stored = self._checked(entry, data[entry.offset - start : entry.end - start])
                    digest.update(stored)
                    if use is not None:
                        use(entry, stored[CHUNK_HEAD.size :])
            tag, expected = TRAILER.unpack(self._source.read(self._source.size - TRAILER.size, TRAILER.size))
            digest.update(tag)
            if tag != TRAILER_TAG or digest.digest() != expected:
                raise ChecksumError("the file is damaged: the SHA-256 in its trailer does not match")
        return digest.hexdigest()

    def digest(self) -> bytes:
        """Return the SHA-256 that the trailer states, unchecked: it tells files apart."""
        stored: bytes = TRAILER.unpack(self._source.read(self._source.size - TRAILER.size, TRAILER.size))[1]
        return stored

    def _open(self) -> None:
        source = self._source
        start = source.read(0, min(FIRST_READ, source.size))
        head = unpack_head(start, source.size, self._limits)
        if head.chunks_start > len(start):
            start += source.read(len(start), head.chunks_start - len(start))
        header_end = HEAD.size + head.header_length
        header_bytes, directory_bytes = start[HEAD.size : header_end], start[header_end : head.chunks_start]
        self.header = read_header(head, header_bytes, self._limits)
        if zlib.crc32(directory_bytes) != head.directory_crc32:
            raise ChecksumError("the directory is damaged: its checksum does not match")
        self.directory = unpack_directory(directory_bytes)
        self._continued = {e.segment - 1 for e in self.directory if e.kind == WEIGHTS and e.first}
        self._chunks_start = head.chunks_start
        check_directory(
            self.directory, self.header.segments, head.chunks_start, head.chunks_end, self._limits
        )

    def _read_stored(self, entry: Entry) -> bytes:
        """Return chunk head and stored bytes after checking both against the directory."""
        return self._checked(entry, self._source.read(entry.offset, entry.end - entry.offset))

    def _checked(self, entry: Entry, stored: bytes) -> bytes:
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

    def _read_layers(self, entries: Sequence[Entry], before: Sequence[Tensors]) -> list[Tensors]:
        """The weights of a segment after each of its layers; ``before`` are those of the segment before."""
        found: list[Tensors] = []
        for entry in entries:
            found.append(self._add_layer(entry, self.read_chunk(entry), found, before))
        return found

    def _add_layer(
        self, entry: Entry, payload: bytes, found: Sequence[Tensors], before: Sequence[Tensors]
    ) -> Tensors:
        """The weights after one more layer than ``found``, which stay in memory beside it."""
        kept = {id(tensor): tensor.symbols.size for tensors in found for tensor in tensors.values()}
        limits = replace(self._limits, elements=self._limits.elements - sum(kept.values()))
        coarser = found[-1] if entry.layer else None
        known = before[entry.layer] if entry.first else None
        with _naming(self._source):
            fresh = unpack_weights(payload, entry.count, limits, coarser, known)
        return {**(coarser or {}), **fresh}

    def _check_content(self, entry: Entry, body: bytes, contents: _Contents) -> None:
        """Decode a chunk, unless this reader may skip it; ``contents`` hold what came before it."""
        if entry.codec not in CODECS or (entry.kind == WEIGHTS and not contents.expect(entry)):
            return  # only chunks that may be skipped
        payload = self._decode(entry, body)
        if entry.kind == WEIGHTS:
            tensors = self._add_layer(entry, payload, contents.found, contents.before)
            contents.add(tensors, entry.segment in self._continued)
        if entry.kind == LATENTS and entry.layer == 0:
            unpack_latents(payload, entry.count, self._limits)
        if entry.kind == OCCUPANCY and entry.layer == 0:
            unpack_occupancy(payload)

    def _latents_group(self, entry: Entry) -> npt.NDArray[np.float32]:
        payload = self.read_chunk(entry)
        with _naming(self._source):
            return unpack_latents(payload, entry.count, self._limits).dequantise()


def _runs(directory: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The chunks in file order, so many at once that a read is worth a request, and one at least."""
    run: list[Entry] = []
    for entry in directory:
        if run and entry.end - run[0].offset > _RUN:
            yield run
            run = []
        run.append(entry)
    if run:
        yield run


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
