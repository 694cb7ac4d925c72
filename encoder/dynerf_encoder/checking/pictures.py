"""Reads what the tests look at: small pictures of consecutive frames, and a few large ones for features."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.video.reformatter import Interpolation
from jaxtyping import UInt8

from dynerf_encoder.calibration.stills import StillFiles, feature_scale, grey, write_picture
from dynerf_encoder.captures.capture import Capture, CaptureView
from dynerf_format.errors import CaptureError

_SIDE = 200  # pixels of the longer side of small pictures
_LARGE = 1000  # of those for features
MOST_FRAMES = 90


@dataclass(frozen=True, eq=False)
class Samples:
    """Pictures by camera, of the frames from ``first`` on; ``unreadable`` says why cameras have none.

    ``stills`` are the files of large grey pictures at some of the frames, by their number.
    """

    small: Mapping[str, UInt8[np.ndarray, "frame height width"]]
    stills: Mapping[str, StillFiles]
    unreadable: Mapping[str, str]
    times: tuple[int, ...]


def read_samples(
    capture: Capture,
    frames: range,
    times: tuple[int, ...],
    folder: Path,
    progress: Callable[[int, int], None],
) -> Samples:
    """Decode ``frames`` of every view; ``times`` are those of them whose large pictures are written."""
    small, stills, unreadable = {}, {}, {}
    for number, view in enumerate(capture.views):
        try:
            small[view.name], stills[view.name] = _read(view, frames, times, folder)
        except CaptureError as error:
            unreadable[view.name] = str(error)
        progress(number + 1, len(capture.views))
    return Samples(small, stills, unreadable, times)


def _read(
    view: CaptureView, frames: range, times: tuple[int, ...], folder: Path
) -> tuple[UInt8[np.ndarray, "frame height width"], StillFiles]:
    width, height = view.lens.width, view.lens.height
    scale = min(feature_scale((width, height)), _LARGE / max(width, height))
    files = StillFiles(
        {time: folder / f"{view.name}_{time:06d}.npy" for time in times}, folder / f"{view.name}.npy", scale
    )
    shrink = min(1.0, _SIDE / max(width, height))
    size = max(8, round(width * shrink)), max(8, round(height * shrink))
    found = np.zeros((len(frames), size[1], size[0]), np.uint8)
    count = 0
    for frame, picture in zip(frames, view.decode(frames), strict=False):
        found[count] = grey(picture, size, Interpolation.AREA)
        count += 1
        if frame in files.stills:
            large = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
            write_picture(files.stills[frame], grey(picture, large, Interpolation.LANCZOS))
    if count < len(frames):
        raise CaptureError(f"{view.video}: {count} frames can be decoded, expected {len(frames)}")
    return found, files
