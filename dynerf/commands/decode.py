"""Implements ``dynerf decode``."""

import argparse
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from dynerf.api.quantities import parse_duration, parse_rate
from dynerf.console.progress import ProgressDisplay, say
from dynerf_format.errors import ConfigError, ViewError
from dynerf_format.frame_range import FrameRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynerf_decoder.cameras.paths import Shot
    from dynerf_decoder.clip.clip import Clip


def run(options: argparse.Namespace) -> int:
    """Render a view to a video or images."""
    import dynerf
    from dynerf_decoder.clip.saving import save_video

    with dynerf.open(options.clip, device=options.device, layers=options.layers) as clip:
        shots, fps = _plan(clip, options)
        with ProgressDisplay() as tasks:
            codec = save_video(
                clip, options.output, shots, fps, depth=options.depth, on_progress=tasks.show
            )  # fmt: skip
        if codec.reason and options.output.suffix.lower() == ".mp4":
            say(codec.reason)
        _warn_outside(clip, shots)
    width, height = shots[0].camera.width, shots[0].camera.height
    rate = f" at {float(fps):g} fps" if options.output.suffix.lower() == ".mp4" else ""
    say(f"{options.output}: {len(shots)} frames of {width}x{height}{rate}")
    return 0


def _warn_outside(clip: "Clip", shots: "Sequence[Shot]") -> None:
    """Warn if the view leaves the cameras' hull by more than its margin, a tenth of the rig's extent."""
    volume = clip.viewing_volume
    farthest = max(volume.distance(shot.camera.origin) for shot in shots)
    if farthest > volume.margin:
        say(f"the view leaves the cameras' viewing volume by up to {farthest:.3g}, where it is extrapolated")


def _plan(clip: "Clip", options: argparse.Namespace) -> "tuple[Sequence[Shot], Fraction]":
    """The shots and the output's frame rate. Raises ViewError naming the clip or the camera path's file."""
    try:
        return _plan_unnamed(clip, options)
    except ViewError as error:
        if options.view is not None and str(error).startswith(f"{Path(options.view)}: "):
            raise
        raise ViewError(f"{clip.name}: {error}") from error


def _plan_unnamed(clip: "Clip", options: argparse.Namespace) -> "tuple[Sequence[Shot], Fraction]":
    from dynerf_decoder.cameras.paths import Trajectory, default_size, parse_size, parse_view

    view = parse_view(clip.cameras[0].name if options.view is None else options.view, clip.cameras)
    # Also checked without --size, because a clip may declare cameras of any size.
    size = parse_size(options.size or "{}x{}".format(*default_size(view, clip.cameras)))
    trajectory = Trajectory(
        clip,
        view,
        frame_range=_frame_range(options.frames, clip.frames),
        seconds=_seconds(options.time),
        speed=options.speed,
        freeze=options.freeze,
        size=size if options.size else None,
    )
    return trajectory.shots(_rate(options.fps))


def _frame_range(text: str | None, frames: int) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        found = FrameRange.parse(text)
    except ConfigError as error:
        raise ViewError(str(error)) from None
    return found.first, frames if found.stop is None else found.stop


def _seconds(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        start, stop = map(_moment, text.split(":"))
    except ValueError:
        raise ViewError(f"--time {text[:40]}: expected START:STOP in seconds, such as 0.5:2") from None
    return start, stop


def _moment(text: str) -> float:
    """Seconds; the range is checked once the clip is open. Raises ValueError if ``text`` is not a number."""
    try:
        return float(parse_duration(text))
    except ValueError:
        return float(text)


def _rate(text: str | None) -> Fraction | None:
    if text is None:
        return None
    try:
        return parse_rate(text)
    except ValueError as error:
        raise ConfigError(f"--fps {text[:40]}: expected {error}") from None
