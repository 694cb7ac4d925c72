"""A clip's sound decoded at any sample: in step, without a gap between chunks, silent where there is none."""

import functools
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.sound.opus_decoder import decode_packets
from dynerf_decoder.sound.shot_sound import plays_normally, sound_of_times
from dynerf_decoder.sound.sound_track import SoundTrack
from dynerf_format import BytesSource, FormatError, Reader, clip_bytes, pack_sound
from dynerf_format.errors import ViewError
from support.planes_clip import planes_parts
from support.sound import Signal, clicks, onsets, opus_stream, sweep, with_sound

FRAMES = 90


def reader_with(signal: Signal | None, frames: tuple[int, ...] = (FRAMES,), **header: Any) -> Reader:
    """A clip of groups of 30 frames with a signal as its sound."""
    found, chunks = planes_parts(segments=frames, group=30)
    found = replace(found, **header)
    return Reader(
        BytesSource(clip_bytes(found, chunks if signal is None else with_sound(found, chunks, signal)))
    )


def level(signal: Signal) -> float:
    """The root of the mean square in dB below full scale."""
    return float(20 * np.log10(np.sqrt(np.mean(signal**2)) + 1e-9))


def test_sound_starts_and_ends_with_its_frames() -> None:
    clip = Clip(reader_with(clicks(3, (0.5, 1.0, 2.9), 2)))
    assert clip.has_sound
    assert clip.sound().shape == (144_000, 2)
    assert onsets(clip.sound()) == pytest.approx((0.5, 1.0, 2.9), abs=0.0005)
    assert onsets(clip.sound(29, 3)) == pytest.approx((1 / 30,), abs=0.0005)
    assert clip.sound(29, 3).shape == (4800, 2)
    assert np.array_equal(clip.sound(7, 50), clip.sound()[7 * 1600 : 57 * 1600])
    with pytest.raises(ViewError, match="sound of frames 88 to 90, the clip has 0 to 89"):
        clip.sound(88, 3)


def test_chunks_decoded_apart_give_the_stream_without_a_step() -> None:
    signal = sweep(3)
    stream = opus_stream(signal)
    whole = decode_packets(stream)
    parts = Clip(reader_with(signal)).sound()
    coder_noise = level(whole - signal)
    for border in (48_000, 96_000):
        around = slice(border - 480, border + 1920)
        assert level(parts[around] - whole[around]) < coder_noise
        difference = np.abs(np.diff((parts - whole)[around], axis=0)).max()
        assert difference < np.abs(np.diff(whole - signal, axis=0)).max()


def test_segments_coded_apart_are_heard_without_a_step() -> None:
    signal = sweep(3)
    one = Clip(reader_with(signal)).sound()
    several = Clip(reader_with(signal, (30, 30, 30))).sound()
    assert np.array_equal(one, several)


def test_frames_of_a_fractional_rate_keep_their_sound() -> None:
    clip = Clip(reader_with(clicks(3.003, (1.001, 2.5)), fps_numerator=30_000, fps_denominator=1001))
    assert clip.sound().shape == (144_144, 1)
    assert onsets(clip.sound()) == pytest.approx((1.001, 2.5), abs=0.0005)


def test_frames_that_last_for_years_are_refused() -> None:
    clip = Clip(reader_with(clicks(3, (0.5,)), fps_denominator=2**32 - 1))
    with pytest.raises(ViewError, match="samples of sound, expected at most 1036800000"):
        clip.sound()


def test_a_clip_without_sound_and_groups_without_are_silent() -> None:
    silent = Clip(reader_with(None))
    assert not silent.has_sound
    assert not silent.sound().any()
    header, chunks = planes_parts(segments=(FRAMES,), group=30)
    chunks = with_sound(header, chunks, sweep(3))
    sounding = [n for n, chunk in enumerate(chunks) if chunk.kind == b"soun"]
    del chunks[sounding[1]]
    found = Clip(Reader(BytesSource(clip_bytes(header, chunks)))).sound()
    assert not found[48_000:96_000].any()
    assert level(found[:48_000]) > -20
    assert level(found[96_000:]) > -20


def test_mono_and_stereo_in_one_clip_give_stereo() -> None:
    header, chunks = planes_parts(segments=(60,), group=30)
    first = with_sound(header, chunks, clicks(2, (0.5, 1.5)))
    second = with_sound(header, chunks, clicks(2, (0.5, 1.5), 2))
    mixed = [*first[:3], *second[3:]]
    found = Clip(Reader(BytesSource(clip_bytes(header, mixed)))).sound()
    assert found.shape == (96_000, 2)
    assert onsets(found[:, :1]) == onsets(found[:, 1:]) == pytest.approx((0.5, 1.5), abs=0.0005)


def test_samples_beyond_the_frames_are_dropped_and_missing_ones_silent() -> None:
    header, chunks = planes_parts(segments=(60,), group=30)
    chunks = with_sound(header, chunks, sweep(2))
    sounds = [n for n, chunk in enumerate(chunks) if chunk.kind == b"soun"]
    stream = opus_stream(sweep(2))
    for number, part in zip(sounds, (stream.window(0, 60_000), stream.window(48_000, 40_000)), strict=True):
        assert part is not None
        chunks[number] = replace(chunks[number], payload=pack_sound(part))
    found = Clip(Reader(BytesSource(clip_bytes(header, chunks)))).sound()
    assert found.shape == (96_000, 1)
    expected = decode_packets(stream)
    assert np.abs(found[:48_000] - expected[:48_000]).max() < 0.01
    assert not found[88_000:].any()
    assert level(found[80_000:88_000]) > -20


def test_a_packet_that_cannot_be_decoded_is_silent() -> None:
    stream = opus_stream(sweep(1))
    broken = (*stream.packets[:20], b"\xff\x3f" + b"\xff" * 30, *stream.packets[21:])
    found = decode_packets(replace(stream, packets=broken))
    assert found.shape == (48_000, 1)
    assert np.isfinite(found).all()
    place = 20 * 960 - stream.trim
    assert not found[place : place + 960].any()
    assert level(found[place + 9600 :]) > -20


def test_a_damaged_chunk_is_reported_and_silent_in_a_sequence_of_shots() -> None:
    header, chunks = planes_parts(segments=(60,), group=30)
    data = bytearray(clip_bytes(header, with_sound(header, chunks, sweep(2))))
    intact = Reader(BytesSource(bytes(data)))
    data[next(entry for entry in intact.directory if entry.kind == b"soun").end - 1] ^= 1
    reader = Reader(BytesSource(bytes(data)))
    with pytest.raises(FormatError, match=r"soun chunk at byte [0-9]+ is damaged"):
        Clip(reader).sound()
    assert np.array_equal(Clip(reader).sound(30), Clip(intact).sound(30))
    track = sound_of_times(reader, [frame / 30 for frame in range(60)], Fraction(30))
    assert track is not None
    assert len(track.damage) == 1
    assert not track.array()[:48_000].any()
    assert np.array_equal(track.array()[48_000:], Clip(intact).sound(30))


class TestTimes:
    @functools.cached_property  # not while this module is imported, which must not compile the coder
    def reader(self) -> Reader:
        return reader_with(clicks(3, (0.5, 1.0, 2.9)))

    def ramp(self, start: float, step: float, count: int) -> list[float]:
        return [min(start + step * k, 89 / 30) for k in range(count)]

    @pytest.mark.parametrize("fps", [30, 24, 60, Fraction(30000, 1001)])
    def test_sound_is_as_long_as_the_pictures(self, fps: Fraction) -> None:
        times = self.ramp(0.25, 1 / float(fps), 40)
        track = sound_of_times(self.reader, times, Fraction(fps))
        assert track is not None
        assert track.samples == int(40 * 48_000 / Fraction(fps))
        assert onsets(track.array())[0] == pytest.approx(0.25, abs=0.0005)

    @pytest.mark.parametrize(
        "times",
        [[0.5] * 40, [k / 60 for k in range(60)], [k / 15 for k in range(40)], [0.0, 1 / 30, 1.0, 1.1]],
        ids=["freeze", "slow", "fast", "path"],
    )
    def test_time_at_another_speed_is_without_sound(self, times: list[float]) -> None:
        assert not plays_normally(times, Fraction(30), self.reader)
        assert sound_of_times(self.reader, times, Fraction(30)) is None

    def test_a_part_reads_only_its_chunks(self) -> None:
        track = SoundTrack.of(self.reader, 50_000, 10_000)
        assert len(track.parts) <= 2
        assert np.array_equal(track.array(), Clip(self.reader).sound()[50_000:60_000])
