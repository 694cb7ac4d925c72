"""The sound of a group of frames for another clip: other frames, or frames that begin at other samples.

Frame f of a clip begins at sample floor(f * 48000 / fps), so a clip that is cut or joined rounds otherwise.
Packets are kept as they are; only what is dropped and kept of them changes, which keeps each sample in its
place to the sample, and the sound across groups without a gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynerf_format.container.chunks import sound_chunk
from dynerf_format.container.writer import ChunkRef, compress_chunk
from dynerf_format.sound.sound_position import SAMPLE_RATE, sound_position

from .chunk_copy import copy_chunk

if TYPE_CHECKING:
    from dynerf_format.container.directory import Entry
    from dynerf_format.container.reader import Reader


def move_sound(reader: Reader, entry: Entry, segment: int, frames: range, shift: int) -> ChunkRef | None:
    """The sound of ``frames``, which are of the chunk's group, in a clip where frame ``shift`` becomes frame
    0.

    ``shift`` is negative behind other clips. None when nothing of the sound belongs to these frames, or a
    part of a group is in a coding that this reader does not have.
    """
    header = reader.header
    first, whole = frames.start - shift, len(frames) == entry.count
    exact = shift * SAMPLE_RATE * header.fps_denominator % header.fps_numerator == 0
    sound = None if whole and exact else reader.sound(entry)
    if sound is None:
        return copy_chunk(reader, entry, segment=segment, first=first) if whole else None

    def position(frame: int) -> int:
        return sound_position(frame, header.fps_numerator, header.fps_denominator)

    moved = position(shift) if shift >= 0 else -position(-shift)
    start = position(first) + moved - position(entry.first)
    end = min(position(first + len(frames)) + moved - position(entry.first), sound.samples + 1)
    part = sound.window(start, end - start)
    return None if part is None else compress_chunk(sound_chunk(segment, first, len(frames), part))
