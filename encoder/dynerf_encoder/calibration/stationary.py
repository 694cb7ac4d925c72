"""What a single camera's pictures say: black, frozen, or moved during the clip.

A camera that stands still sees its background at the same place at all times; most matches between two times
of one camera then have no displacement, whatever moves in front.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from dynerf_format.errors import CaptureError

from .pairs.features import Features
from .pairs.matching import match, normalised

_BLACK = 8  # grey levels: the 99th percentile of a black picture
_FROZEN = 0.05  # grey levels: mean difference of consecutive pictures of a still one
_MOVED_SHARE = 0.004  # of the picture's width: the median displacement of a camera that moved
_LEAST_PIXELS = 1.5
_LEAST_MATCHES = 20
_RATIO = 0.8


def video_faults(thumbnails: UInt8[np.ndarray, "frame height width"]) -> str | None:
    """What is wrong with a video as a whole, or None: "black" or "frozen"."""
    if np.percentile(thumbnails, 99) <= _BLACK:
        return "black"
    if len(thumbnails) > 1:
        change = np.abs(np.diff(thumbnails.astype(np.int16), axis=0)).mean(axis=(1, 2))
        if change.max() <= _FROZEN:
            return "frozen"
    return None


def moved_from(files: Mapping[int, Path], width: int) -> tuple[int, float] | None:
    """The first time at which a camera is not where it was at the beginning, and by how many pixels.

    ``files`` are the features of one camera by frame; ``width`` is that of its pictures. None when it stands
    still, or has too few features to say.
    """
    times = sorted(files)
    first = Features.read(files[times[0]])
    descriptors = normalised(first.descriptors)
    limit = max(_LEAST_PIXELS, _MOVED_SHARE * width)
    for time in times[1:]:
        other = Features.read(files[time])
        found = match(descriptors, normalised(other.descriptors), _RATIO)
        if len(found) < _LEAST_MATCHES:
            continue
        moved = np.linalg.norm(first.positions[found[:, 0]] - other.positions[found[:, 1]], axis=1)
        if np.median(moved) > limit:
            return time, float(np.median(moved))
    return None


def check_stationary(
    folder: Path, files: Mapping[str, Mapping[int, Path]], widths: Mapping[str, int]
) -> None:
    """CaptureError when a camera moves, naming it and from when."""
    moving = {name: moved_from(times, widths[name]) for name, times in files.items() if len(times) > 1}
    found = [(name, where) for name, where in moving.items() if where is not None]
    if found:
        listed = "; ".join(
            f"{name} has moved by {pixels:.1f} pixels at frame {time}" for name, (time, pixels) in found[:3]
        )
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise CaptureError(
            f"{folder}: {listed}{more}, expected cameras that stand still: use a tripod, or cut the videos "
            "to the part before"
        )


def empty_of_texture(features: Mapping[str, Sequence[int]], least: int) -> list[str]:
    """Cameras with fewer than ``least`` features in every picture; ``features`` are their numbers."""
    return [name for name, counts in features.items() if max(counts, default=0) < least]
