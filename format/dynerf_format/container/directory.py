"""The directory: one fixed-width entry per chunk, checked as a whole before any chunk is read.

Chunks tile the file from the end of the directory to the trailer in directory order, so that every byte is
accounted for, nothing overlaps, and sequential reading yields each segment's weights before its latents.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dynerf_format.errors import FormatError, LimitError, VersionError
from dynerf_format.layout import CHUNK_HEAD, CRC32, ENTRY
from dynerf_format.sound.sound_payload import SOUND_BYTES_MAX
from dynerf_format.tensors.occupancy import OCCUPANCY_BYTES_MAX

from .chunks import KNOWN_KINDS, LATENTS, LAYERS_MAX, OCCUPANCY, SOUND, WEIGHTS, check_kind, is_critical
from .compression import CODECS, RAW, ZSTD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from dynerf_format.limits import Limits

    from .records import SegmentRecord


@dataclass(frozen=True, slots=True)
class Entry:
    """Location and declared contents of a chunk. ``offset`` is that of its chunk head; lengths exclude it."""

    kind: bytes
    segment: int
    layer: int
    codec: int
    first: int
    count: int
    offset: int
    stored_length: int
    decoded_length: int
    crc32: int

    @property
    def end(self) -> int:
        """Offset of the first byte after the chunk."""
        return self.offset + CHUNK_HEAD.size + self.stored_length

    @property
    def label(self) -> str:
        """The chunk's name in error messages."""
        return f"{self.kind.decode('latin-1')} chunk at byte {self.offset}"

    def pack(self) -> bytes:
        """Return the bytes of the entry in the directory."""
        return ENTRY.pack(*self._before_offset(), self.offset, *self._after_offset())

    def pack_chunk_head(self) -> bytes:
        """Return the bytes of the chunk head at ``offset``."""
        return CHUNK_HEAD.pack(*self._before_offset(), *self._after_offset())

    def _before_offset(self) -> tuple[bytes, int, int, int, int, int]:
        return self.kind, self.segment, self.layer, self.codec, self.first, self.count

    def _after_offset(self) -> tuple[int, int, int]:
        return self.stored_length, self.decoded_length, self.crc32


def unpack_directory(data: bytes) -> tuple[Entry, ...]:
    """Split the directory's bytes, a multiple of 40, into entries; nothing is checked here."""
    return tuple(Entry(*fields) for fields in ENTRY.iter_unpack(data))


def unpack_chunk_head(head: bytes, offset: int) -> Entry:
    """The entry of the chunk whose 32-byte head is at ``offset``; nothing is checked here."""
    kind, segment, layer, codec, first, count, stored, decoded, crc32 = CHUNK_HEAD.unpack(head)
    return Entry(kind, segment, layer, codec, first, count, offset, stored, decoded, crc32)


def chunk_checksum(entry: Entry, body: bytes) -> int:
    """Return the CRC-32 of the chunk head, without its own checksum, and the stored bytes."""
    return zlib.crc32(body, zlib.crc32(entry.pack_chunk_head()[: -CRC32.size]))


def with_fields(entry: Entry, **changes: Any) -> Entry:
    """The entry for the same stored bytes with other fields in the chunk head, its checksum updated.

    The stored bytes are not needed: CRC-32 is linear, so the checksums of two heads followed by the same
    bytes differ by as much as those of the two heads followed by that many zeros.
    """
    changed = replace(entry, **changes)
    zeros = bytes(entry.stored_length)
    difference = chunk_checksum(entry, zeros) ^ chunk_checksum(changed, zeros)
    return replace(changed, crc32=entry.crc32 ^ difference)


def check_directory(
    entries: Sequence[Entry], segments: Sequence[SegmentRecord], start: int, end: int, limits: Limits
) -> None:
    """FormatError unless the entries tile the bytes ``start`` to ``end`` and cover every segment."""
    position = start
    for entry in entries:
        _check_entry(entry, limits)
        if entry.offset != position:
            raise FormatError(
                f"{entry.label}: expected at byte {position}; chunks must follow each other without gaps"
            )
        position = entry.end
    if position != end:
        raise FormatError(f"chunks end at byte {position}, expected {end}")
    _check_playable(entries, segments)
    _check_layers(entries)
    _check_chains(entries, limits)
    _check_occupancy(entries, segments)
    _check_sound(entries)


def _check_entry(entry: Entry, limits: Limits) -> None:
    check_kind(entry.kind)
    known = entry.kind in KNOWN_KINDS
    if not known and is_critical(entry.kind):
        raise VersionError(f"{entry.label}: the kind is unknown to this reader and cannot be skipped")
    if entry.codec not in CODECS and known and entry.layer == 0:
        raise VersionError(f"{entry.label}: codec {entry.codec} is unknown, this reader supports {CODECS}")
    if entry.decoded_length > limits.chunk_bytes:
        raise LimitError(
            f"{entry.label}: decodes to {entry.decoded_length} bytes, {limits.chunk_bytes} allowed"
        )
    if entry.codec == RAW and entry.stored_length != entry.decoded_length:
        raise FormatError(
            f"{entry.label}: raw, but {entry.stored_length} bytes stored and {entry.decoded_length} decoded"
        )
    if entry.codec == ZSTD and entry.stored_length >= entry.decoded_length:
        raise FormatError(
            f"{entry.label}: zstd, but not smaller than its {entry.decoded_length} decoded bytes"
        )


def _check_playable(entries: Sequence[Entry], segments: Sequence[SegmentRecord]) -> None:
    """Layer 0 must be: weights of segment 0, its latents without gaps, weights of segment 1, and so on."""
    layer0 = iter([entry for entry in entries if entry.kind in KNOWN_KINDS and entry.layer == 0])
    entry = next(layer0, None)
    for number, segment in enumerate(segments):
        if entry is None or entry.kind != WEIGHTS or entry.segment != number:
            raise FormatError(f"segment {number}: its weights are missing or out of order")
        frame, end = segment.first_frame, segment.first_frame + segment.frames
        entry = next(layer0, None)
        while frame < end:
            if entry is None or entry.kind != LATENTS or entry.segment != number or entry.first != frame:
                raise FormatError(
                    f"segment {number}: the latents of frame {frame} are missing or out of order"
                )
            if not 1 <= entry.count <= end - frame:
                raise FormatError(
                    f"{entry.label}: {entry.count} frames from {frame}, the segment ends at {end}"
                )
            frame += entry.count
            entry = next(layer0, None)
    if entry is not None:
        raise FormatError(f"{entry.label}: does not belong to a segment or occurs twice")


def _check_layers(entries: Sequence[Entry]) -> None:
    """The layers of a segment's weights are numbered from 0 and precede those of the next segment."""
    segment = layer = 0
    for entry in entries:
        if entry.kind != WEIGHTS:
            continue
        if entry.layer == 0:
            segment, layer = entry.segment, 0
        elif (entry.segment, entry.layer) == (segment, layer + 1) and entry.layer < LAYERS_MAX:
            layer += 1
        else:
            raise FormatError(
                f"{entry.label}: layer {entry.layer} of segment {entry.segment} is out of order"
            )


def _check_chains(entries: Sequence[Entry], limits: Limits) -> None:
    """A segment's weights build on none, or on the previous segment and all those that it builds on.

    They then build on it layer by layer. This rules out loops and references to missing segments.
    """
    depth = before = layers = layers_before = 0
    for entry in entries:
        if entry.kind != WEIGHTS:
            continue
        if entry.layer == 0:
            before, depth = depth, entry.first
            layers_before, layers = layers, 0
            if depth > limits.chain:
                raise LimitError(f"{entry.label}: builds on {depth} segments, {limits.chain} allowed")
            if depth and (entry.segment == 0 or depth != before + 1):
                raise FormatError(
                    f"{entry.label}: segment {entry.segment} builds on {depth} segments, expected 0 or one "
                    "more than the previous segment"
                )
        layers += 1
        if entry.first != depth or (depth and layers > layers_before):
            raise FormatError(
                f"{entry.label}: layer {entry.layer} of segment {entry.segment} builds on {entry.first} "
                f"segments of which the last has {layers_before} layers, expected {depth} as in layer 0 and "
                "only layers that exist there"
            )


def _check_occupancy(entries: Sequence[Entry], segments: Sequence[SegmentRecord]) -> None:
    """At most one per segment: otherwise readers could use different ones."""
    seen: set[int] = set()
    for entry in entries:
        if entry.kind != OCCUPANCY or entry.layer != 0:
            continue
        if entry.segment >= len(segments) or entry.segment in seen:
            raise FormatError(
                f"{entry.label}: segment {entry.segment} does not exist or has two occupancy chunks"
            )
        if entry.decoded_length > OCCUPANCY_BYTES_MAX:
            raise LimitError(
                f"{entry.label}: decodes to {entry.decoded_length} bytes, {OCCUPANCY_BYTES_MAX} allowed"
            )
        seen.add(entry.segment)


def _check_sound(entries: Sequence[Entry]) -> None:
    """Directly behind the latents of its frames, so at most one per group."""
    for before, entry in zip((None, *entries), entries, strict=False):
        if entry.kind != SOUND or entry.layer != 0:
            continue
        if before is None or _group(before) != (LATENTS, 0, entry.segment, entry.first, entry.count):
            raise FormatError(
                f"{entry.label}: sound of {entry.count} frames from {entry.first}, expected directly behind "
                "the latents of the same frames"
            )
        if entry.decoded_length > SOUND_BYTES_MAX:
            raise LimitError(
                f"{entry.label}: decodes to {entry.decoded_length} bytes, {SOUND_BYTES_MAX} allowed"
            )


def _group(entry: Entry) -> tuple[bytes, int, int, int, int]:
    return entry.kind, entry.layer, entry.segment, entry.first, entry.count
