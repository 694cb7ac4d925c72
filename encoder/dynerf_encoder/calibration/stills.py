"""Reads all footage once: grey pictures of the chosen times, and thumbnails of all frames.

Small pictures are enlarged for the features (Lanczos), because SIFT finds few in them; large ones are
reduced. Thumbnails show motion, and cameras that are black, frozen or duplicates.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation
from jaxtyping import UInt8

from dynerf_format.errors import CaptureError
from dynerf_format.io.atomic_write import atomic_path

from .footage import Footage, FootageSet

_SMALL = 400  # pixels of width below which pictures are doubled
_LARGE = 1600  # pixels of the longer side to which larger ones are reduced
_THUMBNAIL = 240  # pixels of the longer side
MOST_FRAMES = 600  # of a camera, for thumbnails


@dataclass(frozen=True)
class StillFiles:
    """Where the pictures of a camera are: by time, and the thumbnails. ``scale`` is of the stills' size."""

    stills: dict[int, Path]
    thumbnails: Path
    scale: float


def choose_times(frames: int, times: int | tuple[int, ...]) -> tuple[int, ...]:
    """Frame numbers spread over the clip, or the given ones. Raises CaptureError for numbers beyond it."""
    if isinstance(times, int):
        return tuple(sorted({round(float(t)) for t in np.linspace(0, frames - 1, times)}))
    wrong = [time for time in times if not 0 <= time < frames]
    if wrong:
        raise CaptureError(f"frame {wrong[0]}, expected 0 to {frames - 1}, which all cameras have")
    return tuple(sorted(set(times)))


def read_stills(
    footage: FootageSet, times: Sequence[int], work: Path, progress: Callable[[int, int], None]
) -> tuple[dict[str, StillFiles], dict[str, str]]:
    """Write the pictures of all cameras below ``work``; the files, and why cameras failed.

    Cameras whose thumbnails are there are not read again: they are written last.
    """
    found, failed = {}, {}
    lengths = [min(camera.facts.frames, MOST_FRAMES) for camera in footage.cameras]
    done, total = 0, sum(lengths)
    for camera, length in zip(footage.cameras, lengths, strict=True):
        files = _files(camera, times, work)
        if not files.thumbnails.exists():
            try:
                for count, _ in enumerate(_read(camera, files, length), start=1):
                    progress(done + count, total)
            except CaptureError as error:
                failed[camera.name] = str(error)
        if camera.name not in failed:
            found[camera.name] = files
        done += length
        progress(done, total)
    return found, failed


def feature_scale(size: tuple[int, int]) -> float:
    """By how much pictures of a size are enlarged for features; below 1: reduced."""
    if size[0] < _SMALL:
        return 2.0
    return min(1.0, _LARGE / max(size))


def _files(camera: Footage, times: Sequence[int], work: Path) -> StillFiles:
    folder = work / "stills"
    stills = {time: folder / f"{camera.name}_{time:06d}.npy" for time in times}
    return StillFiles(stills, folder / f"{camera.name}.npy", feature_scale(camera.size))


def _read(camera: Footage, files: StillFiles, length: int) -> Iterator[None]:
    """Decode a camera's frames; yields after each one within ``length``."""
    width, height = camera.size
    shrink = min(1.0, _THUMBNAIL / max(width, height))
    small = max(8, round(width * shrink)), max(8, round(height * shrink))
    thumbnails = np.zeros((length, small[1], small[0]), np.uint8)
    large = round(width * files.scale), round(height * files.scale)
    for frame, picture in enumerate(camera.source.decode(range(length))):
        thumbnails[frame] = grey(picture, small, Interpolation.AREA)
        if frame in files.stills:
            write_picture(files.stills[frame], grey(picture, large, Interpolation.LANCZOS))
        yield
    for time in (time for time in files.stills if time >= length):
        for picture in camera.source.decode(range(time, time + 1)):
            write_picture(files.stills[time], grey(picture, large, Interpolation.LANCZOS))
    write_picture(files.thumbnails, thumbnails)


def grey(
    picture: UInt8[np.ndarray, "h w 3"], size: tuple[int, int], method: Interpolation
) -> UInt8[np.ndarray, "height width"]:
    """A grey picture of another size, width and height in pixels."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    return frame.reformat(size[0], size[1], format="gray", interpolation=method).to_ndarray()


def write_picture(path: Path, array: np.ndarray) -> None:
    """Write a picture as npy. Raises OutputError."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)
