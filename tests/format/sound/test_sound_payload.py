"""Sound of a group of frames: its payload, and the part of it that other frames need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynerf_format import (
    PACKET_SAMPLES,
    PREROLL,
    FormatError,
    SoundPackets,
    pack_sound,
    sound_position,
    unpack_sound,
)
from dynerf_format.sound.opus_packet import packet_samples
from support.clips import QUICK
from support.plain_sound import sound_fields
from support.sound import opus_packet, sound_payload

STREAM = SoundPackets(1, 312, 40_000, tuple(opus_packet(31, 3 + n % 5, n) for n in range(44)))


def numbers(sound: SoundPackets) -> list[tuple[bytes, int]]:
    """Every kept sample as its packet and its place in it."""
    kept = range(sound.trim, sound.trim + sound.samples)
    return [(sound.packets[n // PACKET_SAMPLES], n % PACKET_SAMPLES) for n in kept]


@pytest.mark.parametrize(
    ("beginning", "samples"),
    [
        (bytes([0 << 3]), 480),
        (bytes([3 << 3]), 2880),
        (bytes([13 << 3 | 1]), 1920),
        (bytes([16 << 3]), 120),
        (bytes([19 << 3]), 960),
        (bytes([31 << 3 | 2]), 1920),
        (bytes([16 << 3 | 3, 0x80 | 8]), 960),
        (bytes([31 << 3 | 3, 0]), 0),
        (bytes([31 << 3 | 3]), 0),
        (b"", 0),
    ],
)
def test_a_packet_states_its_duration(beginning: bytes, samples: int) -> None:
    assert packet_samples(beginning) == samples


def test_a_payload_reads_back() -> None:
    sound = SoundPackets(2, 3, 957, (opus_packet(31, 1275),))
    assert unpack_sound(pack_sound(sound)) == sound
    assert sound_fields(pack_sound(sound)) == (2, 3, 957, list(sound.packets))


@pytest.mark.parametrize(
    "sound",
    [
        SoundPackets(1, 0, 960, ()),
        SoundPackets(1, 0, 960, (opus_packet(31, 1276),)),
        SoundPackets(1, 0, 960, (opus_packet(31, 9),) * 4097),
        SoundPackets(3, 0, 960, (opus_packet(31, 9),)),
        SoundPackets(1, 1, 960, (opus_packet(31, 9),)),
    ],
)
def test_what_a_reader_would_refuse_is_not_written(sound: SoundPackets) -> None:
    with pytest.raises(FormatError, match=r"^sound: "):
        pack_sound(sound)


def test_another_coding_is_left_out_whatever_follows() -> None:
    assert unpack_sound(b"\2") is None
    assert unpack_sound(b"\0" + bytes(100)) is None


def test_frames_begin_at_exact_samples() -> None:
    assert [sound_position(frame, 30000, 1001) for frame in (0, 1, 2, 5)] == [0, 1601, 3203, 8008]
    assert sound_position(2**31, 1000, 1) == 48 * 2**31
    assert sound_position(30000 * 10**6, 30000, 1001) == 1001 * 48000 * 10**6


@QUICK
@given(st.integers(-400, 41_000), st.integers(1, 41_000))
def test_a_window_keeps_the_samples_and_what_decoders_need_for_them(start: int, samples: int) -> None:
    part = STREAM.window(start, samples)
    expected = numbers(SoundPackets(1, 0, 44 * PACKET_SAMPLES, STREAM.packets))
    kept = expected[max(312 + start, 0) : max(312 + start + samples, 0)]
    if not kept:
        assert part is None
        return
    assert part is not None
    assert numbers(part) == kept
    assert part.trim >= min(PREROLL, max(312 + start, 0))
    assert part.trim < PREROLL + PACKET_SAMPLES
    spare = len(part.packets) * PACKET_SAMPLES - part.trim - part.samples
    assert spare > 0 or part.packets[-1] is STREAM.packets[-1]
    assert spare <= PACKET_SAMPLES


def test_a_window_of_a_window_is_the_same() -> None:
    part = STREAM.window(16_000, 8_000)
    assert part is not None
    assert part.window(0, 8_000) == part
    assert part.window(-1, 8_001) == STREAM.window(15_999, 8_001)
    assert pack_sound(part) == sound_payload(1, part.trim, 8_000, part.packets)
