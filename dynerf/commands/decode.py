"""``dynerf decode``."""

import argparse
from fractions import Fraction
from typing import TYPE_CHECKING

from dynerf_format.errors import ConfigError, ViewError

from ..device import choose_device
from ..display import Tasks, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from dynerf_decoder.clip import Clip, Picture
    from dynerf_decoder.paths import Shot


def run(options: argparse.Namespace) -> int:
    """Render a view into a movie or pictures."""
    import dynerf
    from dynerf_decoder.movie import open_output

    with dynerf.open_clip(options.clip, choose_device(options.device)) as clip:
        shots, fps = _plan(clip, options)
        width, height = shots[0].camera.width, shots[0].camera.height
        with Tasks() as tasks, open_output(options.output, width, height, fps, len(shots)) as out:
            for done, shot in enumerate(shots):
                picture = clip.render(shot.camera, _frame(clip, shot))
                out.write(_depth(clip, picture) if options.depth else picture.to_uint8())
                tasks.progress("rendering", done + 1, len(shots))
    say(f"{options.output}: {len(shots)} pictures of {width}x{height} at {float(fps):g} per second")
    return 0


def _plan(clip: "Clip", options: argparse.Namespace) -> "tuple[Sequence[Shot], Fraction]":
    from dynerf_decoder.paths import parse_size, parse_view, plan_shots, plan_timing

    view = parse_view(options.view or clip.cameras[0].name, clip.cameras)
    timing = plan_timing(
        clip.frames,
        clip.fps,
        frame_range=_frame_range(options.frames, clip.frames),
        seconds=_seconds(options.time),
        speed=options.speed,
        freeze=options.freeze,
        out_fps=_rate(options.fps),
        view=view,
    )
    size = None if options.size is None else parse_size(options.size)
    return plan_shots(view, clip.cameras, timing=timing, size=size), timing.fps


def _frame(clip: "Clip", shot: "Shot") -> float:
    """The time of a shot in frames; a whole number when it is one but for rounding."""
    frame = shot.time * clip.fps.numerator / clip.fps.denominator
    nearest = round(frame)
    return float(nearest) if abs(frame - nearest) < 1e-6 else frame


def _depth(clip: "Clip", picture: "Picture") -> "np.ndarray":
    from dynerf_decoder.clip import depth_picture

    return depth_picture(picture.depth, *clip.depth_range())


def _frame_range(text: str | None, frames: int) -> tuple[int, int] | None:
    if text is None:
        return None
    first, colon, stop = text.partition(":")
    if not colon or not all(part.isdecimal() or not part for part in (first, stop)):
        raise ViewError(f"--frames {text}: expected A:B, two frame numbers either may be left out")
    return int(first or 0), int(stop or frames)


def _seconds(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        start, stop = (float(part) for part in text.split(":"))
    except ValueError:
        raise ViewError(f"--time {text}: expected START:STOP in seconds, as 0.5:2") from None
    return start, stop


def _rate(text: str | None) -> Fraction | None:
    if text is None:
        return None
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ConfigError(f"--fps {text}: expected pictures per second, as 30 or 30000/1001") from None
