"""Decodes the packets of one chunk of sound."""

from collections.abc import Iterator

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from jaxtyping import Float32

from dynerf_format import PACKET_SAMPLES, SAMPLE_RATE, SoundPackets

_HEAD = b"OpusHead\x01%c\0\0\x80\xbb\0\0\0\0\0"  # no samples to skip: the chunk says how many


def decode_packets(sound: SoundPackets) -> Float32[np.ndarray, "sample channel"]:
    """Decode all packets with a new decoder and return the samples that are kept.

    A packet that cannot be decoded is silent.
    """
    decoder = AudioCodecContext.create("libopus", "r")
    decoder.sample_rate = SAMPLE_RATE
    decoder.layout = ("mono", "stereo")[sound.channels - 1]
    decoder.extradata = _HEAD % sound.channels
    samples = np.concatenate([_decoded(decoder, packet, sound.channels) for packet in sound.packets])
    return samples[sound.trim : sound.trim + sound.samples]


def _decoded(
    decoder: AudioCodecContext, packet: bytes, channels: int
) -> Float32[np.ndarray, "sample channel"]:
    """The 20 ms of a packet."""
    found = np.zeros((PACKET_SAMPLES, channels), np.float32)
    try:
        parts = list(_parts(decoder, packet, channels))
    except (av.error.FFmpegError, ValueError):
        return found
    whole = np.concatenate(parts)[:PACKET_SAMPLES] if parts else found
    found[: len(whole)] = whole
    return found


def _parts(
    decoder: AudioCodecContext, packet: bytes, channels: int
) -> Iterator[Float32[np.ndarray, "sample channel"]]:
    for frame in decoder.decode(av.Packet(packet)):
        values = frame.to_ndarray()
        rows = values.T if frame.format.is_planar else values.reshape(-1, channels)
        yield rows / np.float32(32768) if values.dtype == np.int16 else rows.astype(np.float32)
