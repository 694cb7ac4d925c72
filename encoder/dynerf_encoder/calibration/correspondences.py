"""Features of all chosen pictures, and the verified matches of every time, by child processes."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .colmap.run_children import batches, check_all_succeeded, run_children
from .footage import Footage
from .stills import StillFiles

MOST_FEATURES = 3000  # of a picture, the largest ones
_RATIO = 0.85  # of the angles to the best and second best descriptor
_PIXELS = 2.0  # epipolar error of a verified match
_LEAST_BATCH, _MOST_BATCH = 4, 16  # pictures of a child: starting one takes as long as a small picture
_BATCHES = 4  # per process, so that all processes end at about the same time

Progress = Callable[[int, int], None]


def extract_features(
    stills: Mapping[str, StillFiles], work: Path, threads: int, progress: Progress
) -> dict[str, dict[int, Path]]:
    """The files of features by camera and frame. Raises CaptureError when a child fails."""
    folder = work / "features"
    found = {
        name: {time: folder / f"{name}_{time:06d}.npz" for time in files.stills}
        for name, files in stills.items()
    }
    total = sum(map(len, found.values()))
    items = [
        (str(files.stills[time]), str(path), files.scale)
        for name, files in stills.items()
        for time, path in found[name].items()
        if not path.exists()
    ]
    size = min(max(len(items) // (_BATCHES * threads), _LEAST_BATCH), _MOST_BATCH)
    requests = [{"items": list(batch), "most": MOST_FEATURES} for batch in batches(items, size)]
    already = total - len(items)
    progress(already, total)
    ends = run_children("extract", requests, threads, lambda done: progress(already + done, total))
    check_all_succeeded(ends, "features")
    return found


def match_times(
    footage: Sequence[Footage],
    features: Mapping[str, Mapping[int, Path]],
    work: Path,
    seed: int,
    threads: int,
    progress: Progress,
    *,
    quick: bool = False,
) -> dict[int, Path]:
    """The files of verified matches by frame. Raises CaptureError when a child fails.

    ``quick`` verifies as far as known poses need it (``colmap.verification``).
    """
    folder = work / "matches"
    sizes = {camera.name: list(camera.size) for camera in footage}
    times = sorted(next(iter(features.values())))
    found = {time: folder / f"{time:06d}.npz" for time in times}
    requests = [
        {
            "items": [({name: str(files[time]) for name, files in features.items()}, str(path))],
            "sizes": sizes, "ratio": _RATIO, "error": _PIXELS, "seed": seed, "quick": quick,
        }
        for time, path in found.items()
        if not path.exists()
    ]  # fmt: skip
    total = len(times) * len(features)
    already = total - len(requests) * len(features)
    progress(already, total)
    ends = run_children("match", requests, threads, lambda done: progress(already + done, total))
    check_all_succeeded(ends, "matches")
    return found


def default_threads() -> int:
    """One child per core."""
    return max(1, os.cpu_count() or 1)
