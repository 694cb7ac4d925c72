"""Implements ``dynerf decode``."""

import argparse
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from dynerf.api.quantities import parse_duration, parse_rate
from dynerf.arguments import values
from dynerf.arguments.command import Command
from dynerf.arguments.shared import add_clip, add_device
from dynerf.console.progress import ProgressDisplay, say
from dynerf_format import SAMPLE_RATE
from dynerf_format.errors import ConfigError, ViewError
from dynerf_format.frame_range import FrameRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynerf_decoder.cameras.paths import Shot
    from dynerf_decoder.clip.clip import Clip
    from dynerf_decoder.sound.sound_track import SoundTrack


def run(options: argparse.Namespace) -> int:
    """Render a view to a video or images."""
    import dynerf
    from dynerf_decoder.clip.saving import save_video

    with dynerf.open(options.clip, device=options.device, layers=options.layers) as clip:
        shots, fps = _plan(clip, options)
        if options.audio_only is not None:
            return _save_sound(clip, shots, fps, options.audio_only)
        is_video = options.output.suffix.lower() == ".mp4"
        with ProgressDisplay() as tasks:
            saved = save_video(
                clip, options.output, shots, fps, depth=options.depth, audio_codec=options.audio_codec,
                on_progress=tasks.show,
            )  # fmt: skip
        if saved.codec.reason and is_video:
            say(saved.codec.reason)
        if saved.sound is not None:
            _warn_of_damage(saved.sound)
        elif is_video and options.audio_codec != "none":
            _warn_of_silence(clip, shots, fps)
        _warn_outside(clip, shots)
    width, height = shots[0].camera.width, shots[0].camera.height
    rate = f" at {float(fps):g} fps" if is_video else ""
    say(f"{options.output}: {len(shots)} frames of {width}x{height}{rate}")
    return 0


def _warn_of_silence(clip: "Clip", shots: "Sequence[Shot]", fps: Fraction) -> None:
    """Say why a video of a clip with sound has none, if it has none."""
    from dynerf_decoder.sound.shot_sound import NOT_NORMAL, plays_normally

    if clip.has_sound and not plays_normally([shot.time for shot in shots], fps, clip.reader):
        say(NOT_NORMAL)


def _warn_of_damage(track: "SoundTrack") -> None:
    """Say that damaged sound is silent, as in the player; ``dynerf verify`` fails on it."""
    if track.damage:
        chunks = f"{len(track.damage)} chunk{'s' if len(track.damage) > 1 else ''}"
        say(f"silent where sound is damaged ({chunks}): {track.damage[0]}")


def _save_sound(clip: "Clip", shots: "Sequence[Shot]", fps: Fraction, path: Path) -> int:
    """Write the sound of the shots alone. Raises ViewError when they have none."""
    from dynerf_decoder.sound.shot_sound import NOT_NORMAL, plays_normally, sound_of_times
    from dynerf_decoder.sound.sound_file import check_sound_file, write_sound
    from dynerf_decoder.video.frame_writer import check_rate

    check_sound_file(path)
    check_rate(path, fps)  # as of a video: a forged rate makes frames last for years
    times = [shot.time for shot in shots]
    track = sound_of_times(clip.reader, times, fps)
    if track is None:
        stretched = clip.has_sound and not plays_normally(times, fps, clip.reader)
        raise ViewError(f"{clip.name}: {NOT_NORMAL if stretched else 'has no sound there'}")
    write_sound(path, track)
    _warn_of_damage(track)
    kind = ("mono", "stereo")[track.channels - 1]
    say(f"{path}: {track.samples / SAMPLE_RATE:.2f} s of {kind} sound")
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


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_clip(parser)
    output = parser.add_mutually_exclusive_group(required=True)
    output.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="out.mp4, or name_%%04d.png for images"
    )
    output.add_argument(
        "--audio-only", type=Path, metavar="FILE", help="write only the sound, to a .wav or .opus file"
    )
    parser.add_argument(
        "--view", default=None, metavar="VIEW",
        help="a camera (cam00), still:cam03, spiral, orbit, or a nerfstudio camera path (path.json); "
        "default: the first camera",
    )  # fmt: skip
    span = parser.add_mutually_exclusive_group()
    span.add_argument("--frames", metavar="A:B", help="show frames A to B-1 (default: all)")
    span.add_argument("--time", metavar="S:S", help="show this range in seconds, such as 0.5:2")
    parser.add_argument(
        "--speed",
        type=values.number,
        default=1.0,
        metavar="X",
        help="0.25 is slow motion with interpolated frames (default: 1)",
    )
    parser.add_argument(
        "--freeze", type=values.seconds, metavar="S",
        help="freeze the content at second S while the view moves: for 4 s, or the duration of the camera "
        "path, --time or --frames",
    )  # fmt: skip
    parser.add_argument("--fps", metavar="N", help="frame rate of the output (default: the clip's)")
    parser.add_argument(
        "--size",
        metavar="WxH",
        help="image size (default: the camera's); odd sides of a video grow by one pixel",
    )
    parser.add_argument(
        "--layers", type=values.positive, metavar="N",
        help="use only the first N quality layers of the weights, as during progressive loading "
        "('dynerf info' lists them; default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--audio-codec", choices=("aac", "opus", "none"), default="aac",
        help="how the sound in an MP4 file is coded; it has none where time stands still or has another "
        "speed (default: aac, which every player has)",
    )  # fmt: skip
    parser.add_argument(
        "--depth", action="store_true", help="show distance instead of colour, from red (near) to blue"
    )
    add_device(parser)


COMMAND = Command(
    name="decode",
    summary="render a viewpoint to MP4 or PNG",
    description="""\
Render any viewpoint at any time. Between two frames the latent codes are
interpolated, so slow motion shows new frames.

VIEW is a camera of the clip (cam00 or still:cam00), spiral or orbit around
the scene, or a camera path that nerfstudio's viewer exported (a .json file).

An MP4 file has the clip's sound while the content plays at its own speed.
Where sound is damaged it is silent, with a warning.

CLIP.dnv may be an http or https address; only the parts shown are fetched.
""",
    examples="""\
examples:
  dynerf decode clip.dnv -o out.mp4 --view cam00
  dynerf decode clip.dnv -o slow.mp4 --view orbit --speed 0.25
  dynerf decode clip.dnv -o bullet.mp4 --view spiral --freeze 0.5
  dynerf decode clip.dnv -o part.mp4 --view path.json --time 1.5:4
  dynerf decode clip.dnv --audio-only sound.wav --frames :300
  dynerf decode clip.dnv -o p_%04d.png --view cam03 --frames :10 --size 640x360
""",
    add_arguments=_add_arguments,
    run=run,
    imports=(
        "dynerf_decoder.clip.clip",
        "dynerf_decoder.video.frame_writer",
        "dynerf_decoder.cameras.paths",
    ),
)
