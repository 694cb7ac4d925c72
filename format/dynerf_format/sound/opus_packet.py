"""The duration of an Opus packet, from its table-of-contents byte (RFC 6716, section 3.1 and 3.2)."""

PACKET_BYTES_MAX = 1275
"""Of a packet of one frame (RFC 6716, section 3.2.1)."""

_CODED_FRAMES = 63  # bits of the second byte of a packet of code 3


def packet_samples(packet: bytes) -> int:
    """Samples per channel at 48 kHz that a packet decodes to; 0 when its beginning is invalid."""
    if not packet:
        return 0
    configuration, code = packet[0] >> 3, packet[0] & 3
    if code == 3 and len(packet) < 2:
        return 0
    frames = packet[1] & _CODED_FRAMES if code == 3 else 1 + (code > 0)
    return frames * _frame_samples(configuration)


def _frame_samples(configuration: int) -> int:
    """SILK: 10, 20, 40 or 60 ms; hybrid: 10 or 20 ms; CELT: 2.5, 5, 10 or 20 ms."""
    if configuration < 12:
        return (480, 960, 1920, 2880)[configuration & 3]
    if configuration < 16:
        return (480, 960)[configuration & 1]
    return 120 << (configuration & 3)
