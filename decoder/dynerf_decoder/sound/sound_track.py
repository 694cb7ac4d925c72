"""The sound of a clip as one track of samples, decoded where it is needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float32

from dynerf_format import SAMPLE_RATE, SoundPackets, sound_entries, sound_position
from dynerf_format.container.chunk_lookup import is_sound
from dynerf_format.container.reader import Reader
from dynerf_format.errors import FormatError

from .opus_decoder import decode_packets

_BLOCK = SAMPLE_RATE  # samples of silence at once


def has_sound(reader: Reader) -> bool:
    """Whether a clip has sound in any of its frames."""
    return any(map(is_sound, reader.directory))


@dataclass(frozen=True)
class _Part:
    """The packets of a chunk, which are played from sample ``begin`` to ``end`` of the clip."""

    begin: int
    end: int
    sound: SoundPackets


@dataclass(frozen=True)
class SoundTrack:
    """``samples`` samples of a clip's sound, from sample ``start`` on; packets are in memory, not decoded.

    Where the clip has no sound, or a chunk of it is damaged, the track is silent; ``damage`` are the errors
    of such chunks.
    """

    start: int
    samples: int
    channels: int
    parts: Sequence[_Part]
    damage: Sequence[FormatError] = ()

    @classmethod
    def of(cls, reader: Reader, start: int, samples: int) -> "SoundTrack":
        """Read the packets. Raises RemoteError."""
        fps = reader.header.fps
        first, last = (_frame_of(position, fps) for position in (start, start + samples))
        parts, damage = [], list[FormatError]()
        for entry in sound_entries(reader.directory, max(first - 1, 0), last - max(first - 1, 0) + 2):
            begin, after = (_position(frame, fps) for frame in (entry.first, entry.first + entry.count))
            if after <= start or start + samples <= begin:
                continue
            try:
                sound = reader.sound(entry)
            except FormatError as error:
                damage.append(error)
                continue
            if sound is not None:
                parts.append(_Part(begin, min(begin + sound.samples, after), sound))
        channels = max((part.sound.channels for part in parts), default=1)
        return cls(start, samples, channels, parts, damage)

    def blocks(self) -> Iterator[Float32[np.ndarray, "sample channel"]]:
        """All samples in order, in blocks."""
        position, stop = self.start, self.start + self.samples
        for part in self.parts:
            begin, end = max(part.begin, position), min(part.end, stop)
            if begin >= end:
                continue
            yield from self._silence(begin - position)
            block = decode_packets(part.sound)[begin - part.begin : end - part.begin]
            yield np.repeat(block, self.channels, axis=1) if block.shape[1] < self.channels else block
            position = end
        yield from self._silence(stop - position)

    def array(self) -> Float32[np.ndarray, "sample channel"]:
        """All samples."""
        return np.concatenate([np.zeros((0, self.channels), np.float32), *self.blocks()])

    def _silence(self, samples: int) -> Iterator[Float32[np.ndarray, "sample channel"]]:
        for start in range(0, samples, _BLOCK):
            yield np.zeros((min(_BLOCK, samples - start), self.channels), np.float32)


def sound_of_frames(reader: Reader, first: int, frames: int) -> SoundTrack:
    """The sound of ``frames`` frames from ``first`` on. Raises FormatError when a chunk is damaged."""
    start, stop = (_position(frame, reader.header.fps) for frame in (first, first + frames))
    track = SoundTrack.of(reader, start, stop - start)
    if track.damage:
        raise track.damage[0]
    return track


def _position(frame: int, fps: Fraction) -> int:
    return sound_position(frame, fps.numerator, fps.denominator)


def _frame_of(position: int, fps: Fraction) -> int:
    """The frame that is shown at a sample."""
    return int(position * fps / SAMPLE_RATE)
