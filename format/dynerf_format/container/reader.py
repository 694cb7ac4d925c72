"""Read a clip from any source; nothing is used before it is checked.

Opening takes one read of 16 KiB and at most one more; it checks the head, the header and the whole directory.
Chunks are read on demand, one read each, and checked before they are decoded. Only the weights read last are
cached, and only where the next segment continues them.
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
from dynerf_format.sound.sound_payload import unpack_sound
from dynerf_format.tensors.occupancy import unpack_occupancy

from .chunk_lookup import ancillary_entry, is_sound, latents_entries, weights_chain, weights_entries
from .chunks import LATENTS, OCCUPANCY, WEIGHTS, unpack_latents, unpack_weights
from .compression import CODECS, decompress
from .directory import Entry, check_directory, chunk_checksum, unpack_directory
from .file_head import unpack_head
from .prologue import read_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    import numpy.typing as npt

    from dynerf_format.sound.sound_payload import SoundPackets
    from dynerf_format.tensors.occupancy import Occupancy
    from dynerf_format.tensors.quantise import QuantisedTensor

    from .records import Header
    from .source import Source

    Tensors: TypeAlias = dict[str, QuantisedTensor]

_READ_BYTES = 1 << 20  # per read when a whole file is read


class _DecodedWeights:
    """State of a sequential read: the decoded weights that later chunks may build on.

    ``found`` are those of the current segment after each layer, only the newest where no segment continues
    it; ``previous`` those of the previous segment, if the current one builds on it.
    """

    def __init__(self) -> None:
        self.found: list[Tensors] = []
        self.previous: list[Tensors] = []
        self._layers = 0

    def accepts(self, entry: Entry) -> bool:
        """Whether a ``WGHT`` chunk is usable: no layer below it, in either segment, has an unknown codec."""
        if entry.layer == 0:
            self.previous = self.found if entry.first else []
            self.found, self._layers = [], 0
        return entry.layer == self._layers and (not entry.first or entry.layer < len(self.previous))

    def add(self, tensors: Tensors, continued: bool) -> None:
        """Store the weights after one more layer."""
        self.found = [*self.found, tensors] if continued else [tensors]
        self._layers += 1


class Reader:
    """An opened clip: ``header``, ``directory`` and the contents of the chunks. The caller closes the source.

    Every FormatError names the source.
    """

    header: Header
    directory: tuple[Entry, ...]

    def __init__(self, source: Source, limits: Limits = DEFAULT_LIMITS) -> None:
        self._source = source
        self._limits = limits
        self._cached: tuple[int, list[Tensors]] | None = None
        with _source_in_errors(source):
            self._open()

    def read_chunk(self, entry: Entry) -> bytes:
        """Return the decoded payload of a chunk of this clip."""
        with _source_in_errors(self._source):
            return self._decode(entry, self._read_stored(entry)[CHUNK_HEAD.size :])

    def read_stored(self, entry: Entry) -> bytes:
        """Return a chunk's stored bytes, without its head, checked but not decoded."""
        with _source_in_errors(self._source):
            return self._read_stored(entry)[CHUNK_HEAD.size :]

    def layers(self, segment: int) -> int:
        """Return the number of quality layers of a segment's weights that this reader can use, at least 1."""
        return len(weights_entries(self.directory, segment))

    def layer_bytes(self, segment: int) -> list[int]:
        """Return the bytes of each usable quality layer of a segment, chunk heads included."""
        return [entry.end - entry.offset for entry in weights_entries(self.directory, segment)]

    def weights(self, segment: int, layers: int | None = None) -> Tensors:
        """Return the weights of a segment by name, from its first ``layers`` quality layers (default: all).

        Fewer layers mean larger steps, not fewer tensors. Also reads the segments that it builds on, except
        those cached from the last call. ViewError when there is no such segment.
        """
        chain = weights_chain(self.directory, segment, layers)
        if len(chain) > 1 or segment in self._continued:
            return dict(self.layered_weights(segment, layers)[-1])
        tensors: Tensors = {}
        for entry in chain[0]:
            payload = self.read_chunk(entry)
            with _source_in_errors(self._source):
                coarser = tensors if entry.layer else None
                tensors |= unpack_weights(payload, entry.count, self._limits, coarser)
        return tensors

    def layered_weights(self, segment: int, layers: int | None = None) -> list[Tensors]:
        """As :meth:`weights`, after each of the first ``layers`` quality layers, coarse first."""
        chain = weights_chain(self.directory, segment, layers)
        key, count, kept = segment - len(chain) + 1, len(chain[0]), self._cached
        found: list[Tensors] = []
        if kept is not None and key <= kept[0] <= segment and len(kept[1]) >= count:
            chain, found = chain[kept[0] - key + 1 :], kept[1][:count]
        for entries in chain:
            found = self._read_layers(entries, found)
        if segment in self._continued:
            self._cached = segment, found
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
            with _source_in_errors(self._source):
                _check_group(groups, count, self._limits)
        return np.concatenate(groups)

    def ancillary(self, kind: bytes, segment: int) -> bytes | None:
        """Return the payload of an ancillary kind, such as b"occu", for a segment, if present."""
        entry = ancillary_entry(self.directory, kind, segment)
        return None if entry is None else self.read_chunk(entry)

    def occupancy(self, segment: int) -> Occupancy | None:
        """Return a segment's occupancy grids, valid for exactly their number of layers; None when absent."""
        payload = self.ancillary(OCCUPANCY, segment)
        if payload is None:
            return None
        with _source_in_errors(self._source):
            return unpack_occupancy(payload)

    def sound(self, entry: Entry) -> SoundPackets | None:
        """Return the sound of a chunk of :func:`sound_entries`; None when it is in an unknown coding."""
        payload = self.read_chunk(entry)
        with _source_in_errors(self._source):
            return unpack_sound(payload)

    def bytes_by_kind(self) -> dict[str, int]:
        """Return the size in bytes of "container" and, chunk heads included, of each chunk kind."""
        sizes = {"container": self._chunks_start + TRAILER.size}
        for entry in self.directory:
            kind = entry.kind.decode("ascii")
            sizes[kind] = sizes.get(kind, 0) + entry.end - entry.offset
        return sizes

    def verify(self) -> str:
        """Read and decode the whole file once; return its SHA-256 in hex when everything is valid."""
        decoded = _DecodedWeights()
        return self._read_through(lambda entry, body: self._check_content(entry, body, decoded))

    def check(self) -> str:
        """As :meth:`verify`, without decoding: check every checksum and the SHA-256 of the whole file."""
        return self._read_through()

    def _read_through(self, visit: Callable[[Entry, bytes], None] | None = None) -> str:
        """Read the whole file once and compare all checksums; ``visit`` gets each chunk's stored bytes."""
        digest = hashlib.sha256()
        with _source_in_errors(self._source):
            digest.update(self._source.read(0, self._chunks_start))
            for batch in _batches(self.directory):
                start = batch[0].offset
                data = self._source.read(start, batch[-1].end - start)
                for entry in batch:
                    stored = self._checked(entry, data[entry.offset - start : entry.end - start])
                    digest.update(stored)
                    if visit is not None:
                        visit(entry, stored[CHUNK_HEAD.size :])
            tag, expected = TRAILER.unpack(self._source.read(self._source.size - TRAILER.size, TRAILER.size))
            digest.update(tag)
            if tag != TRAILER_TAG or digest.digest() != expected:
                raise ChecksumError("the file is damaged: the SHA-256 in its trailer does not match")
        return digest.hexdigest()

    def digest(self) -> bytes:
        """Return the SHA-256 stated in the trailer, unchecked: it identifies the file."""
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

    def _read_layers(self, entries: Sequence[Entry], previous: Sequence[Tensors]) -> list[Tensors]:
        """A segment's weights after each of its layers; ``previous`` are those of the previous segment."""
        found: list[Tensors] = []
        for entry in entries:
            found.append(self._add_layer(entry, self.read_chunk(entry), found, previous))
        return found

    def _add_layer(
        self, entry: Entry, payload: bytes, found: Sequence[Tensors], previous: Sequence[Tensors]
    ) -> Tensors:
        """The weights after one more layer than ``found``, which stay in memory as well."""
        kept = {id(tensor): tensor.symbols.size for tensors in found for tensor in tensors.values()}
        limits = replace(self._limits, elements=self._limits.elements - sum(kept.values()))
        coarser = found[-1] if entry.layer else None
        previous_layer = previous[entry.layer] if entry.first else None
        with _source_in_errors(self._source):
            added = unpack_weights(payload, entry.count, limits, coarser, previous_layer)
        return {**(coarser or {}), **added}

    def _check_content(self, entry: Entry, body: bytes, decoded: _DecodedWeights) -> None:
        """Decode a chunk, unless this reader may skip it; ``decoded`` holds the weights read before it."""
        if entry.codec not in CODECS or (entry.kind == WEIGHTS and not decoded.accepts(entry)):
            return  # only chunks that may be skipped
        payload = self._decode(entry, body)
        if entry.kind == WEIGHTS:
            tensors = self._add_layer(entry, payload, decoded.found, decoded.previous)
            decoded.add(tensors, entry.segment in self._continued)
        if entry.kind == LATENTS and entry.layer == 0:
            unpack_latents(payload, entry.count, self._limits)
        if entry.kind == OCCUPANCY and entry.layer == 0:
            unpack_occupancy(payload)
        if is_sound(entry):
            unpack_sound(payload)

    def _latents_group(self, entry: Entry) -> npt.NDArray[np.float32]:
        payload = self.read_chunk(entry)
        with _source_in_errors(self._source):
            return unpack_latents(payload, entry.count, self._limits).dequantise()


def _batches(directory: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The chunks in file order, in batches of at most ``_READ_BYTES``, or of one chunk."""
    batch: list[Entry] = []
    for entry in directory:
        if batch and entry.end - batch[0].offset > _READ_BYTES:
            yield batch
            batch = []
        batch.append(entry)
    if batch:
        yield batch


def _check_group(groups: list[npt.NDArray[np.float32]], count: int, limits: Limits) -> None:
    """Check the newest group against the first one, and the size of the result."""
    dimensions = groups[0].shape[1]
    if groups[-1].shape[1] != dimensions:
        raise FormatError(f"latents of {groups[-1].shape[1]} and of {dimensions} dimensions in one clip")
    if count * dimensions > limits.elements:
        raise LimitError(
            f"latents of {count} frames: {count * dimensions} numbers, {limits.elements} allowed"
        )


@contextmanager
def _source_in_errors(source: Source) -> Iterator[None]:
    """Prefix the message of a FormatError with the source's name, unless it has it already."""
    try:
        yield
    except FormatError as error:
        if str(error).startswith(source.name):
            raise
        raise type(error)(f"{source.name}: {error}") from error
