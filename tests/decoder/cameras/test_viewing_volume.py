"""The hull of camera positions: its corners, and distances from it, against brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls  # type: ignore[import-untyped]

from dynerf_decoder.cameras.viewing_volume import (
    ViewingVolume,
    distance_to_hull,
    hull_corners,
    nearest_in_hull,
)

_CUBE = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))


def _slow_distance(points: np.ndarray, position: np.ndarray) -> float:
    """Non-negative weights whose sum is constrained to one by a large penalty."""
    penalty = 1e4
    system = np.concatenate([points.T, penalty * np.ones((1, len(points)))])
    weights, _ = nnls(system, np.append(position, penalty))
    return float(np.linalg.norm(weights @ points / weights.sum() - position))


class TestDistance:
    @pytest.mark.parametrize(
        ("position", "expected"),
        [
            ((0, 0, 0), 0),
            ((1, 1, 1), 0),
            ((0.5, -1, 0.3), 0),
            ((3, 0, 0), 2),
            ((2, 2, 0), 2**0.5),
            ((3, 3, 3), 12**0.5),
        ],
    )  # fmt: skip
    def test_to_a_cube(self, position: tuple[float, ...], expected: float) -> None:
        point = np.array(position, float)
        assert distance_to_hull(_CUBE, point) == pytest.approx(expected, abs=1e-6)
        inside = nearest_in_hull(_CUBE, point)
        np.testing.assert_allclose(inside, point.clip(-1, 1), atol=1e-6)

    @settings(max_examples=60, deadline=None)
    @given(count=st.integers(1, 30), seed=st.integers(0, 2**16), flat=st.integers(0, 2))
    def test_agrees_with_slow_optimisation_for_flat_rigs_too(self, count: int, seed: int, flat: int) -> None:
        rng = np.random.default_rng(seed)
        points = rng.standard_normal((count, 3))
        points[:, 3 - flat :] = 0.5
        position = 2 * rng.standard_normal(3)
        assert distance_to_hull(points, position) == pytest.approx(_slow_distance(points, position), abs=1e-3)
        assert distance_to_hull(points, points.mean(axis=0)) == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize("scale", [1e-2, 1.0, 1e4])
    def test_far_from_flat_rigs_of_any_scale_is_outside(self, scale: float) -> None:
        """From far away a rig is almost a point: rounding must not count such a position as inside."""
        rng = np.random.default_rng(2)
        for count in range(1, 20):
            points = scale * rng.standard_normal((count, 3))
            points[:, 3 - count % 3 :] = 0.5
            for position in 5 * scale * rng.standard_normal((10, 3)) + [20 * scale, 0, 0]:
                expected = scale * _slow_distance(points / scale, position / scale)
                found = distance_to_hull(points, position)
                assert found == pytest.approx(expected, rel=1e-3)


class TestCorners:
    def test_enclosed_and_repeated_points_are_removed(self) -> None:
        inner = np.array([[0, 0, 0], [0.5, 1, 1], [1, 1, 0.2], [0.9, -0.9, 0.9]])
        found = hull_corners(np.concatenate([inner, _CUBE, _CUBE[:3]]))
        np.testing.assert_array_equal(found, np.unique(_CUBE, axis=0))

    def test_a_row_of_cameras_has_two_and_one_camera_one(self) -> None:
        row = np.array([[x, 2.0, 3 * x] for x in (0.0, 1.0, 2.0, 5.0)])
        np.testing.assert_array_equal(hull_corners(row), row[[0, 3]])
        np.testing.assert_array_equal(hull_corners(np.ones((4, 3))), np.ones((1, 3)))


class TestViewingVolume:
    def test_without_corners_everywhere_is_inside(self) -> None:
        volume = ViewingVolume(np.zeros((0, 3)))
        assert (volume.distance(np.array([1e6, 0.0, 0.0])), volume.margin) == (0, 0)

    def test_the_margin_is_a_tenth_of_the_diagonal(self) -> None:
        volume = ViewingVolume(_CUBE)
        assert volume.margin == pytest.approx(0.1 * 12**0.5)
        assert volume.distance(np.array([3.0, 0.0, 0.0])) == pytest.approx(2)
