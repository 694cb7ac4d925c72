"""Plans the content time of each output picture: the part of the clip, its speed, and the picture count.

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

_MAX_PICTURES = 1_000_000
_FREEZE_SECONDS = 4
_TOLERANCE = Fraction(1, 1_000_000)  # seconds past the end that count as the end: rounding


@dataclass(frozen=True)
class Timing:
    """The content time of each output picture in seconds, and the output rate in pictures per second."""

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
    """The content time of each output picture of a clip of ``frames`` frames at ``fps`` frames per second.

    The selected part of the clip is [start, stop) seconds: ``frame_range`` (a, b) is [a / fps, b / fps), by
    default it is the whole clip. Picture k shows min(start + k step, (frames - 1) / fps):

    - playing: step = speed / out_fps, ceil((stop - start) / step) pictures; speed 0.25 gives four times as
      many as speed 1.
    - along a camera path at speed 1: as many pictures as the path has (resampled when ``out_fps`` is not its
      own rate), step = (stop - start) / pictures, so that path and content end together. The path's render
      times, when it has them and no part was selected, replace these times.
    - ``freeze``: the content stops at that second while the camera moves, for ceil(length out_fps) pictures;
      the length is stop - start when a part was selected, else the camera path's, else 4 s.

    The output rate is ``out_fps``, else the camera path's, else ``fps``. Floats stand for the decimal number
    that they print as. Raises ViewError when values are invalid, leave the clip or give over a million
    pictures.
    """
    path = view if isinstance(view, CameraPath) else None
    path_fps = fps if path is None or path.fps is None else path.fps
    rate = path_fps if out_fps is None else out_fps
    if frames < 1 or fps <= 0 or rate <= 0:
        raise ViewError(f"{frames} frames at {fps} per second, shown at {rate}: expected all more than 0")
    exact_speed = _exact_speed(speed, freeze)
    last = (frames - 1) / fps
    selected = frame_range is not None or seconds is not None
    start, stop = _range_seconds(frames, fps, frame_range, seconds)
    path_pictures = None if path is None else max(1, round(len(path.poses) * rate / path_fps))
    if freeze is not None:
        length = stop - start if selected else None
        return Timing(_frozen(freeze, _frozen_pictures(length, path_pictures, rate), last), rate)
    if path is None or path_pictures is None or exact_speed != 1:
        pictures = math.ceil((stop - start) * rate / exact_speed)
        return Timing(_ramp(start, exact_speed / rate, pictures, last), rate)
    if path.render_times is None or selected:
        return Timing(_ramp(start, (stop - start) / path_pictures, path_pictures, last), rate)
    return Timing(_path_times(path.render_times, path_pictures, last), rate)


def _exact_speed(speed: float, freeze: float | None) -> Fraction:
    exact = _exact(speed, "speed")
    if exact <= 0:
        raise ViewError(f"speed {speed:g}: expected more than 0 (freeze holds the content still)")
    if freeze is not None and exact != 1:
        raise ViewError(f"freeze at {freeze:g} s with speed {speed:g}: expected only one of them")
    return exact


def _frozen_pictures(selected: Fraction | None, path_pictures: int | None, rate: Fraction) -> int:
    """How many pictures show frozen content: the selected seconds, else the camera path's, else 4 s."""
    if selected is None and path_pictures is not None:
        return path_pictures
    return math.ceil((_FREEZE_SECONDS if selected is None else selected) * rate)


def _range_seconds(
    frames: int, fps: Fraction, frame_range: tuple[int, int] | None, seconds: tuple[float, float] | None
) -> tuple[Fraction, Fraction]:
    """The selected part of the clip in seconds: start, inclusive, and stop, exclusive."""
    if frame_range is not None and seconds is not None:
        raise ViewError("a range of frames and a range of seconds, expected only one of them")
    if frame_range is not None:
        first, after = frame_range
        if not 0 <= first < after <= frames:
            raise ViewError(f"frames {first}:{after}: expected a part of 0:{frames} that is not empty")
        return first / fps, after / fps
    if seconds is not None:
        start, stop = _exact(seconds[0], "start second"), _exact(seconds[1], "stop second")
        last, length = (frames - 1) / fps, frames / fps
        if not (0 <= start < stop <= length + _TOLERANCE and start <= last + _TOLERANCE):
            raise ViewError(
                f"seconds {seconds[0]:.12g}:{seconds[1]:.12g}: expected a part of 0:{float(length):.12g}, "
                f"not empty, that starts at {float(last):.12g}, the last frame, or before"
            )
        return min(start, last), min(stop, length)
    return Fraction(0), frames / fps


def _exact(value: float, what: str) -> Fraction:
    """The decimal number that a float prints as: 0.1 means 1/10, not the nearest binary fraction."""
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
    if not 0 <= at <= last + _TOLERANCE:
        raise ViewError(f"freeze at {second:.12g} s: expected 0 to {float(last):.12g} s, the last frame")
    return _ramp(at, Fraction(0), pictures, last)


def _path_times(
    render_times: Float[np.ndarray, " entry"], pictures: int, last: Fraction
) -> tuple[float, ...]:
    """A path's own render times, resampled."""
    _check_count(pictures)
    times = np.interp(
        path_positions(pictures, len(render_times)), np.arange(len(render_times)), render_times
    ) * float(last)
    return tuple(times.tolist())


def _check_count(pictures: int) -> None:
    if pictures > _MAX_PICTURES:
        raise ViewError(f"more pictures requested than can be rendered, expected at most {_MAX_PICTURES}")


def path_positions(pictures: int, entries: int) -> Float[np.ndarray, " picture"]:
    """The position of each picture along a path's entries: from the first, 0, to the last, entries - 1."""
    return np.linspace(0, entries - 1, pictures)
