"""The weights compared with slow loops over the paper's formulas, in floating point, colours in 0..1."""

import numpy as np
import pytest

from dynerf_encoder.importance.weights import isg_weights, ist_weights, temporal_median


def _pictures(frames: int, pixels: int, seed: int = 0) -> np.ndarray:
    """Noise over all levels in the first half of the pixels, small changes in the second."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, (frames, pixels, 3))
    values[:, pixels // 2 :] = (
        rng.integers(20, 220, (pixels - pixels // 2, 3)) + values[:, pixels // 2 :] // 16
    )
    return values.astype(np.uint8)


def _slow_isg(pictures: np.ndarray, gamma: float) -> np.ndarray:
    colours = pictures / 255
    out = np.zeros(pictures.shape[:2])
    for pixel in range(pictures.shape[1]):
        median = np.median(colours[:, pixel], axis=0)
        for t in range(len(pictures)):
            x = colours[t, pixel] - median
            out[t, pixel] = np.mean(x**2 / (x**2 + gamma**2))
    return out


def _slow_ist(pictures: np.ndarray, window: int, floor: float) -> np.ndarray:
    colours = pictures / 255
    frames = len(pictures)
    out = np.full(pictures.shape[:2], floor)
    for t in range(frames):
        for other in range(max(0, t - window), min(frames, t + window + 1)):
            out[t] = np.maximum(out[t], np.abs(colours[t] - colours[other]).mean(axis=-1))
    return out


class TestMedian:
    @pytest.mark.parametrize("frames", [1, 2, 3, 10, 255, 256, 257, 301])
    def test_it_is_numpys_median_doubled(self, frames: int) -> None:
        pictures = _pictures(frames, 40)
        doubled = temporal_median(pictures)
        assert doubled.dtype == np.uint16
        np.testing.assert_array_equal(doubled / 2, np.median(pictures, axis=0))

    @pytest.mark.parametrize("frames", [300, 511])
    def test_it_is_exact_where_all_frames_are_alike(self, frames: int) -> None:
        levels = np.arange(256, dtype=np.uint8)
        pictures = np.broadcast_to(levels[:, None], (frames, 256, 3))
        np.testing.assert_array_equal(temporal_median(pictures), 2 * pictures[0].astype(np.uint16))

    def test_no_pixels(self) -> None:
        assert temporal_median(np.zeros((4, 0, 3), np.uint8)).shape == (0, 3)


class TestIsg:
    @pytest.mark.parametrize("gamma", [1e-6, 1e-3, 2e-2, 1.0])
    @pytest.mark.parametrize("frames", [1, 2, 9, 30])
    def test_it_is_the_formula_rounded_to_255ths(self, frames: int, gamma: float) -> None:
        pictures = _pictures(frames, 60)
        weights = isg_weights(pictures, temporal_median(pictures), gamma)
        # Half a step from rounding; the rest is what single precision may add near a tie.
        assert np.abs(weights - 255 * _slow_isg(pictures, gamma)).max() <= 0.5 + 1e-3

    def test_a_difference_of_gamma_has_weight_one_half(self) -> None:
        pictures = np.full((3, 1, 3), 100, np.uint8)
        pictures[2] = 151  # 0.2 away from the median of 100, 100, 151
        weights = isg_weights(pictures, temporal_median(pictures), 0.2)
        assert weights[:, 0].tolist() == [0, 0, 128]

    def test_a_passing_object_does_not_affect_the_median(self) -> None:
        pictures = np.full((5, 1, 3), 100, np.uint8)
        pictures[1:3] = 200  # the mean would be 140, and all frames would differ from it
        weights = isg_weights(pictures, temporal_median(pictures), 2e-2)
        assert weights[[0, 3, 4], 0].tolist() == [0, 0, 0]
        assert weights[[1, 2], 0].min() > 250

    def test_weights_may_be_of_fewer_frames_than_the_median(self) -> None:
        pictures = _pictures(12, 30)
        median = temporal_median(pictures)
        some = np.array([0, 5, 11])
        np.testing.assert_array_equal(
            isg_weights(pictures[some], median, 1e-3), isg_weights(pictures, median, 1e-3)[some]
        )


class TestIst:
    @pytest.mark.parametrize("window", [1, 2, 3, 4, 7, 25, 1000])
    @pytest.mark.parametrize("frames", [1, 2, 3, 8, 26, 60])
    def test_it_is_the_formula_over_all_pairs_rounded_to_255ths(self, frames: int, window: int) -> None:
        pictures = _pictures(frames, 40)
        weights = ist_weights(pictures, window, 0.1)
        np.testing.assert_array_equal(weights, np.rint(255 * _slow_ist(pictures, window, 0.1)))

    @pytest.mark.parametrize("floor", [0.0, 0.05, 0.5, 1.0])
    def test_the_floor_is_the_smallest_weight(self, floor: float) -> None:
        pictures = _pictures(6, 40)
        weights = ist_weights(pictures, 2, floor)
        np.testing.assert_array_equal(weights, np.rint(255 * _slow_ist(pictures, 2, floor)))
        assert weights.min() >= round(255 * floor)

    def test_the_largest_possible_change_has_weight_one(self) -> None:
        pictures = np.array([[[0, 255, 0]], [[255, 0, 255]]], np.uint8)
        assert ist_weights(pictures, 1, 0.1).tolist() == [[255], [255]]

    def test_channels_that_change_in_opposite_directions_do_not_cancel(self) -> None:
        pictures = np.array([[[100, 100, 100]], [[160, 40, 100]]], np.uint8)
        assert ist_weights(pictures, 1, 0.0).tolist() == [[40], [40]]

    def test_before_and_after_count_alike(self) -> None:
        pictures = _pictures(20, 40)
        np.testing.assert_array_equal(
            ist_weights(pictures[::-1], 4, 0.1)[::-1], ist_weights(pictures, 4, 0.1)
        )

    def test_frames_beyond_the_window_do_not_count(self) -> None:
        pictures = np.zeros((9, 1, 3), np.uint8)
        pictures[0] = 255
        assert ist_weights(pictures, 3, 0.1)[:, 0].tolist() == [255] * 4 + [26] * 5

    def test_the_floor_applies_to_differences_of_colours_in_0_to_1(self) -> None:
        pictures = np.full((3, 2, 3), 100, np.uint8)
        pictures[1] += np.array([[20], [40]], np.uint8)  # 0.08 and 0.16 of full scale
        # In 0..255 a change of 20 would be far above 0.1, so the floor would have no effect.
        assert ist_weights(pictures, 1, 0.1).tolist() == [[26, 40]] * 3
