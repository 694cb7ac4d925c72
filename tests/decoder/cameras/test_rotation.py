"""The check of rotation matrices from files and messages, and the nearest rotation."""

import re

import numpy as np
import pytest

from dynerf_decoder.cameras.rotation import nearest_rotation, rotation_fault, rotation_of_vector

_ANGLE = 0.7
_ROTATION = np.array([[np.cos(_ANGLE), -np.sin(_ANGLE), 0], [np.sin(_ANGLE), np.cos(_ANGLE), 0], [0, 0, 1.0]])
_MIRROR = np.diag([1.0, 1.0, -1.0])
_CASES = [
    (_ROTATION, None),
    (np.round(_ROTATION, 3), None),
    (_ROTATION * np.sqrt(1 + 0.009), None),
    (_ROTATION * np.sqrt(1 + 0.011), r"is not a rotation, off by 0\.011 in R\^T R"),
    (_ROTATION @ _MIRROR, r"mirrors the world \(determinant -1\)"),
    (np.zeros((3, 3)), "is not a rotation, off by 1 "),
    (np.full((3, 3), np.nan), "is not a rotation, off by nan"),
    (np.full((3, 3), 1e200), "is not a rotation, off by inf"),
]


@pytest.mark.parametrize(("matrix", "fault"), _CASES)
def test_what_keeps_a_matrix_from_being_a_rotation_is_said(matrix: np.ndarray, fault: str | None) -> None:
    found = rotation_fault(matrix)
    if fault is None:
        assert found is None
    else:
        assert found is not None
        assert re.match(fault, found)


def test_the_nearest_rotation_undoes_scale_and_rounding_and_never_mirrors() -> None:
    np.testing.assert_allclose(nearest_rotation(1.004 * _ROTATION), _ROTATION, atol=1e-12)
    for matrix in nearest_rotation(np.stack([_ROTATION @ _MIRROR, np.round(_ROTATION, 2)])):
        np.testing.assert_allclose(matrix.T @ matrix, np.eye(3), atol=1e-12)
        assert np.linalg.det(matrix) > 0


def test_a_rotation_vector_is_an_axis_times_an_angle() -> None:
    np.testing.assert_allclose(rotation_of_vector(np.array([0, 0, _ANGLE])), _ROTATION, atol=1e-15)
    np.testing.assert_array_equal(rotation_of_vector(np.zeros(3)), np.eye(3))
