"""Opus packets and their trim <-> the payload of a ``soun`` chunk.

A freshly reset decoder is given all packets of a chunk; the first ``trim`` samples it returns are dropped
and the next ``samples`` are the sound of the chunk's frames. So each chunk decodes alone: ``trim`` covers
the packets that a decoder needs to converge, copies of the end of the previous chunk's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dynerf_format.errors import FormatError, LimitError, TruncatedError

from .opus_packet import PACKET_BYTES_MAX, packet_samples

OPUS = 1
PACKET_SAMPLES = 960
"""Per channel: all packets last 20 ms."""
PREROLL = 10 * PACKET_SAMPLES
"""Samples decoded before the first that is kept, where the stream has them.

Each packet roughly halves what a decoder's initial state changes. After 80 ms (RFC 7845, section 4.6) a loud
sweep is off by 24 dB below full scale, after 200 ms by less than the coder's noise.
"""
PACKETS_MAX = 4096

_HEAD = struct.Struct("<BBHII")
"""coding, channels, number of packets, samples to drop, samples to keep."""
_SIZE = struct.Struct("<H")
SOUND_BYTES_MAX = _HEAD.size + PACKETS_MAX * (_SIZE.size + PACKET_BYTES_MAX)


@dataclass(frozen=True)
class SoundPackets:
    """Consecutive packets of an Opus stream; of what they decode to, ``samples`` after ``trim`` are kept.

    ``trim`` and ``samples`` count samples per channel at 48 kHz.
    """

    channels: int
    trim: int
    samples: int
    packets: tuple[bytes, ...]

    def window(self, start: int, samples: int) -> SoundPackets | None:
        """Keep ``samples`` from sample ``start`` on, as far as packets reach; None when they keep nothing.

        ``start`` counts from the first kept sample and may be negative. Packets stay that are needed: those
        for convergence, and one sample beyond the end, so that a later cut can be rounded either way.
        """
        first = max(self.trim + start, 0)
        end = min(self.trim + start + samples, len(self.packets) * PACKET_SAMPLES)
        if end <= first:
            return None
        dropped = max(first - PREROLL, 0) // PACKET_SAMPLES
        packets = self.packets[dropped : end // PACKET_SAMPLES + 1]
        return SoundPackets(self.channels, first - dropped * PACKET_SAMPLES, end - first, packets)


def pack_sound(sound: SoundPackets) -> bytes:
    """Return the payload; FormatError when a reader would refuse it."""
    sizes = [len(packet) for packet in sound.packets]
    if not 1 <= len(sizes) <= PACKETS_MAX or max(sizes) > PACKET_BYTES_MAX:
        raise FormatError(f"sound: {len(sizes)} packets of up to {max(sizes, default=0)} bytes")
    head = _HEAD.pack(OPUS, sound.channels, len(sizes), sound.trim, sound.samples)
    payload = head + b"".join(map(_SIZE.pack, sizes)) + b"".join(sound.packets)
    unpack_sound(payload)
    return payload


def unpack_sound(payload: bytes) -> SoundPackets | None:
    """Return the packets of a payload; None when they are in a coding that this reader does not have.

    FormatError when they do not fill the payload exactly, do not last 20 ms each, or decode to fewer samples
    than are dropped and kept.
    """
    if payload[:1] not in (b"", bytes([OPUS])):
        return None
    if len(payload) < _HEAD.size:
        raise TruncatedError(f"sound: {len(payload)} bytes, expected at least {_HEAD.size}")
    _, channels, count, trim, samples = _HEAD.unpack_from(payload)
    if channels not in (1, 2):
        raise FormatError(f"sound: {channels} channels, expected 1 or 2")
    if count > PACKETS_MAX:
        raise LimitError(f"sound: {count} packets, {PACKETS_MAX} allowed")
    if count == 0 or samples == 0 or trim + samples > count * PACKET_SAMPLES:
        raise FormatError(
            f"sound: {count} packets for {trim} samples to drop and {samples} to keep, "
            f"expected at least one sample to keep and packets of {PACKET_SAMPLES} samples for all"
        )
    return SoundPackets(channels, trim, samples, _packets(payload, count))


def _packets(payload: bytes, count: int) -> tuple[bytes, ...]:
    position = _HEAD.size + count * _SIZE.size
    if len(payload) < position:
        raise TruncatedError(f"sound: {len(payload)} bytes, the sizes of {count} packets need {position}")
    sizes = [size for (size,) in _SIZE.iter_unpack(payload[_HEAD.size : position])]
    if not 1 <= min(sizes) <= max(sizes) <= PACKET_BYTES_MAX:
        raise FormatError(
            f"sound: packets of {min(sizes)} to {max(sizes)} bytes, expected 1 to {PACKET_BYTES_MAX}"
        )
    if len(payload) < position + sum(sizes):
        raise TruncatedError(f"sound: {len(payload)} bytes, {count} packets need {position + sum(sizes)}")
    if len(payload) > position + sum(sizes):
        raise FormatError(f"sound: {len(payload) - position - sum(sizes)} bytes left over after the packets")
    packets = []
    for size in sizes:
        packets.append(payload[position : position + size])
        position += size
        if packet_samples(packets[-1]) != PACKET_SAMPLES:
            raise FormatError(
                f"sound: packet {len(packets) - 1} lasts {packet_samples(packets[-1])} samples, "
                f"expected {PACKET_SAMPLES}"
            )
    return tuple(packets)
