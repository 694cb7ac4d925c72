"""Which sound a clip has: that of a camera, or of a file, and when frame 0 is shown on its clock."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dynerf_encoder.captures.capture import Capture, CaptureView
from dynerf_encoder.captures.picture_source import VideoFile
from dynerf_encoder.captures.video import SUFFIXES, probe
from dynerf_format.errors import CaptureError, ConfigError

from .audio_track import open_track

AUTO, NONE = "auto", "none"


@dataclass(frozen=True)
class SoundOptions:
    """``source`` is ``auto``, ``none``, a camera's name or a file; ``bit_rate`` in bits per second.

    None: the default for the number of channels.
    """

    source: str = AUTO
    bit_rate: int | None = None


AUTOMATIC_SOUND = SoundOptions()


@dataclass(frozen=True)
class SoundSource:
    """A file with an audio track; frame 0 of the clip is shown at ``start`` seconds on the file's clock."""

    label: str
    path: Path
    start: Fraction


def named_source(name: str, capture: Capture, frames: range) -> SoundSource:
    """The sound of a camera, or of a file, which begins with frame 0 of the capture (a video: with its first
    picture).

    Raises ConfigError when there is neither, and CaptureError when it has no sound.
    """
    if name in capture.names:
        view = capture.view(name)
        source = camera_source(view, frames)
        if source is None:
            raise CaptureError(f"--audio {name}: {view.video} has no audio track")
        return source
    path = Path(name)
    if not path.is_file():
        raise ConfigError(
            f"--audio {name[:200]}: neither a camera nor a file; expected auto, none, a file or one of "
            f"{', '.join(capture.names)}"
        )
    with open_track(path) as (container, stream):
        if stream is None:
            raise CaptureError(f"--audio {path}: has no audio track")
        begin = Fraction(container.start_time or 0, 1_000_000)
        has_pictures = len(container.streams.video) > 0
    if has_pictures and path.suffix.lower() in SUFFIXES:
        with contextlib.suppress(CaptureError):  # cover art, for example
            begin = probe(path).timeline.start
    return SoundSource(str(path), path, begin + frames.start / capture.fps)


def camera_source(view: CaptureView, frames: range) -> SoundSource | None:
    """The sound of a camera's video; None when it has none."""
    if not isinstance(view.source, VideoFile):
        return None
    with open_track(view.video) as (_, stream):
        if stream is None:
            return None
    timeline = view.source.probe().timeline
    shown = int(timeline.ticks[view.first + frames.start]) * timeline.unit + timeline.delay
    return SoundSource(view.name, view.video, shown + view.lag * timeline.step)


def automatic_sources(capture: Capture, held_out: Sequence[str], frames: range) -> list[SoundSource]:
    """The cameras with an audio track: held-out ones first, then in the capture's order."""
    views = sorted(capture.views, key=lambda view: view.name not in held_out)
    sources = [camera_source(view, frames) for view in views]
    return [source for source in sources if source is not None]
