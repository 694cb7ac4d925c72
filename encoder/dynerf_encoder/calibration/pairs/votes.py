"""Votes of several times on pairs of cameras: their geometry stays, and false matches do not repeat.

Matches are found and verified within each time. A pair is kept when enough times verified it; then the
inliers of all times count as matches of one picture that holds the features of all times.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Pair = tuple[str, str]
"""Names of two cameras, in the order of the capture."""

LEAST_INLIERS = 12  # of one time, to count as a vote


@dataclass(frozen=True, eq=False)
class TimeMatches:
    """One time: every camera's feature positions, and the verified matches of pairs (indices into them)."""

    positions: Mapping[str, Float[np.ndarray, "n 2"]]
    pairs: Mapping[Pair, Int[np.ndarray, "k 2"]]


@dataclass(frozen=True, eq=False)
class PooledMatches:
    """All times as one: only positions that occur in a match are kept."""

    positions: Mapping[str, Float[np.ndarray, "n 2"]]
    pairs: Mapping[Pair, Int[np.ndarray, "k 2"]]

    def matched(self, pair: Pair) -> tuple[Float[np.ndarray, "k 2"], Float[np.ndarray, "k 2"]]:
        """Matched positions of a pair."""
        first, second = self.pairs[pair].T
        return self.positions[pair[0]][first], self.positions[pair[1]][second]


def pool(cameras: Sequence[str], times: Sequence[TimeMatches], votes: int) -> PooledMatches:
    """The pairs that at least ``votes`` of the times verified, with the inliers of all times."""
    starts = {name: _starts(name, times) for name in cameras}
    pairs: dict[Pair, np.ndarray] = {}
    for pair in _all_pairs(times):
        found = [
            time.pairs[pair] + [starts[pair[0]][index], starts[pair[1]][index]]
            for index, time in enumerate(times)
            if pair in time.pairs and len(time.pairs[pair]) >= LEAST_INLIERS
        ]
        if len(found) >= votes:
            pairs[pair] = np.concatenate(found)
    positions = {name: np.concatenate([time.positions[name] for time in times]) for name in cameras}
    return _only_used(PooledMatches(positions, pairs))


def _starts(name: str, times: Sequence[TimeMatches]) -> Int[np.ndarray, " time"]:
    counts = [len(time.positions[name]) for time in times]
    return np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)


def _all_pairs(times: Iterable[TimeMatches]) -> list[Pair]:
    return sorted({pair for time in times for pair in time.pairs})


def _only_used(pooled: PooledMatches) -> PooledMatches:
    """Without the positions that no match refers to."""
    used = {name: np.zeros(len(found), bool) for name, found in pooled.positions.items()}
    for (first, second), matches in pooled.pairs.items():
        used[first][matches[:, 0]] = True
        used[second][matches[:, 1]] = True
    renumbered = {name: np.cumsum(kept) - 1 for name, kept in used.items()}
    pairs = {
        (first, second): np.column_stack([renumbered[first][found[:, 0]], renumbered[second][found[:, 1]]])
        for (first, second), found in pooled.pairs.items()
    }
    return PooledMatches({name: pooled.positions[name][kept] for name, kept in used.items()}, pairs)
