"""Which content each output picture shows: the part of the clip, its speed, and how many pictures.

Content time is in seconds from the clip's first frame: frame i is at i / fps and shown until (i + 1) / fps,
so a clip lasts frames / fps seconds, and no picture shows anything later than its last frame, at
(frames - 1) / fps. Times are exact fractions, rounded once at the end; only a camera path's own are floats.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from dynerf_format.errors import ViewError

from .nerfstudio import CameraPath
from .view import View

_MOST_PICTURES = 1_000_000
_FREEZE_SECONDS = 4
_SLACK = Fraction(1, 1_000_000)  # seconds past the end that are taken as the end: rounded, not wrong


@dataclass(frozen=True)
class Timing:
    """Content seconds of each output picture, and how many pictures are shown per second."""

    times: tuple[float, ...]
    fps: Fraction


def plan_timing(
    frames: int,
    fps: Fraction,
    *,
    frame_range: tuple[int, int] | None,
    seconds: tuple[float, float] | None,
    speed: float,
    freeze: float | None,
    out_fps: Fraction | None,
    view: View | None = None,
) -> Timing:
    """The content time of each output picture of a clip of ``frames`` frames, ``fps`` a second.

    The chosen part of the clip is [start, stop) seconds: ``frame_range`` (a, b) is [a / fps, b / fps), by
    default it is the whole clip. Picture k shows min(start + k step, (frames - 1) / fps):

    - playing: step = speed / out_fps, ceil((stop - start) / step) pictures; speed 0.25 shows four times as
      many as speed 1.
    - along a camera path at speed 1: as many pictures as the path has (resampled when ``out_fps`` is not its
      own rate), step = (stop - start) / pictures, so that path and content end together. The path's render
      times, when it has them and no part was chosen, replace these times.
    - ``freeze``: content stands at that second while the camera moves, for ceil(length out_fps) pictures; the
      length is stop - start where a part was chosen, else the camera path's, else 4 s.

    Output rate: ``out_fps``, else the camera path's, else ``fps``. Floats mean the decimal number they print
    as. Raises ViewError when values make no sense, leave the clip or ask for more than a million pictures.
    """
    path = view if isinstance(view, CameraPath) else None
    path_fps = fps if path is None or path.fps is None else path.fps
    rate = path_fps if out_fps is None else out_fps
    if frames < 1 or fps <= 0 or rate <= 0:
        raise ViewError(f"{frames} frames at {fps} a second, shown at {rate}: expected all more than 0")
    pace = _exact(speed, "speed")
    if pace <= 0:
        raise ViewError(f"speed {speed:g}: expected more than 0 (freeze holds the content still)")
    last = (frames - 1) / fps
    chosen = frame_range is not None or seconds is not None
    start, stop = _part(frames, fps, frame_range, seconds)
    along = None if path is None else max(1, round(len(path.poses) * rate / path_fps))
    if freeze is not None:
        if pace != 1:
            raise ViewError(f"freeze at {freeze:g} s with speed {speed:g}: expected only one of them")
        pictures = math.ceil((stop - start if chosen else _FREEZE_SECONDS) * rate)
        times = _frozen(freeze, pictures if along is None or chosen else along, last)
    elif path is None or along is None or pace != 1:
        times = _ramp(start, pace / rate, math.ceil((stop - start) * rate / pace), last)
    elif path.render_times is None or chosen:
        times = _ramp(start, (stop - start) / along, along, last)
    else:
        times = _stated(path.render_times, along, last)
    return Timing(times, rate)


def _part(
    frames: int, fps: Fraction, frame_range: tuple[int, int] | None, seconds: tuple[float, float] | None
) -> tuple[Fraction, Fraction]:
    """The chosen part of the clip in seconds: start, included, and stop, excluded."""
    if frame_range is not None and seconds is not None:
        raise ViewError("a range of frames and one of seconds are given, expected only one of them")
    if frame_range is not None:
        first, after = frame_range
        if not 0 <= first < after <= frames:
            raise ViewError(f"frames {first}:{after}: expected a part of 0:{frames} that is not empty")
        return first / fps, after / fps
    if seconds is not None:
        start, stop = _exact(seconds[0], "start second"), _exact(seconds[1], "stop second")
        last, length = (frames - 1) / fps, frames / fps
        if not (0 <= start < stop <= length + _SLACK and start <= last + _SLACK):
            raise ViewError(
                f"seconds {seconds[0]:.12g}:{seconds[1]:.12g}: expected a part of 0:{float(length):.12g}, "
                f"not empty, that starts at {float(last):.12g}, the last frame, or before"
            )
        return min(start, last), min(stop, length)
    return Fraction(0), frames / fps


def _exact(value: float, what: str) -> Fraction:
    """The decimal number that a float prints as: 0.1 is meant as 1/10, not as its nearest binary fraction."""
    if not math.isfinite(value):
        raise ViewError(f"{what} {value}: expected a finite number")
    return Fraction(repr(float(value)))


def _ramp(start: Fraction, step: Fraction, pictures: int, last: Fraction) -> tuple[float, ...]:
    """min(start + k step, last) for each picture k, correctly rounded: the time of frame i is i / fps."""
    _check_count(pictures)
    unit = math.lcm(start.denominator, step.denominator, last.denominator)
    first, advance, end = (int(value * unit) for value in (start, step, last))
    return tuple(min(first + k * advance, end) / unit for k in range(pictures))


def _frozen(second: float, pictures: int, last: Fraction) -> tuple[float, ...]:
    at = _exact(second, "freeze")
    if not 0 <= at <= last + _SLACK:
        raise ViewError(f"freeze at {second:.12g} s: expected 0 to {float(last):.12g} s, the last frame")
    return _ramp(at, Fraction(0), pictures, last)


def _stated(shares: Float[np.ndarray, " entry"], pictures: int, last: Fraction) -> tuple[float, ...]:
    """A path's own render times, resampled."""
    _check_count(pictures)
    times = np.interp(places_along(pictures, len(shares)), np.arange(len(shares)), shares) * float(last)
    return tuple(times.tolist())


def _check_count(pictures: int) -> None:
    if pictures > _MOST_PICTURES:
        raise ViewError(f"more pictures asked for than can be rendered, expected at most {_MOST_PICTURES}")


def places_along(pictures: int, entries: int) -> Float[np.ndarray, " picture"]:
    """Where each picture lies among a path's entries: from the first, 0, to the last, entries - 1."""
    return np.linspace(0, entries - 1, pictures)
