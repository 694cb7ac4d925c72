"""The check of rotation matrices from files and messages, and the nearest rotation."""

import re

import numpy as np
import pytest

from dynerf_decoder.cameras.rotation import TOLERANCE, are_rotations, nearest_rotation, rotation_fault

_ANGLE = 0.7
_ROTATION = np.array([[np.cos(_ANGLE), -np.sin(_ANGLE), 0], [np.sin(_ANGLE), np.cos(_ANGLE), 0], [0, 0, 1.0]])
_MIRROR = np.diag([1.0, 1.0, -1.0])
_CASES = [
    (_ROTATION, None),
    (np.round(_ROTATION, 3), None),
    (_ROTATION * np.sqrt(1 + 0.9 * TOLERANCE), None),
    (_ROTATION * np.sqrt(1 + 1.1 * TOLERANCE), r"is not a rotation, off by 0\.011 in R\^T R"),
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


def test_many_matrices_are_checked_as_one_is() -> None:
    matrices = np.stack([matrix for matrix, _ in _CASES])
    assert are_rotations(matrices).tolist() == [fault is None for _, fault in _CASES]


def test_the_nearest_rotation_undoes_scale_and_rounding_and_never_mirrors() -> None:
    np.testing.assert_allclose(nearest_rotation(1.004 * _ROTATION), _ROTATION, atol=1e-12)
    assert are_rotations(nearest_rotation(np.stack([_ROTATION @ _MIRROR, np.round(_ROTATION, 2)]))).all()
