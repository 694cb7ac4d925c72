"""Finds the cameras' videos or pictures in a capture folder, and describes its contents without them."""

import re
import stat
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from dynerf_format.errors import CaptureError, reason

from .pairing import listed
from .picture_source import is_picture
from .video import SUFFIXES

POSES = "poses_bounds.npy"
CAMERA = re.compile(r"cam([0-9]{1,9})")
_PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".exr"}  # named in messages
_MAX_ENTRIES = 1000  # of a folder, examined to describe it
_EXPECTED = f"expected a folder with camNN.mp4 and {POSES}"


def find_cameras(folder: Path) -> dict[str, Path]:
    """The videos camNN, or without any the folders camNN or camNN/images of pictures, by camera name.

    In the order of the pose file's rows. All suffixes of ``SUFFIXES`` are accepted, in upper or lower case
    (``cam00.MP4``, ``cam00.mov``). Raises CaptureError.
    """
    if not folder.exists():
        raise CaptureError(f"{folder}: does not exist, {_EXPECTED}")
    if not folder.is_dir():
        raise CaptureError(f"{folder}: is a file, {_EXPECTED}")
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise CaptureError(f"{folder}: cannot be read: {error.strerror}") from error
    named = _videos(entries) or [
        path for path in entries if CAMERA.fullmatch(path.name) and _pictures_of(path)
    ]
    if len(named) < 2:
        found = f"only {named[0].name}" if named else "no camNN.mp4"
        others = _others(path for path in entries if path not in named)
        raise CaptureError(
            f"{folder}: holds {found}{others}, expected the videos of at least two cameras, "
            "camNN.mp4 (or .mov, .mkv, ...), or folders camNN of their pictures (.png, .jpg)"
        )
    _check_names(folder, named)
    return {path.stem: _pictures_of(path) or path for path in named}


def _videos(entries: Iterable[Path]) -> list[Path]:
    """The videos camNN. CaptureError when one is not a file."""
    videos = [path for path in entries if CAMERA.fullmatch(path.stem) and _is_video(path)]
    for video in videos:
        _check_regular(video)
    return sorted(videos, key=lambda path: path.stem)


def _pictures_of(camera: Path) -> Path | None:
    """Where a folder camNN has its pictures: in itself or in ``images``, where some programs extract them."""
    return next((path for path in (camera, camera / "images") if _holds(path, is_picture)), None)


def _check_names(folder: Path, cameras: Sequence[Path]) -> None:
    """CaptureError when a camera has several files, or the orders by name and by number differ."""
    by_number: dict[int, list[str]] = {}
    for camera in cameras:
        by_number.setdefault(int(camera.stem.removeprefix("cam")), []).append(camera.name)
    for number, files in by_number.items():
        if len(files) > 1:
            raise CaptureError(
                f"{folder}: {' and '.join(files)} all belong to camera {number}, expected one file per camera"
            )
    if list(by_number) != sorted(by_number):
        raise CaptureError(
            f"{folder}: the cameras' order by name differs from that by number ({cameras[0].name} to "
            f"{cameras[-1].name}), so poses cannot be assigned; use the same number of digits in all names"
        )


def _check_regular(video: Path) -> None:
    """CaptureError unless a path leads to a file: a pipe would block its reader for ever."""
    try:
        mode = video.stat().st_mode
    except OSError as error:
        raise CaptureError(f"{video}: cannot be read: {reason(error)}") from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or device"
        raise CaptureError(f"{video}: is {kind}, expected a video file")


def _others(entries: Iterable[Path]) -> str:
    """The folder's other contents: folders of pictures, videos and pictures with other names."""
    shown = [path for path in entries if not path.name.startswith(".")][:_MAX_ENTRIES]
    folders = [path.name for path in shown if path.is_dir() and _holds(path, _is_any_picture)]
    videos = [path.name for path in shown if path.is_file() and _is_video(path)]
    pictures = [path.name for path in shown if path.is_file() and _is_any_picture(path)]
    kinds = (
        (folders, "folder", " of pictures"),
        (videos, "video", " with other names"),
        (pictures, "picture", ""),
    )
    found = [
        f"{len(names)} {noun}{'' if len(names) == 1 else 's'}{suffix} ({listed(names, 3)})"
        for names, noun, suffix in kinds
        if names
    ]
    return f", but {' and '.join(found)}" if found else ""


def _holds(folder: Path, kind: Callable[[Path], bool]) -> bool:
    """Whether a path is a folder with a file of a kind that is not hidden."""
    try:
        entries = islice(folder.iterdir(), _MAX_ENTRIES)
        return any(kind(path) and not path.name.startswith(".") for path in entries)
    except OSError:
        return False


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _is_any_picture(path: Path) -> bool:
    return path.suffix.lower() in _PICTURES
