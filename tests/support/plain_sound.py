"""The payload of a ``soun`` chunk read from ``format/SPEC.md``, field by field, without a check."""

from __future__ import annotations

from .plain_decoder import FieldReader


def sound_fields(payload: bytes) -> tuple[int, int, int, list[bytes]] | None:
    """Channels, samples to drop and to keep, and the packets; None in another coding than Opus."""
    data = FieldReader(payload)
    if data.u8() != 1:
        return None
    channels = data.u8()
    (count,) = data.take("<H")
    trim, samples = data.take("<II")
    sizes = [data.take("<H")[0] for _ in range(count)]
    packets = [data.take(f"<{size}s")[0] for size in sizes]
    assert data.position == len(payload)
    return channels, trim, samples, packets
