"""The frame rate of presentation times, and that every resulting rate can be written to a video."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynerf_decoder.video.frame_writer import open_output
from dynerf_encoder.captures.frame_rate import HIGHEST, LOWEST, simple_rate

_NTSC = Fraction(30000, 1001)


def _ticks(rate: Fraction, unit: Fraction, frames: int) -> np.ndarray:
    return np.array([round(index / rate / unit) for index in range(frames)], np.int64)


@pytest.mark.parametrize(
    "rate", [_NTSC, Fraction(24000, 1001), Fraction(30), Fraction(25, 2), Fraction(1, 3)]
)
@pytest.mark.parametrize("unit", [Fraction(1, 90000), Fraction(1, 600 * 1001)])
@pytest.mark.parametrize("frames", [2, 6, 300])
def test_a_constant_rate_is_found_exactly(rate: Fraction, unit: Fraction, frames: int) -> None:
    assert simple_rate(_ticks(rate, unit, frames), unit, [rate]) == rate


@pytest.mark.parametrize(("rate", "frames"), [(_NTSC, 300), (Fraction(30), 300), (Fraction(60), 100)])
def test_times_in_milliseconds_give_the_nominal_rate(rate: Fraction, frames: int) -> None:
    assert simple_rate(_ticks(rate, Fraction(1, 1000), frames), Fraction(1, 1000), []) == rate


@pytest.mark.parametrize("scale", [1, 32])  # muxers multiply coarse units
@pytest.mark.parametrize(("rate", "stated"), [(240, []), (240, [240, 242]), (242, [600, 242])])
def test_coarse_times_give_the_stated_rate_else_a_usual_one(rate: int, stated: list[int], scale: int) -> None:
    ticks = scale * _ticks(Fraction(240), Fraction(1, 600), 30)
    assert simple_rate(ticks, Fraction(1, 600 * scale), map(Fraction, stated)) == rate


def test_varying_intervals_give_the_nominal_rate_that_is_stated_not_the_average() -> None:
    ticks = np.cumsum([0, 3058, 2956, 2983, 3025, 3008])
    assert simple_rate(ticks, Fraction(1, 90000), [Fraction(54000, 1803), _NTSC]) == _NTSC


def test_an_average_that_disagrees_with_the_times_is_not_used() -> None:
    ticks = 512 * np.arange(6)
    assert simple_rate(ticks, Fraction(1, 15360), [Fraction(92160, 2561)]) == 30


def test_varying_intervals_give_the_simplest_rate_within_a_quarter_of_a_frame() -> None:
    ticks = np.cumsum([0, 3058, 2956, 2983, 3025, 3008])
    assert simple_rate(ticks, Fraction(1, 90000), []) == 30


def test_a_single_frame_has_the_stated_rate() -> None:
    assert simple_rate(np.array([7]), Fraction(1, 30), [Fraction(25)]) == 25
    with pytest.raises(ValueError, match="states no frame rate"):
        simple_rate(np.array([7]), Fraction(1, 30), [])


@pytest.mark.parametrize("rate", [Fraction(2000), Fraction(1, 7200)])
def test_a_rate_that_cannot_be_stored_is_refused(rate: Fraction) -> None:
    with pytest.raises(ValueError, match="frames per second, expected 1/3600 to 1000"):
        simple_rate(_ticks(rate, Fraction(1, 16000), 3), Fraction(1, 16000), [])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.integers(1, 100_000), min_size=1, max_size=12),
    unit=st.sampled_from([1, 24, 600, 1000, 15360, 30000, 90000, 10**6, 10**7]).map(lambda n: Fraction(1, n)),
    even=st.booleans(),
)
def test_every_accepted_rate_can_be_written_to_a_video(
    tmp_path: Path, steps: list[int], unit: Fraction, even: bool
) -> None:
    distances = [steps[0]] * len(steps) if even else steps
    ticks = np.cumsum([0, *distances])
    try:
        rate = simple_rate(ticks, unit, [])
    except ValueError:
        measured = len(distances) / (int(ticks[-1]) * unit)
        assert not LOWEST * Fraction(3, 2) < measured < HIGHEST / 2
        return
    ideal = len(distances) / (int(ticks[-1]) * unit)
    assert abs(rate / ideal - 1) * len(distances) < 0.5  # of a frame over the clip
    picture = np.zeros((16, 16, 3), np.uint8)
    with open_output(tmp_path / "a.mp4", 16, 16, rate, 2) as out:
        out.write(picture)
        out.write(picture)
