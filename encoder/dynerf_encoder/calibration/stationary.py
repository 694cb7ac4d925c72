"""Which cameras cannot be used: black or frozen ones, duplicates, those that moved or see too little texture.

A camera that stands still sees its background at the same place at all times: many matches between two times
of one camera then have no displacement. Not all, and not even half of them where the background has little
texture: the rest is on what moves, and false. A camera that moved has hardly any.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dynerf_encoder.capture_faults.picture_faults import picture_findings
from dynerf_format.errors import CaptureError

from .pairs.features import Features
from .pairs.matching import match, normalised
from .stills import StillFiles

_MOVED_SHARE = 0.004  # of the picture's width: displacement of a match that has moved
_LEAST_PIXELS = 1.5
_STILL = 0.2  # share of matches without displacement of a camera that stands still (measured: 0.4 to 0.9)
_LEAST_MATCHES = 20
_RATIO = 0.8


def faulty_cameras(stills: Mapping[str, StillFiles]) -> dict[str, str]:
    """Cameras whose pictures are black, those of another, or always the same while most others change."""
    found = {
        name: np.load(files.thumbnails, mmap_mode="r", allow_pickle=False) for name, files in stills.items()
    }
    common = min(map(len, found.values()), default=0)
    findings = picture_findings({name: pictures[:common] for name, pictures in found.items()})
    return {
        name: finding.message.removeprefix(f"{name}: ")
        for finding in findings
        if finding.kind in ("black", "duplicate", "frozen")
        for name in finding.cameras
    }


def moved_from(files: Mapping[int, Path], width: int) -> tuple[int, int, float] | None:
    """The first time at which a camera is not where it was at the beginning, the time before, and the pixels.

    ``files`` are the features of one camera by frame; ``width`` is that of its pictures. None when it stands
    still, or has too few features to say.
    """
    times = sorted(files)
    first = Features.read(files[times[0]])
    descriptors = normalised(first.descriptors)
    limit = max(_LEAST_PIXELS, _MOVED_SHARE * width)
    before = times[0]
    for time in times[1:]:
        other = Features.read(files[time])
        found = match(descriptors, normalised(other.descriptors), _RATIO)
        if len(found) < _LEAST_MATCHES:
            continue
        moved = np.linalg.norm(first.positions[found[:, 0]] - other.positions[found[:, 1]], axis=1)
        if np.mean(moved <= limit) < _STILL:
            return before, time, float(np.median(moved))
        before = time
    return None


def check_stationary(
    folder: Path, files: Mapping[str, Mapping[int, Path]], widths: Mapping[str, int]
) -> None:
    """CaptureError when a camera moves, naming it and from when."""
    moving = {name: moved_from(times, widths[name]) for name, times in files.items() if len(times) > 1}
    found = [(name, where) for name, where in moving.items() if where is not None]
    if found:
        listed = "; ".join(
            f"{name} has moved by {pixels:.1f} pixels between frames {before} and {time}"
            for name, (before, time, pixels) in found[:3]
        )
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise CaptureError(
            f"{folder}: {listed}{more}, expected cameras that stand still: leave these out, or cut the "
            "videos to the part before"
        )


def empty_of_texture(features: Mapping[str, Sequence[int]], least: int) -> list[str]:
    """Cameras with fewer than ``least`` features in every picture; ``features`` are their numbers."""
    return [name for name, counts in features.items() if max(counts, default=0) < least]
