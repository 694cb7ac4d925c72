"""Matched points of all pairs of cameras, by the features and the matcher of ``calibration`` (pycolmap).

Matches of one instant are verified by two-view geometry without using the stated poses; pairs that two
instants confirm are kept. A mirrored picture has no matches with the others until it is mirrored back.
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
_WEAK = 0.3  # of the usual number of matches: a camera that may be mirrored
_MIRRORED = 3.0  # times as many matches with the picture mirrored
_LEAST_MATCHES = 30
_PARTNERS = 5  # cameras that a mirrored picture is matched with

Progress = Callable[[int, int], None]


class Matcher:
    """Finds and keeps the features and matches of a capture in a folder."""

    def __init__(
        self, capture: Capture, stills: Mapping[str, StillFiles], work: Path, threads: int, progress: Progress
    ) -> None:
        """``stills`` are the pictures of the cameras that are matched; ``work`` is an empty folder."""
        self._capture, self._stills = capture, stills
        self._work, self._threads, self._progress = work, threads, progress
        for name in ("features", "matches", "mirrored/features", "mirrored/matches"):
            (work / name).mkdir(parents=True)

    def matches(self) -> PooledMatches:
        """The matches of all pairs."""
        self._features = extract_features(self._stills, self._work, self._threads, self._progress)
        times = self._times(self._features, self._work)
        return pool(tuple(self._stills), times, min(_VOTES, len(times)))

    def mirrored(self, matches: PooledMatches) -> dict[str, tuple[int, int]]:
        """Cameras whose mirrored pictures match the others: matches as they are, and mirrored."""
        counts = _counts(tuple(self._stills), matches)
        usual = float(np.median(list(counts.values())))
        weak = [name for name, count in counts.items() if count < _WEAK * usual]
        strong = sorted((name for name in counts if name not in weak), key=lambda name: -counts[name])
        found = {}
        for name in weak:
            before, after = counts[name], self._mirrored_matches(name, strong)
            if after >= max(_LEAST_MATCHES, _MIRRORED * before):
                found[name] = before, after
        return found

    def _mirrored_matches(self, name: str, partners: Sequence[str]) -> int:
        """Verified matches of a mirrored picture with cameras next to it, at the first instant."""
        folder = self._work / "mirrored"
        time, still = next(iter(self._stills[name].stills.items()))
        flipped = folder / f"{name}.npy"
        write_picture(flipped, np.ascontiguousarray(np.load(still, allow_pickle=False)[:, ::-1]))
        files = replace(self._stills[name], stills={time: flipped})
        own = extract_features({name: files}, folder, self._threads, _silent)
        near = self._nearest(name, partners)
        features = own | {other: {time: self._features[other][time]} for other in near}
        return sum(
            len(found)
            for read in self._times(features, folder / name)
            for pair, found in read.pairs.items()
            if name in pair
        )

    def _nearest(self, name: str, others: Sequence[str]) -> list[str]:
        centre = self._capture.view(name).camera.origin
        return sorted(
            others, key=lambda other: float(np.linalg.norm(self._capture.view(other).camera.origin - centre))
        )[:_PARTNERS]

    def _times(self, features: Mapping[str, Mapping[int, Path]], work: Path) -> list[TimeMatches]:
        (work / "matches").mkdir(parents=True, exist_ok=True)
        footage = [self._footage(name) for name in features]
        found = match_times(footage, features, work, _SEED, self._threads, self._progress)
        return [
            read_time({name: files[time] for name, files in features.items()}, path)
            for time, path in found.items()
        ]

    def _footage(self, name: str) -> Footage:
        view = self._capture.view(name)
        return Footage(name, view.video, view.source, view.source.probe())


def _counts(names: Sequence[str], matches: PooledMatches) -> dict[str, int]:
    return {
        name: sum(len(found) for pair, found in matches.pairs.items() if name in pair) for name in names
    }


def _silent(_done: int, _total: int) -> None:
    """Progress that is not shown."""
