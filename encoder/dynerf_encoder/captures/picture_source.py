"""Where a camera's pictures are: a video file, or a sequence of picture files.

Both yield upright RGB pictures and state the same facts. A sequence has no clock: its pictures are
consecutive frames at a rate that the layout or the user states.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

import av
import numpy as np
from jaxtyping import UInt8

from dynerf_decoder.video.colour import FrameToRgb, SourceColour
from dynerf_format.errors import CaptureError, reason

from . import video
from .orientation import upright
from .presentation import check_frame
from .recording import natural
from .timeline import Timeline
from .video import VideoFacts

PICTURES = (".png", ".jpg", ".jpeg")
DEFAULT_RATE = Fraction(30)
_OPTIONS = {"format_whitelist": "png_pipe,jpeg_pipe,mjpeg"}
_PATTERN = re.compile(r"%0?([0-9]{0,2})d")
_MAX_PICTURES = 2**20
_MAX_PIXELS = 2**26
_MAX_HOLES = 3  # listed in an error


@dataclass(frozen=True)
class SourceDigest:
    """SHA-256 (hex) of all bytes of a source, and their number."""

    sha256: str
    bytes: int


@runtime_checkable
class PictureSource(Protocol):
    """One camera's pictures. ``path`` names them in messages; all methods raise CaptureError."""

    @property
    def path(self) -> Path:
        """The file, folder or pattern as stated."""

    def probe(self, rate: Fraction | None = None) -> VideoFacts:
        """Read the properties and decode the first picture. ``rate`` is that of a sequence of pictures."""

    def decode(self, frames: range) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Yield upright pictures, RGB full range, in order."""

    def digest(self) -> SourceDigest:
        """Read all bytes."""

    def size(self) -> int:
        """The number of bytes."""


@dataclass(frozen=True)
class VideoFile:
    """A video, read by ``video``."""

    path: Path

    def probe(self, rate: Fraction | None = None) -> VideoFacts:
        """As ``video.probe``; a video has its own rate."""
        return video.probe(self.path)

    def decode(self, frames: range) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """As ``video.decode``."""
        return video.decode(self.path, frames)

    def digest(self) -> SourceDigest:
        """Read the whole file."""
        return _digest((self.path,))

    def size(self) -> int:
        """The file's size in bytes."""
        return _size((self.path,))


@dataclass(frozen=True)
class PictureSequence:
    """Picture files in order, all of one size and orientation; ``path`` is their folder or pattern."""

    path: Path
    files: tuple[Path, ...]

    def probe(self, rate: Fraction | None = None) -> VideoFacts:
        """Read the properties; pictures are ``rate`` (default: ``DEFAULT_RATE``) to the second."""
        fps = rate or DEFAULT_RATE
        picture, colour, turns = _read_picture(self.files[0])
        height, width = picture.shape[:2]
        timeline = Timeline(np.arange(len(self.files), dtype=np.int64), 1 / fps, (fps,), comparable=False)
        return VideoFacts(width, height, timeline, colour, fps, turns)

    def decode(self, frames: range) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Yield the pictures of ``frames``. Raises CaptureError when one has another size."""
        shape: tuple[int, ...] | None = None
        for file in self.files[frames.start : frames.stop]:
            picture = _read_picture(file)[0]
            shape = shape or picture.shape
            if picture.shape != shape:
                raise CaptureError(
                    f"{file}: a picture of {picture.shape[1]}x{picture.shape[0]}, expected "
                    f"{shape[1]}x{shape[0]} as in the pictures before"
                )
            yield picture

    def digest(self) -> SourceDigest:
        """Read all files, in order."""
        return _digest(self.files)

    def size(self) -> int:
        """The sum of the files' sizes in bytes."""
        return _size(self.files)


def open_source(path: Path) -> PictureSource:
    """The source at a path: a video file, a folder of pictures, or a pattern such as ``cam00/%04d.png``.

    What exists under the name itself is not a pattern. Raises CaptureError when there is nothing, or pictures
    are missing from a pattern.
    """
    if _PATTERN.search(path.name) and not os.path.lexists(path):
        return PictureSequence(path, _matching(path))
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise CaptureError(f"{path}: cannot be read: {reason(error)}") from error
    if stat.S_ISDIR(mode):
        return PictureSequence(path, _in_folder(path))
    if not stat.S_ISREG(mode):
        raise CaptureError(f"{path}: is a pipe or device, expected a video file")  # it would block for ever
    if is_picture(path):
        raise CaptureError(f"{path}: is a picture, expected a video, or a folder or pattern of pictures")
    return VideoFile(path)


def is_picture(path: Path) -> bool:
    """Whether a file's name is that of a picture that can be read."""
    return path.suffix.lower() in PICTURES


def _in_folder(folder: Path) -> tuple[Path, ...]:
    try:
        files = [path for path in folder.iterdir() if is_picture(path) and not path.name.startswith(".")]
    except OSError as error:
        raise CaptureError(f"{folder}: cannot be read: {reason(error)}") from error
    if not 1 <= len(files) <= _MAX_PICTURES:
        raise CaptureError(
            f"{folder}: holds {len(files)} pictures ({', '.join(PICTURES)}), expected 1 to {_MAX_PICTURES}"
        )
    ordered = tuple(sorted(files, key=lambda path: natural(path.stem)))
    stems = [path.stem for path in ordered]
    if len(set(stems)) != len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise CaptureError(f"{folder}: holds several pictures called {twice}, expected one format")
    _check_holes(folder, stems)
    return ordered


def _matching(pattern: Path) -> tuple[Path, ...]:
    """The files of a pattern, in the order of their numbers, which are consecutive."""
    found = _PATTERN.search(pattern.name)
    if found is None or _PATTERN.search(pattern.name, found.end()):
        raise CaptureError(f"{pattern}: expected one number such as %04d in the name")
    name = re.compile(
        re.escape(pattern.name[: found.start()]) + "([0-9]+)" + re.escape(pattern.name[found.end() :])
    )
    try:
        matches = [(name.fullmatch(path.name), path) for path in pattern.parent.iterdir()]
    except OSError as error:
        raise CaptureError(f"{pattern}: cannot be read: {reason(error)}") from error
    numbered = sorted((int(match[1]), path) for match, path in matches if match and len(match[1]) <= 18)
    if not 1 <= len(numbered) <= _MAX_PICTURES:
        raise CaptureError(f"{pattern}: matches {len(numbered)} pictures, expected 1 to {_MAX_PICTURES}")
    files = tuple(path for _, path in numbered)
    _check_holes(pattern, [path.stem for path in files])
    return files


def _check_holes(where: Path, stems: list[str]) -> None:
    """CaptureError when the last numbers of the names are not consecutive: a picture is missing.

    Names that are not numbered alike are taken as they are.
    """
    matches = [re.fullmatch(r"(.*?)([0-9]{1,18})", stem) for stem in stems]
    if None in matches or len({match[1] for match in matches if match}) > 1:
        return
    numbers = [int(match[2]) for match in matches if match]
    steps = np.diff(numbers)
    if len(steps) == 0 or (steps == steps[0]).all():
        return
    after = [numbers[index] for index in np.flatnonzero(steps != np.median(steps))[:_MAX_HOLES]]
    raise CaptureError(
        f"{where}: the pictures' numbers, {numbers[0]} to {numbers[-1]}, have holes, the first after "
        f"{', '.join(map(str, after))}; expected consecutive pictures"
    )


def _read_picture(file: Path) -> tuple[UInt8[np.ndarray, "height width 3"], SourceColour, int]:
    """A picture, turned upright; its colour and its quarter turns."""
    where = str(file)
    try:
        # A file object, because FFmpeg takes % in a path of a picture for a pattern.
        with file.open("rb") as data, av.open(data, "r", options=_OPTIONS) as container:
            stream = container.streams.video[0]
            size = stream.codec_context.width * stream.codec_context.height
            if not 0 < size <= _MAX_PIXELS:
                raise CaptureError(f"{file}: a picture of {size} pixels, expected 1 to {_MAX_PIXELS}")
            frame = next(container.decode(stream), None)
            if frame is None or frame.is_corrupt:
                raise CaptureError(f"{file}: holds no complete picture")
            turns = check_frame(frame, where)
            codec = stream.codec_context.name
            colour = SourceColour.of(frame, where, codec)
            return upright(FrameToRgb(where, codec)(frame), turns), colour, turns
    except (av.error.FFmpegError, IndexError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise CaptureError(f"{file}: cannot be decoded as a picture: {why}") from error
    except OSError as error:
        raise CaptureError(f"{file}: cannot be read: {reason(error)}") from error


def _digest(files: tuple[Path, ...]) -> SourceDigest:
    total, hasher = 0, hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as file:
                if len(files) == 1:
                    return SourceDigest(hashlib.file_digest(file, "sha256").hexdigest(), file.tell())
                hasher.update(hashlib.file_digest(file, "sha256").digest())
                total += file.tell()
        except OSError as error:
            raise CaptureError(f"{path}: cannot be read: {reason(error)}") from error
    return SourceDigest(hasher.hexdigest(), total)


def _size(files: tuple[Path, ...]) -> int:
    try:
        return sum(path.stat().st_size for path in files)
    except OSError as error:
        raise CaptureError(f"{error.filename}: cannot be read: {reason(error)}") from error
