"""The content time of each output picture: counts and times are exact."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynerf_decoder.cameras.paths import CameraPath, Timing, View, plan_timing
from dynerf_format.errors import ViewError

_NTSC = Fraction(30000, 1001)


def _plan(
    frames: int = 30,
    fps: Fraction = Fraction(30),
    *,
    frame_range: tuple[int, int] | None = None,
    seconds: tuple[float, float] | None = None,
    speed: float = 1.0,
    freeze: float | None = None,
    out_fps: Fraction | None = None,
    view: View | None = None,
) -> Timing:
    return plan_timing(
        frames,
        fps,
        frame_range=frame_range,
        seconds=seconds,
        speed=speed,
        freeze=freeze,
        out_fps=out_fps,
        view=view,
    )


def _path(pictures: int, fps: int | None, render_times: list[float] | None = None) -> CameraPath:
    return CameraPath(
        source=Path("path.json"),
        poses=np.tile(np.eye(4)[:3], (pictures, 1, 1)),
        fov=np.full(pictures, 50.0),
        size=None,
        aspect=None,
        fps=None if fps is None else Fraction(fps),
        render_times=None if render_times is None else np.array(render_times),
    )


@pytest.mark.parametrize("fps", [Fraction(30), _NTSC, Fraction(25), Fraction(1, 3)])
def test_by_default_each_frame_is_shown_once(fps: Fraction) -> None:
    timing = _plan(30, fps)
    assert timing.fps == fps
    assert timing.times == tuple(float(frame / fps) for frame in range(30))


@pytest.mark.parametrize("speed", [0.25, 0.1, 0.3, 1 / 3, 1.0, 1.5, 2.0, 29.9, 1000.0])
@pytest.mark.parametrize("out_fps", [None, Fraction(60), Fraction(24), _NTSC])
@pytest.mark.parametrize("part", [None, (0, 30), (3, 10), (29, 30)])
def test_playing_agrees_with_stepping_through_the_part(
    speed: float, out_fps: Fraction | None, part: tuple[int, int] | None
) -> None:
    timing = _plan(frame_range=part, speed=speed, out_fps=out_fps)
    first, after = part or (0, 30)
    now, expected = Fraction(first, 30), []
    while now < Fraction(after, 30):
        expected.append(float(min(now, Fraction(29, 30))))
        now += Fraction(str(speed)) / (out_fps or 30)
    assert timing.times == tuple(expected)
    assert timing.fps == (out_fps or 30)


def test_a_quarter_of_the_speed_shows_four_times_as_many_pictures() -> None:
    times = _plan(speed=0.25).times
    assert len(times) == 120
    assert times[:5] == (0, 1 / 120, 2 / 120, 3 / 120, 1 / 30)
    assert times[-5:] == (115 / 120, 29 / 30, 29 / 30, 29 / 30, 29 / 30)


def test_seconds_choose_what_the_same_frames_choose() -> None:
    assert _plan(seconds=(0.1, 0.7)) == _plan(frame_range=(3, 21))
    assert _plan(seconds=(0.0, 1.0)) == _plan()
    assert _plan(30, _NTSC, seconds=(0.0, 1.001)) == _plan(30, _NTSC)
    assert _plan(seconds=(0.05, 0.15)).times == (3 / 60, 5 / 60, 7 / 60)


def test_a_frozen_clip_lasts_four_seconds_or_the_selected_part() -> None:
    assert _plan(freeze=0.5).times == (0.5,) * 120
    assert _plan(freeze=0.0, out_fps=Fraction(24)).times == (0.0,) * 96
    assert _plan(freeze=29 / 30, frame_range=(0, 10)).times == (29 / 30,) * 10
    assert _plan(freeze=0.9, seconds=(0.0, 0.05)).times == (0.9,) * 2
    assert _plan(freeze=0.9, frame_range=(3, 4), out_fps=Fraction(30)).times == (0.9,)


def test_ends_may_be_rounded_up_as_printed() -> None:
    assert _plan(freeze=0.9666667, frame_range=(0, 1)).times == (29 / 30,)
    assert _plan(seconds=(0.0, 1.0000001)) == _plan()
    assert _plan(seconds=(0.9666667, 1.0)).times == (29 / 30,)


def test_a_clip_of_one_frame_can_be_shown() -> None:
    assert _plan(1).times == (0.0,)
    assert _plan(1, speed=0.5).times == (0.0, 0.0)
    assert _plan(1, freeze=0.0, out_fps=Fraction(1)).times == (0.0,) * 4


def test_a_camera_path_sets_pictures_and_rate_and_the_content_plays_along() -> None:
    assert _plan(view=_path(30, 30)) == _plan()
    timing = _plan(view=_path(48, 24))
    assert timing.fps == 24
    assert timing.times == tuple(min(k / 48, 29 / 30) for k in range(48))
    assert _plan(view=_path(60, None)).fps == 30
    assert len(_plan(view=_path(60, None)).times) == 60
    part = _plan(view=_path(10, 24), frame_range=(10, 20))
    assert part.times == pytest.approx([1 / 3 + k / 30 for k in range(10)])


def test_another_output_rate_keeps_a_camera_paths_duration() -> None:
    timing = _plan(view=_path(48, 24), out_fps=Fraction(60))
    assert len(timing.times) == 120
    assert timing.fps == 60
    assert timing.times[0] == 0
    assert timing.times[60] == 0.5


def test_an_explicit_speed_overrides_a_camera_paths_duration() -> None:
    assert _plan(view=_path(10, 30), speed=0.5) == _plan(speed=0.5)


def test_a_camera_path_may_have_its_own_times() -> None:
    path = _path(5, 30, [0.0, 0.5, 0.5, 1.0, 0.25])
    assert _plan(view=path).times == pytest.approx([0, 14.5 / 30, 14.5 / 30, 29 / 30, 7.25 / 30])
    twice = _plan(view=path, out_fps=Fraction(60))
    assert len(twice.times) == 10
    assert twice.times[-1] == pytest.approx(7.25 / 30)
    assert max(twice.times) <= 29 / 30
    assert _plan(view=path, freeze=0.3).times == (0.3,) * 5
    assert _plan(view=path, frame_range=(0, 10)).times == pytest.approx([k / 15 for k in range(5)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": 0.0}, "speed 0: expected more than 0"),
        ({"speed": -1.0}, "speed -1: expected more than 0"),
        ({"speed": math.nan}, "speed nan: expected a finite number"),
        ({"speed": math.inf}, "speed inf: expected a finite number"),
        ({"speed": 1e-9}, "at most 1000000"),
        ({"speed": 5e-324}, "at most 1000000"),
        ({"frame_range": (0, 31)}, "frames 0:31: expected a part of 0:30"),
        ({"frame_range": (-1, 3)}, "frames -1:3"),
        ({"frame_range": (5, 5)}, "frames 5:5"),
        ({"frame_range": (7, 5)}, "frames 7:5"),
        ({"seconds": (0.0, 1.1)}, "seconds 0:1.1: expected a part of 0:1, not empty"),
        ({"seconds": (0.5, 0.5)}, "seconds 0.5:0.5"),
        ({"seconds": (-0.1, 0.5)}, "seconds -0.1:0.5"),
        ({"seconds": (0.98, 1.0)}, "seconds 0.98:1: .* starts at 0.966666666667, the last frame, or before"),
        ({"seconds": (0.0, math.nan)}, "stop second nan: expected a finite number"),
        ({"seconds": (0.0, 1.0), "frame_range": (0, 1)}, "only one of them"),
        ({"freeze": -0.1}, "freeze at -0.1 s: expected 0 to 0.966666666667 s"),
        ({"freeze": 0.97}, "freeze at 0.97 s"),
        ({"freeze": math.nan}, "freeze nan: expected a finite number"),
        ({"freeze": 0.5, "speed": 0.5}, "freeze at 0.5 s with speed 0.5: expected only one of them"),
        ({"out_fps": Fraction(0)}, "expected all more than 0"),
        ({"out_fps": Fraction(-30)}, "expected all more than 0"),
        ({"out_fps": Fraction(10**9)}, "at most 1000000"),
        ({"out_fps": Fraction(10**9), "freeze": 0.5}, "at most 1000000"),
        ({"out_fps": Fraction(10**9), "view": _path(2, 30, [0.0, 1.0])}, "at most 1000000"),
        ({"fps": Fraction(0)}, "expected all more than 0"),
        ({"frames": 0}, "expected all more than 0"),
    ],
)
def test_invalid_times_are_refused_in_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ViewError, match=message) as caught:
        _plan(**options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
