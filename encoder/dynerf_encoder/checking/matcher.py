"""Matched points of all pairs of cameras, by the features and the matcher of ``calibration`` (pycolmap).

Matches of one instant are verified by a fundamental matrix without using the stated poses; pairs that two
instants confirm are kept. A mirrored picture has few matches with the others until it is mirrored back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dynerf_encoder.calibration.correspondences import extract_features, match_times
from dynerf_encoder.calibration.footage import Footage
from dynerf_encoder.calibration.pairs.votes import PooledMatches, TimeMatches, pool
from dynerf_encoder.calibration.rig import read_time
from dynerf_encoder.calibration.stills import StillFiles, write_picture
from dynerf_encoder.captures.capture import Capture

_SEED = 0
_VOTES = 2  # instants that confirm a pair

Progress = Callable[[int, int], None]


class Matcher:
    """Features and matches of a capture, in a folder. ``matches`` are those of all pairs."""

    matches: PooledMatches

    def __init__(
        self, capture: Capture, stills: Mapping[str, StillFiles], work: Path, threads: int, progress: Progress
    ) -> None:
        """``stills`` are the pictures of the cameras that are matched; ``work`` is a new folder."""
        self._capture, self._stills, self._work, self._threads = capture, stills, work, threads
        (work / "features").mkdir(parents=True)
        half = 2 * sum(len(files.stills) for files in stills.values())
        self._features = extract_features(
            stills, work, threads, lambda done, total: progress(done, half if total else 1)
        )
        times = self._read_times(
            self._features, work, lambda done, total: progress(half // 2 + done, half if total else 1)
        )
        self.matches = pool(tuple(stills), times, min(_VOTES, len(times)))

    def mirrored(self, name: str, partners: Sequence[str]) -> tuple[int, int]:
        """Verified matches of one picture of a camera with those of others: as it is, and mirrored."""
        folder = self._work / f"mirrored_{name}"
        (folder / "features").mkdir(parents=True)
        time, still = next(iter(self._stills[name].stills.items()))
        flipped = folder / "picture.npy"
        write_picture(flipped, np.ascontiguousarray(np.load(still, allow_pickle=False)[:, ::-1]))
        files = replace(self._stills[name], stills={time: flipped})
        changed = extract_features({name: files}, folder, self._threads, _silent)
        others = {other: {time: self._features[other][time]} for other in partners}
        return (
            self._count(name, others | {name: {time: self._features[name][time]}}, folder / "before"),
            self._count(name, others | changed, folder / "after"),
        )

    def _count(self, name: str, features: Mapping[str, Mapping[int, Path]], work: Path) -> int:
        times = self._read_times(features, work, _silent)
        return sum(len(found) for time in times for pair, found in time.pairs.items() if name in pair)

    def _read_times(
        self, features: Mapping[str, Mapping[int, Path]], work: Path, progress: Progress
    ) -> list[TimeMatches]:
        (work / "matches").mkdir(parents=True)
        footage = [self._footage(name) for name in features]
        found = match_times(footage, features, work, _SEED, self._threads, progress, quick=True)
        return [
            read_time({name: files[time] for name, files in features.items()}, path)
            for time, path in found.items()
        ]

    def _footage(self, name: str) -> Footage:
        view = self._capture.view(name)
        return Footage(name, view.video, view.source, view.source.probe())


def _silent(_done: int, _total: int) -> None:
    """Progress that is not shown."""
