"""Chooses a file's video track: cover art, thumbnails and auxiliary layers are excluded."""

from pathlib import Path

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from dynerf_format.errors import CaptureError

# Tracks that accompany a video; the last is an enhancement layer, which cannot be decoded alone.
_AUXILIARY = (
    Disposition.attached_pic,
    Disposition.timed_thumbnails,
    Disposition.still_image,
    Disposition.visual_impaired,
    Disposition.dependent,
)


def choose_video(container: InputContainer, path: Path) -> VideoStream:
    """The video track of a file.

    A single picture next to a longer track is a thumbnail, marked as such or not. Of several videos the only
    one marked as default is chosen. Raises CaptureError when there is none, or when it is ambiguous.
    """
    tracks = list(container.streams.video)
    videos = [track for track in tracks if not any(track.disposition & kind for kind in _AUXILIARY)]
    if any(track.frames > 1 for track in videos):
        videos = [track for track in videos if track.frames != 1]
    if len(videos) > 1:
        videos = [track for track in videos if track.disposition & Disposition.default] or videos
    if len(videos) == 1:
        return videos[0]
    if tracks and not videos:
        raise CaptureError(f"{path}: holds {_describe(tracks)} as cover art or auxiliary track, but no video")
    if not videos:
        raise CaptureError(f"{path}: holds no video stream")
    raise CaptureError(
        f"{path}: holds {len(videos)} videos ({_describe(videos)}), expected one; extract one of them: "
        f"ffmpeg -i IN -map 0:{videos[0].index} -c copy OUT"
    )


def _describe(tracks: list[VideoStream]) -> str:
    return ", ".join(
        f"track {track.index} of {track.codec_context.width}x{track.codec_context.height}" for track in tracks
    )
