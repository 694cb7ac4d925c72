"""Recover the intact chunks before the damage in a file, as a clip that plays.

Head and header must be intact. The directory is not needed, because every chunk carries its own head and
checksum. A damaged chunk of an ancillary kind, such as sound, is left out if an intact chunk follows it. The
clip ends with the last frame whose latents were recovered; without its finer layers the picture
is coarser.

The file is read twice, chunk by chunk: to find the intact chunks, and to copy them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from dynerf_format.container.chunks import LATENTS, WEIGHTS, is_critical
from dynerf_format.container.directory import chunk_checksum, unpack_chunk_head
from dynerf_format.container.file_head import unpack_head
from dynerf_format.container.prologue import read_header
from dynerf_format.container.records import SegmentRecord
from dynerf_format.container.writer import ChunkRef, write_chunks
from dynerf_format.errors import FormatError
from dynerf_format.layout import CHUNK_HEAD, HEAD, TRAILER_TAG
from dynerf_format.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from dynerf_format.container.directory import Entry
    from dynerf_format.container.file_head import FileHead
    from dynerf_format.container.records import Header
    from dynerf_format.container.source import Source


@dataclass(frozen=True)
class Repair:
    """What was recovered and what was lost; ``reason`` states where recovery ended and why."""

    chunks: int
    frames: int
    frames_lost: int
    bytes_lost: int
    reason: str


def repair_clip(source: Source, path: Path, limits: Limits = DEFAULT_LIMITS) -> Repair:
    """Write what can be recovered of ``source`` to ``path``; the source is only read.

    FormatError when not even one picture can be recovered, OutputError when ``path`` cannot be written.
    """
    try:
        return _repair(source, path, limits)
    except FormatError as error:
        message = str(error).removeprefix(f"{source.name}: ")
        raise type(error)(f"{source.name}: cannot be repaired: {message}") from error


def _repair(source: Source, path: Path, limits: Limits) -> Repair:
    head, header = _read_start(source, limits)
    scan = _Scan(source, head.chunks_start, limits)
    intact = list(scan.entries())
    segments = _covered(header, intact)
    if not segments:
        raise FormatError(f"no picture can be recovered: {scan.reason}")
    kept_entries = [entry for entry in intact if entry.segment < len(segments)]
    frames = sum(segment.frames for segment in segments)
    shorter = replace(header, frames=frames, segments=segments)
    write_chunks(path, shorter, [ChunkRef(entry, partial(_body, source, entry)) for entry in kept_entries])
    kept_bytes = sum(entry.end - entry.offset for entry in kept_entries)
    lost_bytes = max(head.chunks_end, source.size) - head.chunks_start - kept_bytes
    complete = frames == header.frames and scan.complete
    return Repair(
        len(kept_entries), frames, header.frames - frames, 0 if complete else lost_bytes, scan.reason
    )


def _read_start(source: Source, limits: Limits) -> tuple[FileHead, Header]:
    """Head and header, whatever the current length of the file."""
    start = source.read(0, min(HEAD.size, source.size))
    declared = HEAD.unpack(start)[8] if len(start) == HEAD.size else source.size
    head = unpack_head(start, declared, limits)
    data = source.read(HEAD.size, head.header_length)
    return head, read_header(head, data, limits)


class _Scan:
    """Scan from chunk head to chunk head until an invalid one; ``reason`` then states what was found."""

    def __init__(self, source: Source, position: int, limits: Limits) -> None:
        self._source = source
        self._position = position
        self._limits = limits
        self._left_out = 0
        self.reason = ""
        self.complete = False

    def entries(self) -> Iterator[Entry]:
        """The intact chunks; their stored bytes are not kept."""
        while not self.reason:
            remaining = self._source.size - self._position
            if remaining < CHUNK_HEAD.size:
                self.reason = f"the file ends at byte {self._source.size}"
                return
            head = self._source.read(self._position, CHUNK_HEAD.size)
            if head.startswith(TRAILER_TAG):
                self.complete = self._left_out == 0
                others = f"{self._left_out} damaged ancillary chunks are left out, all others are intact"
                self.reason = "all chunks are intact" if self.complete else others
                return
            entry = unpack_chunk_head(head, self._position)
            if entry.end > self._source.size or entry.decoded_length > self._limits.chunk_bytes:
                self.reason = f"{entry.label} extends beyond the end of the file or is not a chunk"
                return
            self._position = entry.end
            if self._is_intact(entry):
                yield entry
            elif not is_critical(entry.kind) and self._goes_on():
                self._left_out += 1
            else:
                self.reason = f"{entry.label} is damaged: its checksum does not match"

    def _is_intact(self, entry: Entry) -> bool:
        return chunk_checksum(entry, _body(self._source, entry)) == entry.crc32

    def _goes_on(self) -> bool:
        """Whether an intact chunk or the trailer is at the current position."""
        head = self._source.read(self._position, min(CHUNK_HEAD.size, self._source.size - self._position))
        if head.startswith(TRAILER_TAG):
            return True
        if len(head) < CHUNK_HEAD.size:
            return False
        entry = unpack_chunk_head(head, self._position)
        return entry.end <= self._source.size and self._is_intact(entry)


def _body(source: Source, entry: Entry) -> bytes:
    return source.read(entry.offset + CHUNK_HEAD.size, entry.stored_length)


def _covered(header: Header, entries: Sequence[Entry]) -> tuple[SegmentRecord, ...]:
    """The segments that can be rendered, from the first on; the last may have lost frames."""
    segments: list[SegmentRecord] = []
    for number, segment in enumerate(header.segments):
        own = [entry for entry in entries if entry.segment == number and entry.layer == 0]
        frames = sum(entry.count for entry in own if entry.kind == LATENTS)
        if frames == 0 or not any(entry.kind == WEIGHTS for entry in own):
            break
        segments.append(SegmentRecord(segment.first_frame, min(frames, segment.frames)))
        if frames < segment.frames:
            break
    return tuple(segments)
