"""Which of a file's tracks is the video: cover art, thumbnails and auxiliary layers are not."""

from pathlib import Path

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from dynerf_format.errors import CaptureError

# Tracks that accompany a video; the last is an enhancement layer, which cannot be shown by itself.
_AUXILIARY = (
    Disposition.attached_pic,
    Disposition.timed_thumbnails,
    Disposition.still_image,
    Disposition.visual_impaired,
    Disposition.dependent,
)


def choose_video(container: InputContainer, path: Path) -> VideoStream:
    """The video track of a file.

    A still picture beside a longer track is a thumbnail, marked so or not. Of several videos the only one
    that is marked as default is taken. Raises CaptureError where there is none, or where it is unclear.
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
        raise CaptureError(f"{path}: holds {_described(tracks)} for a cover or as an extra, but no video")
    if not videos:
        raise CaptureError(f"{path}: holds no video stream")
    raise CaptureError(
        f"{path}: holds {len(videos)} videos ({_described(videos)}), expected one; keep one of them with "
        f"ffmpeg -i IN -map 0:{videos[0].index} -c copy OUT"
    )


def _described(tracks: list[VideoStream]) -> str:
    return ", ".join(
        f"track {track.index} of {track.codec_context.width}x{track.codec_context.height}" for track in tracks
    )
