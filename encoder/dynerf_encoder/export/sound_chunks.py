"""Divides a clip's sound into chunks, one behind each group of latents."""

from collections.abc import Sequence
from fractions import Fraction

from dynerf_format import Chunk, SoundPackets, sound_chunk, sound_position
from dynerf_format.container.chunks import LATENTS


def with_sound(chunks: Sequence[Chunk], sound: SoundPackets | None, fps: Fraction) -> list[Chunk]:
    """The chunks of a clip of one segment and the sound of each group; ``sound`` begins with frame 0.

    A group in which the sound has ended gets none.
    """
    found: list[Chunk] = []
    for chunk in chunks:
        found.append(chunk)
        part = _part(sound, chunk, fps) if sound is not None and chunk.kind == LATENTS else None
        if part is not None:
            found.append(sound_chunk(chunk.segment, chunk.first, chunk.count, part))
    return found


def _part(sound: SoundPackets, group: Chunk, fps: Fraction) -> SoundPackets | None:
    start, end = (
        sound_position(frame, fps.numerator, fps.denominator)
        for frame in (group.first, group.first + group.count)
    )
    return sound.window(start, min(end, sound.samples) - start)
