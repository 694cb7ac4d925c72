"""Finds a camera's pictures in a folder by the camera's name, and all cameras of a folder without poses."""

import re
from collections.abc import Mapping
from itertools import count, islice
from pathlib import Path

from dynerf_encoder.captures.json_input import is_file_name
from dynerf_encoder.captures.picture_source import is_picture
from dynerf_encoder.captures.recording import natural
from dynerf_encoder.captures.video import SUFFIXES
from dynerf_format.errors import CaptureError, reason

_MAX_ENTRIES = 10_000  # of a folder
_VIDEO_FOLDERS = ("", "videos", "video")
_PICTURE_FOLDERS = ("", "images", "ims", "frames")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def source_named(root: Path, name: str, where: str) -> Path:
    """The video ``NAME.mp4`` (or another suffix) or the folder of pictures ``NAME`` of a camera.

    Looked for in ``root`` and in its folders videos, images and so on. Raises CaptureError, naming what is
    missing, or when there are several.
    """
    if not is_file_name(name) or "/" in name or "\\" in name or name in (".", ".."):
        raise CaptureError(f"{where}: camera name {name[:80]!r}, expected a name without folders")
    videos = [
        path
        for folder in _VIDEO_FOLDERS
        for path in entries(root / folder)
        if path.stem == name and is_video(path)
    ]
    folders = [root / folder / name for folder in _PICTURE_FOLDERS]
    found = [*videos, *(folder for folder in folders if holds_pictures(folder))]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CaptureError(
            f"{where}: camera {name[:80]} has neither a video ({name[:80]}.mp4, also in videos/) nor a "
            f"folder of pictures ({name[:80]}/, also in images/) in {root}"
        )
    raise CaptureError(
        f"{where}: camera {name[:80]} has {len(found)} sources ({', '.join(map(str, found[:3]))}), expected 1"
    )


def find_sources(folder: Path) -> dict[str, Path]:
    """The videos or folders of pictures of a folder, by camera name; empty when there are none.

    Videos of the folder itself or of ``videos``, else folders of pictures in it or in ``images``.
    """
    for name in _VIDEO_FOLDERS:
        videos = [path for path in entries(folder / name) if is_video(path)]
        if videos:
            return _named({path: path.stem for path in videos})
    for name in _PICTURE_FOLDERS:
        folders = [path for path in entries(folder / name) if path.is_dir() and holds_pictures(path)]
        if folders:
            return _named({path: path.name for path in folders})
    return {}


def find_sources_in_folders(folder: Path, *, several: bool) -> dict[str, Path]:
    """The videos in the folders of a folder, by camera name: one in each, or ``several``; else none.

    The only video of a folder has the folder's name, others that of both.
    """
    found: dict[Path, list[Path]] = {}
    for inside in (path for path in entries(folder) if path.is_dir()):
        if videos := [path for path in entries(inside) if is_video(path)]:
            found[inside] = videos
    if not several and any(len(videos) > 1 for videos in found.values()):
        return {}
    return _named({
        video: inside.name if len(videos) == 1 else f"{inside.name}_{video.stem}"
        for inside, videos in found.items()
        for video in videos
    })  # fmt: skip


def entries(folder: Path) -> list[Path]:
    """The entries of a folder that are not hidden, sorted; none when it is not a folder."""
    if not folder.is_dir():
        return []
    try:
        found = list(islice(folder.iterdir(), _MAX_ENTRIES))
    except OSError as error:
        raise CaptureError(f"{folder}: cannot be read: {reason(error)}") from error
    return sorted((path for path in found if not path.name.startswith(".")), key=lambda path: path.name)


def holds_pictures(folder: Path) -> bool:
    """Whether a path is a folder with pictures."""
    return any(is_picture(path) for path in entries(folder))


def is_video(path: Path) -> bool:
    """Whether a file's name is that of a video."""
    return path.suffix.lower() in SUFFIXES


def camera_name(text: str) -> str:
    """A camera's name made of any text: characters that may not occur in names become _."""
    return (_UNSAFE.sub("_", text).strip(".-_") or "camera")[:64]


def _named(texts: Mapping[Path, str]) -> dict[str, Path]:
    """Sources by camera name, made of the texts, in their natural order.

    Names that differ only in characters that a camera's may not have are numbered.
    """
    named: dict[str, Path] = {}
    for path, text in sorted(texts.items(), key=lambda item: natural(item[1])):
        name = numbered = camera_name(text)
        for number in count(2):
            if numbered not in named:
                break
            if texts[named[numbered]] == text:
                raise CaptureError(
                    f"{path}: is called like {named[numbered].name}, expected one source for each camera"
                )
            numbered = f"{name[:59]}_{number}"
        named[numbered] = path
    return named
