"""Tracks as cameras and recorders write them, read onto a clip's time axis."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dynerf_encoder.captures.video import probe
from dynerf_encoder.sound.audio_track import TrackReport, read_track
from dynerf_format.errors import CaptureError
from support.sound import Signal, Track, add_audio, add_track, clicks, coded_track, onsets, sweep, write_wave
from support.video import flat_pictures, write_video

SECONDS = 2
CLICKS = (0.3, 1.1, 1.7)


def film(folder: Path, track: Track | None, suffix: str = ".mov") -> Path:
    """A video of two seconds with a track."""
    container = {".mov": "mov", ".mkv": "matroska", ".mp4": "mp4", ".ts": "mpegts"}[suffix]
    pictures = flat_pictures(30 * SECONDS, 16, 16)
    path = write_video(folder / f"film{suffix}", pictures, container=container)
    if track is not None:
        add_track(path, track)
    return path


def read(path: Path, seconds: float = SECONDS, start: Fraction = Fraction(0)) -> tuple[Signal, TrackReport]:
    report = TrackReport()
    samples = round(seconds * 48_000)
    sound = np.concatenate(list(read_track(path, start, samples, report)))
    assert sound.dtype == np.float32
    assert len(sound) == samples
    return sound, report


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "channels"),
    [
        (".mov", "pcm_s16le", 48_000, 1),
        (".mov", "pcm_s16le", 8_000, 1),
        (".mov", "pcm_s24le", 96_000, 2),
        (".mp4", "aac", 44_100, 2),
        (".mkv", "libopus", 48_000, 2),
        (".mkv", "flac", 96_000, 2),
        (".mkv", "ac3", 32_000, 2),
        (".ts", "mp2", 48_000, 2),
    ],
)
def test_clicks_are_where_they_were_recorded(
    tmp_path: Path, suffix: str, codec: str, rate: int, channels: int
) -> None:
    track = Track(clicks(SECONDS, CLICKS, channels, rate), rate, codec)
    path = film(tmp_path, track, suffix)
    sound, report = read(path, start=probe(path).timeline.start)
    assert sound.shape[1] == report.channels == channels
    assert onsets(sound, 0.15) == pytest.approx(CLICKS, abs=0.003)
    assert report.damaged == 0
    assert report.gaps == 0


def test_surround_sound_is_mixed_to_stereo(tmp_path: Path) -> None:
    signal = np.zeros((96_000, 6), np.float32)
    signal[:, 2] = clicks(SECONDS, CLICKS)[:, 0]  # the centre
    signal[:, 4] = clicks(SECONDS, (0.6,))[:, 0]  # the left surround
    sound, report = read(film(tmp_path, Track(signal, codec="ac3"), ".mkv"))
    assert report.channels == 2
    assert onsets(sound[:, :1], 0.15) == pytest.approx((0.3, 0.6, 1.1, 1.7), abs=0.003)
    assert onsets(sound[:, 1:], 0.15) == pytest.approx(CLICKS, abs=0.003)


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "aac"), (".mkv", "pcm_s16le")])
def test_a_track_that_starts_late_is_silent_before(tmp_path: Path, suffix: str, codec: str) -> None:
    track = Track(clicks(1.2, (0.2, 1.0)), codec=codec, late=0.5)
    sound, report = read(film(tmp_path, track, suffix))
    assert onsets(sound) == pytest.approx((0.7, 1.5), abs=0.003)
    assert report.lead / 48_000 == pytest.approx(0.5, abs=0.025)
    assert report.tail / 48_000 == pytest.approx(0.3, abs=0.025)


def test_a_track_that_is_longer_is_cut_and_one_that_starts_earlier_too(tmp_path: Path) -> None:
    path = film(tmp_path, Track(clicks(5, (0.3, 1.1, 4.0), 2)))
    sound, report = read(path, 0.5, Fraction(1))
    assert onsets(sound) == pytest.approx((0.1,), abs=0.001)
    assert (report.lead, report.tail, report.gaps) == (0, 0, 0)


def test_a_moment_after_the_end_is_silent(tmp_path: Path) -> None:
    sound, report = read(film(tmp_path, Track(clicks(1, (0.3,)))), 1, Fraction(10))
    assert not sound.any()
    assert (report.decoded, report.tail) == (0, 48_000)


def test_a_gap_is_silent_and_what_follows_is_in_its_place(tmp_path: Path) -> None:
    track = Track(sweep(SECONDS) * 0.2 + clicks(SECONDS, CLICKS), cut=(0.5, 1.0))
    sound, report = read(film(tmp_path, track, ".mkv"))
    assert not sound[int(0.53 * 48_000) : int(0.97 * 48_000)].any()
    assert onsets(sound, 0.5) == pytest.approx(CLICKS, abs=0.002)
    assert report.gaps / 48_000 == pytest.approx(0.5, abs=0.03)
    assert report.damaged == 0


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "aac"), (".mkv", "libopus"), (".mkv", "flac")])
def test_damaged_packets_are_silent(tmp_path: Path, suffix: str, codec: str) -> None:
    track = Track(clicks(SECONDS, CLICKS, 2), codec=codec, damaged=(0.6, 0.9))
    sound, report = read(film(tmp_path, track, suffix))
    assert onsets(sound, 0.15)[-2:] == pytest.approx(CLICKS[1:], abs=0.003)
    assert onsets(sound, 0.15)[0] == pytest.approx(0.3, abs=0.003)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 1
    assert report.damaged >= 3 or report.gaps > 10_000


def test_a_track_whose_clock_runs_fast_stays_with_the_pictures(tmp_path: Path) -> None:
    seconds = 30
    path = write_video(tmp_path / "film.mkv", flat_pictures(30, 16, 16), container="matroska")
    # The recorder's 48 kHz are 47,900 Hz by the file's times: 60 ms in 30 s.
    add_track(path, Track(clicks(seconds, (1.0, 15.0, 29.0)), tempo=Fraction(48_000, 47_900)))
    sound, _ = read(path, seconds)
    times = [second * 48_000 / 47_900 for second in (1.0, 15.0, 29.0)]
    assert onsets(sound) == pytest.approx(times, abs=0.016)


def test_a_rate_and_channels_that_change_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "film.ts"
    first = Track(clicks(1, (0.4,), 2, 44_100), 44_100, "mp2")
    second = Track(clicks(1, (0.4,), 1, 32_000), 32_000, "mp2", late=1.0)
    with av.open(str(path), "w") as container, av.open(str(tmp_path / "other.ts"), "w") as scratch:
        stream = add_audio(container, first)
        packets = [*coded_track(stream, first), *coded_track(add_audio(scratch, second), second)]
        for packet in packets:
            packet.stream = stream
            container.mux(packet)
        scratch.start_encoding()
    sound, report = read(path, start=Fraction(0))
    assert sound.shape[1] == report.channels == 2
    assert onsets(sound, 0.15) == pytest.approx((0.4, 1.4), abs=0.03)


def test_a_packet_with_a_wrong_time_costs_no_more_than_itself(tmp_path: Path) -> None:
    track = Track(clicks(SECONDS, CLICKS), codec="mp2")
    path = tmp_path / "film.ts"
    with av.open(str(path), "w") as container:
        packets = coded_track(add_audio(container, track), track)
        packets[20].pts += 48_000 * 3_600
        container.mux(packets)
    sound, report = read(path)
    assert onsets(sound, 0.15) == pytest.approx(CLICKS, abs=0.03)
    assert report.tail < 1_200
    assert report.gaps < 3_000


def test_a_rate_that_would_fill_the_memory_is_left_out(tmp_path: Path) -> None:
    write_wave(tmp_path / "slow.wav", clicks(1, (0.5,)))
    data = bytearray((tmp_path / "slow.wav").read_bytes())
    data[24:32] = (1).to_bytes(4, "little") + (2).to_bytes(4, "little")
    (tmp_path / "slow.wav").write_bytes(data)
    sound, report = read(tmp_path / "slow.wav", 1)
    assert not sound.any()
    assert report.decoded == 0


def test_values_that_are_no_sound_are_replaced(tmp_path: Path) -> None:
    signal = clicks(1, (0.5,))
    signal[1000:2000], signal[3000:3100], signal[4000:4100] = np.nan, np.inf, -1e30
    sound, report = read(film(tmp_path, Track(signal, codec="pcm_f32le")), 1)
    assert np.isfinite(sound).all()
    assert report.peak == 1


def test_a_file_without_a_track_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path, None)
    with pytest.raises(CaptureError, match="has no audio track"):
        read(path)
    (tmp_path / "text.wav").write_text("not sound")
    with pytest.raises(CaptureError, match=r"text\.wav: cannot be opened as a file with sound"):
        read(tmp_path / "text.wav")


def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = film(tmp_path, Track(clicks(SECONDS, CLICKS, 2)), ".mkv")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    sound, report = read(path)
    assert onsets(sound)[:2] == pytest.approx(CLICKS[:2], abs=0.002)
    assert report.tail > 0
