"""Parsing of sizes, durations, rates and lengths."""

from fractions import Fraction

import pytest

from dynerf.api.quantities import (
    parse_duration,
    parse_frames_or_seconds,
    parse_rate,
    parse_shares,
    parse_size,
)
from dynerf.cli.parser import parse_arguments
from dynerf_encoder.jobs.segments import SegmentLength


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("300kB", 300_000), ("300KB", 300_000), ("300kb", 300_000), ("300 kb", 300_000), ("300K", 300_000),
        ("0.3MB", 300_000), (".3MB", 300_000), ("300KiB", 307_200), ("300 kib", 307_200), ("2MB", 2_000_000),
        ("2 MB", 2_000_000), (" 2mb ", 2_000_000), ("2MiB", 2_097_152), ("1.5GB", 1_500_000_000),
        ("117523", 117_523), ("117523 bytes", 117_523), ("117523B", 117_523),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "2TB", "0", "-2MB", "1e3", "2MBs", "9GB", "300 k b", "2,5MB"])
def test_invalid_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="a size such as 500kB or 2MB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("10%,30%,100%", (0.1, 0.3, 1)),
        ("12.5 %, 100 %", (0.125, 1)),
        ("10,30,100", (0.1, 0.3, 1)),
        ("100%", (1,)),
    ],
)
def test_shares(text: str, shares: tuple[float, ...]) -> None:
    assert parse_shares(text) == pytest.approx(shares)
    assert parse_arguments(["encode", "--layers-budget", text, "a", "-o", "a.dnv"]).layers_budget == shares


@pytest.mark.parametrize(
    "text", ["", "10%", "0%,100%", "30%,10%,100%", "10%,10%,100%", "10%,110%", "ten,100"]
)
def test_invalid_shares(text: str) -> None:
    with pytest.raises(ValueError, match="increasing percentages of which the last is 100%"):
        parse_shares(text)


@pytest.mark.parametrize("size", [["300kB"], ["300 kb"], ["300", "KB"], ["300", "kb"], ["0.3MB"]])
def test_a_size_may_be_two_words_of_a_command_line(size: list[str]) -> None:
    options = parse_arguments(["encode", "--target-size", *size, "capture", "-o", "a.dnv"])
    assert (options.target_size, str(options.capture)) == (300_000, "capture")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10), ("300s", 300), ("10m", 600), ("1h30m", 5400), ("90", 90), ("2h", 7200), ("1.5h", 5400),
        ("1m 30s", 90), ("1 h 5 s", 3605), ("10 min", 600), ("10 S", 10), ("0.5", Fraction(1, 2)), ("0", 0),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: Fraction) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "3x", "-1s", "1:30", "30s1m", "1h30", "1e9", "nan", "1m1m"])
def test_invalid_durations(text: str) -> None:
    with pytest.raises(ValueError, match="a duration such as 90, 90s, 3m, 2h or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "fps", "frames"),
    [
        ("10s", Fraction(30), 300), ("10 s", Fraction(30), 300), ("120f", Fraction(30), 120),
        ("120 frames", Fraction(30), 120), ("0.5s", Fraction(30000, 1001), 15), ("10m", Fraction(30), 18000),
        ("10s", Fraction(30000, 1001), 300), ("0.001s", Fraction(30), 1), ("1m30s", Fraction(25), 2250),
    ],
)  # fmt: skip
def test_lengths_in_seconds_and_frames(text: str, fps: Fraction, frames: int) -> None:
    assert SegmentLength(*parse_frames_or_seconds(text)).frames(fps) == frames


@pytest.mark.parametrize("text", ["", "10", "0f", "0s", "-1f", "1.5f", "s", "1e3s", "9" * 50 + "f"])
def test_invalid_lengths(text: str) -> None:
    with pytest.raises(ValueError, match="frames above 0, such as 10s, 2m or 120f"):
        parse_frames_or_seconds(text)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("30", Fraction(30)),
        ("30 fps", Fraction(30)),
        ("30FPS", Fraction(30)),
        ("29.97", Fraction(2997, 100)),
        ("30000/1001", Fraction(30000, 1001)),
        ("30000 / 1001", Fraction(30000, 1001)),
    ],
)
def test_rates(text: str, rate: Fraction) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0", "-3", "fast", "1/0", "1e99999999", "inf"])
def test_invalid_rates(text: str) -> None:
    with pytest.raises(ValueError, match="frames per second, such as 30 or 30000/1001"):
        parse_rate(text)
