"""Sound for tests: payloads written by hand, synthesised signals, and clips with the sound of a signal.

Signals are float32 arrays (sample, channel) at 48 kHz.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import av
import numpy as np

from dynerf_format import SAMPLE_RATE, SoundPackets, sound_chunk, sound_position

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from dynerf_format import Chunk, Header

    Signal = npt.NDArray[np.float32]

SILK_20_MS = 1
"""Configuration of a table-of-contents byte: SILK, narrow band; the one below it has 10 ms."""


def opus_packet(configuration: int, length: int, seed: int = 0) -> bytes:
    """A packet of one coded frame, with arbitrary contents."""
    return bytes([configuration << 3, *((seed + 37 * n) % 256 for n in range(length - 1))])


def sound_payload(channels: int, trim: int, samples: int, packets: Sequence[bytes]) -> bytes:
    """A payload, valid or not."""
    head = struct.pack("<BBHII", 1, channels, len(packets), trim, samples)
    return head + struct.pack(f"<{len(packets)}H", *map(len, packets)) + b"".join(packets)


def clicks(seconds: float, at: Sequence[float], channels: int = 1, rate: int = SAMPLE_RATE) -> Signal:
    """Silence with a click of 1 ms at each of the given seconds."""
    signal = np.zeros((round(seconds * rate), channels), np.float32)
    length = max(rate // 1000, 2)
    for time in at:
        start = round(time * rate)
        signal[start : start + length] = (0.9 * (-1.0) ** np.arange(length))[:, None]
    return signal


def sweep(seconds: float, channels: int = 1, rate: int = SAMPLE_RATE) -> Signal:
    """A tone that rises from 100 Hz to 4 kHz."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * 100 * seconds / np.log(40) * (40 ** (time / seconds) - 1)
    return np.repeat(0.5 * np.sin(phase)[:, None], channels, axis=1).astype(np.float32)


def opus_stream(signal: Signal, bit_rate: int = 96_000) -> SoundPackets:
    """A signal (sample, channel) as one stream of packets; what decodes to its first sample follows
    ``trim``.
    """
    channels = signal.shape[1]
    coder = av.CodecContext.create("libopus", "w")
    coder.sample_rate, coder.format, coder.bit_rate = SAMPLE_RATE, "flt", bit_rate
    coder.layout = ("mono", "stereo")[channels - 1]
    coder.open()
    assert coder.extradata is not None
    trim = int.from_bytes(coder.extradata[10:12], "little")
    padded = np.concatenate([signal, np.zeros((2880 - len(signal) % 960, channels), np.float32)])
    packets: list[bytes] = []
    for start in range(0, len(padded), 960):
        block = np.ascontiguousarray(padded[start : start + 960].reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(block, "flt", coder.layout)
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        packets += [bytes(packet) for packet in coder.encode(frame)]
    return SoundPackets(channels, trim, len(signal), tuple(packets))


def with_sound(header: Header, chunks: Sequence[Chunk], signal: Signal) -> list[Chunk]:
    """The chunks of a clip and, behind each group of latents, the sound of its frames."""
    stream, found = opus_stream(signal), []
    for chunk in chunks:
        found.append(chunk)
        if chunk.kind == b"LATN":
            start, end = (
                sound_position(frame, header.fps_numerator, header.fps_denominator)
                for frame in (chunk.first, chunk.first + chunk.count)
            )
            part = stream.window(start, min(end, stream.samples) - start)
            if part is not None:
                found.append(sound_chunk(chunk.segment, chunk.first, chunk.count, part))
    return found
