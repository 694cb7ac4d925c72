"""Matches between descriptors, and votes of several times on pairs."""

from pathlib import Path

import numpy as np

from dynerf_encoder.calibration.pairs.features import Features
from dynerf_encoder.calibration.pairs.matching import match, normalised
from dynerf_encoder.calibration.pairs.votes import LEAST_INLIERS, TimeMatches, pool


def _plain(first: np.ndarray, second: np.ndarray, ratio: float) -> list[tuple[int, int]]:
    angle = np.arccos(np.clip(first @ second.T, -1, 1))
    found = []
    for i in range(len(first)):
        j = int(angle[i].argmin())
        row, column = np.sort(angle[i]), np.sort(angle[:, j])
        mutual = int(angle[:, j].argmin()) == i
        if mutual and row[0] < ratio * row[1] and column[0] < ratio * column[1] and row[0] < 0.7:
            found.append((i, j))
    return found


def test_matches_equal_a_plain_loop() -> None:
    generator = np.random.default_rng(0)
    common = generator.integers(0, 256, (40, 128))
    noisy = np.clip(common + generator.integers(-20, 20, common.shape), 0, 255)
    first = np.concatenate([common, generator.integers(0, 256, (20, 128))]).astype(np.uint8)
    second = np.concatenate([generator.integers(0, 256, (15, 128)), noisy]).astype(np.uint8)
    one, two = normalised(first), normalised(second)
    found = match(one, two, 0.85)
    assert found.tolist() == [list(pair) for pair in _plain(one, two, 0.85)]
    assert {(i, i + 15) for i in range(40)} == set(map(tuple, found.tolist()))


def test_repeated_structure_is_not_matched() -> None:
    generator = np.random.default_rng(1)
    single = normalised(generator.integers(0, 256, (1, 128)).astype(np.uint8))
    twice = np.concatenate([single, single])
    assert len(match(twice, twice, 0.85)) == 0
    assert len(match(single, twice, 0.85)) == 0


def _time(pairs: dict[tuple[str, str], int], start: float) -> TimeMatches:
    positions = {name: start + np.arange(60, dtype=np.float64).reshape(30, 2) for name in ("a", "b", "c")}
    indices = np.arange(30)
    return TimeMatches(
        positions, {pair: np.column_stack([indices[:n], indices[::-1][:n]]) for pair, n in pairs.items()}
    )


def test_a_pair_needs_two_votes_and_keeps_the_matches_of_both_times() -> None:
    times = [
        _time({("a", "b"): 20, ("a", "c"): 20}, 0.0),
        _time({("a", "b"): 15, ("b", "c"): LEAST_INLIERS - 1}, 1000.0),
    ]
    pooled = pool(("a", "b", "c"), times, 2)
    assert list(pooled.pairs) == [("a", "b")]
    first, second = pooled.matched(("a", "b"))
    assert len(first) == 35
    assert np.array_equal(first[:20], times[0].positions["a"][:20])
    assert np.array_equal(second[20:], times[1].positions["b"][::-1][:15])
    assert len(pooled.positions["a"]) == 35 and len(pooled.positions["c"]) == 0


def test_features_survive_their_file(tmp_path: Path) -> None:
    features = Features(np.random.default_rng(0).random((5, 2)), np.zeros((5, 128), np.uint8))
    features.write(tmp_path / "f.npz")
    again = Features.read(tmp_path / "f.npz")
    assert np.array_equal(again.positions, features.positions)
    assert again.descriptors.dtype == np.uint8
