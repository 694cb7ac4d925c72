"""Offsets of all cameras from scores of pairs: exact where pairs are clear, without confidence where not."""

import numpy as np

from dynerf_encoder.calibration.synchronisation.offsets import PairScores, joint_offsets, margin

_REACH = 10


def _scores(lag: int, generator: np.random.Generator, height: float = 1.0) -> np.ndarray:
    noise = 0.1 * generator.standard_normal(2 * _REACH + 1)
    noise[_REACH + lag] += height
    return noise


def test_offsets_follow_from_the_pairs_lags() -> None:
    generator = np.random.default_rng(0)
    truth = [0, 3, -2, 5]
    pairs = [
        PairScores(i, j, _scores(truth[i] - truth[j], generator)) for i in range(4) for j in range(i + 1, 4)
    ]
    found = joint_offsets(4, pairs)
    assert [offset - found.whole[0] for offset in found.whole] == truth
    assert all(found.clear)


def test_a_wrong_pair_is_outvoted() -> None:
    generator = np.random.default_rng(1)
    truth = [0, 3, -2, 5]
    pairs = [
        PairScores(i, j, _scores(truth[i] - truth[j] if (i, j) != (0, 1) else 7, generator))
        for i in range(4)
        for j in range(i + 1, 4)
    ]
    assert [offset - joint_offsets(4, pairs).whole[0] for offset in joint_offsets(4, pairs).whole] == truth


def test_a_fraction_of_a_frame_is_the_vertex_of_the_peak() -> None:
    lags = np.arange(-_REACH, _REACH + 1)
    found = joint_offsets(2, [PairScores(0, 1, 1 - 0.01 * (lags - 2.25) ** 2)])
    assert found.whole[0] - found.whole[1] == 2
    assert abs(found.fractions[0] - 0.25) < 1e-9


def test_noise_has_a_low_margin_and_an_unpaired_camera_none() -> None:
    generator = np.random.default_rng(2)
    found = joint_offsets(3, [PairScores(0, 1, 0.1 * generator.standard_normal(2 * _REACH + 1))])
    assert found.margins[0] < 3
    assert found.margins[2] == 0 and not found.clear[2]


def test_pairs_that_contradict_each_other_are_not_clear() -> None:
    generator = np.random.default_rng(3)
    lags = {(0, 1): 3, (0, 2): -5, (0, 3): 8, (1, 2): 6, (1, 3): -2, (2, 3): -9}
    pairs = [PairScores(i, j, _scores(lag, generator)) for (i, j), lag in lags.items()]
    assert not any(joint_offsets(4, pairs).clear)


def test_margin_ignores_the_frames_beside_the_peak() -> None:
    curve = 0.01 * np.random.default_rng(4).standard_normal(21)
    curve[9:12], curve[3] = [0.9, 1.0, 0.9], 0.1
    assert margin(curve) > margin(np.where(np.arange(21) == 3, 0.8, curve))
