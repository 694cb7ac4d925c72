"""Saves shots of a clip as a video or pictures; the next is decoded while one is rendered and written."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dynerf_decoder.cameras.paths import Shot
from dynerf_decoder.progress import OnProgress, Progress
from dynerf_decoder.render.depth_colours import depth_colours
from dynerf_decoder.sound.audio_stream import checked_codec
from dynerf_decoder.sound.shot_sound import sound_of_times
from dynerf_decoder.sound.sound_track import SoundTrack
from dynerf_decoder.video.frame_writer import open_output
from dynerf_decoder.video.h264 import Codec, video_codec
from dynerf_format.errors import ViewError

from .async_copy import copy_frames
from .playback import Playable, play


@dataclass(frozen=True)
class Saved:
    """What was written: how pictures of a video are coded, and its sound, None for a video without."""

    codec: Codec
    sound: SoundTrack | None


def save_video(
    clip: Playable,
    path: Path,
    shots: Sequence[Shot],
    fps: Fraction,
    *,
    depth: bool = False,
    audio_codec: str = "aac",
    on_progress: OnProgress | None = None,
) -> Saved:
    """Render shots, all of the same size, to ``path``.

    A video has the clip's sound, coded with ``audio_codec`` (aac, opus or none), if its pictures keep the
    clip's pace; where a chunk of it is damaged it is silent. Raises ViewError, ConfigError, OutputError (see
    ``open_output``) and FormatError.
    """
    audio_codec = checked_codec(audio_codec)
    if not shots:
        raise ViewError(f"{path}: no shots to render, expected at least one")
    width, height = shots[0].camera.width, shots[0].camera.height
    if any((shot.camera.width, shot.camera.height) != (width, height) for shot in shots):
        raise ViewError(f"{path}: shots of several sizes, expected all of {width}x{height}")
    depths = clip.depth_range() if depth else None
    sound = None
    if audio_codec != "none" and path.suffix.lower() == ".mp4":
        sound = sound_of_times(clip.reader, [shot.time for shot in shots], fps)
    codec = video_codec(clip.device.type == "cuda", width, height)
    with (
        open_output(path, width, height, fps, len(shots), codec, sound, audio_codec) as out,
        closing(play(clip, [(shot.camera, clip.frame_at(shot.time)) for shot in shots])) as frames,
    ):
        colours = (depth_colours(frame.depth, *depths) if depths else frame.rgb for frame in frames)
        for done, picture in enumerate(copy_frames(colours, clip.device), start=1):
            out.write(picture)
            if on_progress is not None:
                on_progress(Progress("rendering", done, len(shots)))
    return Saved(codec, sound)
