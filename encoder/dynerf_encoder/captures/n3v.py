"""Reader of the Plenoptic Video (N3V) layout: ``camNN.mp4`` per camera and one ``poses_bounds.npy``.

Camera numbers may have gaps (bad cameras were taken out by the authors): row i of the pose file belongs to
the i-th existing video in sorted order. ``cam00`` is by convention the view that is held out, but nothing
is treated specially here. No frame but the first of each video is decoded.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from dynerf_format.errors import CaptureError
from dynerf_format.frame_range import FrameRange

from .capture import Capture, View
from .poses import read_poses
from .video import VideoFacts, probe

_VIDEO = re.compile(r"cam([0-9]{1,9})\.mp4")
_POSES = "poses_bounds.npy"
# A clip of 1000 frames drifts half a frame: below that two rates are one rate, rounded by a muxer.
_RATE_TOLERANCE = Fraction(1, 2000)


def read_n3v(folder: Path, frames: FrameRange | None = None) -> Capture:
    """Read a capture folder and check that its parts belong together.

    ``frames`` are those that will be used: they must exist in every video, and only when they are given with
    an end may videos differ in length (``Capture.frames`` is then the shortest). Raises CaptureError.
    """
    videos = _videos(folder)
    names = tuple(video.stem for video in videos)
    poses = read_poses(folder / _POSES, names)
    facts = [probe(video) for video in videos]
    _check_same(folder, names, "picture size", [f"{fact.width}x{fact.height}" for fact in facts])
    fps = _common_rate(folder, names, facts)
    if frames is None or frames.stop is None:
        _check_same(folder, names, "frame count", [str(fact.frames) for fact in facts])
    shortest = min(fact.frames for fact in facts)
    (frames or FrameRange()).within(shortest, str(folder))
    views = tuple(
        View(pose.name, video, pose.camera(fact.width, fact.height), pose.near, pose.far)
        for video, pose, fact in zip(videos, poses, facts, strict=True)
    )
    return Capture(folder, views, fps, shortest, tuple(fact.colour for fact in facts))


def _videos(folder: Path) -> list[Path]:
    """The camNN.mp4 files in the order of the pose file's rows."""
    if not folder.exists():
        raise CaptureError(f"{folder}: does not exist, expected a folder with camNN.mp4 and {_POSES}")
    if not folder.is_dir():
        raise CaptureError(f"{folder}: is a file, expected a folder with camNN.mp4 and {_POSES}")
    try:
        videos = sorted(path for path in folder.iterdir() if _VIDEO.fullmatch(path.name))
    except OSError as error:
        raise CaptureError(f"{folder}: cannot be read: {error.strerror}") from error
    if len(videos) < 2:
        found = f"only {videos[0].name}" if videos else "no camNN.mp4"
        raise CaptureError(f"{folder}: holds {found}, expected the videos of at least two cameras")
    if videos != sorted(videos, key=lambda path: int(path.stem.removeprefix("cam"))):
        raise CaptureError(
            f"{folder}: the order of the videos by name is not that by number ({videos[0].name} to "
            f"{videos[-1].name}), so it is unclear which pose is whose; use equally many digits"
        )
    return videos


def _common_rate(folder: Path, names: Sequence[str], facts: Sequence[VideoFacts]) -> Fraction:
    """Frames per second of all videos; CaptureError when they differ by more than rounding."""
    fps = facts[0].fps
    if any(abs(fact.fps / fps - 1) > _RATE_TOLERANCE for fact in facts):
        _check_same(folder, names, "frame rate", [f"{float(fact.fps):.6g}" for fact in facts])
    return fps


def _check_same(folder: Path, names: Sequence[str], what: str, values: Sequence[str]) -> None:
    """CaptureError saying which camera has what, unless all values are equal."""
    having: dict[str, list[str]] = {}
    for name, value in zip(names, values, strict=True):
        having.setdefault(value, []).append(name)
    if len(having) > 1:
        # The odd ones out first: they are what the user has to look for.
        groups = sorted(having.items(), key=lambda item: len(item[1]))
        found = "; ".join(f"{value} in {_listed(cameras)}" for value, cameras in groups)
        raise CaptureError(f"{folder}: cameras differ in {what}: {found}")


def _listed(names: Sequence[str], most: int = 6) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
