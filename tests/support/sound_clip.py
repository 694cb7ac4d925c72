"""Clips with sound, made of clips without: Opus coded by PyAV, one chunk per group of latents."""

from fractions import Fraction

import av
import numpy as np
from jaxtyping import Float

from dynerf_format import (
    SAMPLE_RATE,
    BytesSource,
    Chunk,
    Reader,
    SoundPackets,
    clip_bytes,
    sound_chunk,
    sound_position,
    unpack_sound,
)
from dynerf_format.sound.sound_payload import PACKET_SAMPLES, PREROLL

_DELAY = 312  # samples at the start of what libopus codes, as in its extradata


def clicks(seconds: float, times: list[float], channels: int = 2) -> Float[np.ndarray, "sample channel"]:
    """A quiet tone with clicks of 1 ms; the second channel is half as loud."""
    position = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    samples = 0.05 * np.sin(2 * np.pi * 440 * position)
    for time in times:
        start = round(time * SAMPLE_RATE)
        samples[start : start + 48] += 0.9
    return np.stack([samples, 0.5 * samples][:channels], axis=1).astype(np.float32)


def tones(seconds: float, channels: int = 2) -> Float[np.ndarray, "sample channel"]:
    """A tone that rises from 200 to 2000 Hz."""
    position = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    samples = 0.4 * np.sin(2 * np.pi * (200 * position + 900 * position**2 / seconds))
    return np.stack([samples, -0.5 * samples][:channels], axis=1).astype(np.float32)


def with_sound(data: bytes, samples: Float[np.ndarray, "sample channel"], bit_rate: int = 96_000) -> bytes:
    """A clip with these samples at 48 kHz as its sound."""
    reader = Reader(BytesSource(data))
    header, packets = reader.header, opus_packets(samples, bit_rate)
    chunks: list[Chunk] = []
    for entry in reader.directory:
        payload = reader.read_chunk(entry)
        chunks.append(Chunk(entry.kind, entry.segment, entry.layer, entry.first, entry.count, payload))
        if entry.kind == b"LATN":
            start, stop = (
                sound_position(frame, header.fps_numerator, header.fps_denominator)
                for frame in (entry.first, entry.first + entry.count)
            )
            sound = _excerpt(packets, samples.shape[1], start, stop)
            chunks.append(sound_chunk(entry.segment, entry.first, entry.count, sound))
    return clip_bytes(header, chunks)


def _excerpt(packets: list[bytes], channels: int, start: int, stop: int) -> SoundPackets:
    first = max(0, (start + _DELAY - PREROLL) // PACKET_SAMPLES)
    last = -(-(stop + _DELAY) // PACKET_SAMPLES)
    trim = start + _DELAY - first * PACKET_SAMPLES
    return SoundPackets(channels, trim, stop - start, tuple(packets[first:last]))


def opus_packets(samples: Float[np.ndarray, "sample channel"], bit_rate: int) -> list[bytes]:
    """Packets of 20 ms."""
    coder = av.CodecContext.create("libopus", "w")
    layout = {1: "mono", 2: "stereo"}[samples.shape[1]]
    coder.sample_rate, coder.layout, coder.format, coder.bit_rate = SAMPLE_RATE, layout, "flt", bit_rate
    packets: list[bytes] = []
    padded = np.concatenate([samples, np.zeros((2 * PACKET_SAMPLES, samples.shape[1]), np.float32)])
    for start in range(0, len(padded) - PACKET_SAMPLES + 1, PACKET_SAMPLES):
        block = np.ascontiguousarray(padded[start : start + PACKET_SAMPLES]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        packets += [bytes(packet) for packet in coder.encode(frame)]
    return packets


def decoded(data: bytes) -> Float[np.ndarray, "sample channel"]:
    """The sound of a clip, each chunk decoded alone by FFmpeg."""
    reader = Reader(BytesSource(data))
    parts = []
    for entry in reader.directory:
        if entry.kind != b"soun":
            continue
        sound = unpack_sound(reader.read_chunk(entry))
        assert sound is not None
        decoder = av.CodecContext.create("opus", "r")
        decoder.sample_rate, decoder.layout = SAMPLE_RATE, {1: "mono", 2: "stereo"}[sound.channels]
        planes = [f.to_ndarray() for packet in sound.packets for f in decoder.decode(av.Packet(packet))]
        samples = np.concatenate(planes, axis=1)[:, sound.trim : sound.trim + sound.samples]
        parts.append(samples.T)
    return np.concatenate(parts)
