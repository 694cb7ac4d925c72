"""The mean axis of a rig and whether its cameras share it; the tests of paths cover the rest."""

import numpy as np
import pytest

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.rig import mean_axis, shares_viewing_direction


def _rotated(degrees: float) -> Camera:
    """A camera at the origin that looks along -z, rotated about the vertical axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    pose = np.array([[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 0]])
    return Camera("cam00", 160, 120, 150.0, 150.0, 80.0, 60.0, pose)


@pytest.mark.parametrize(("degrees", "expected"), [(0, True), (44.9, True), (45.1, False), (120, False)])
def test_cameras_share_a_direction_within_45_degrees_of_their_mean_axis(
    degrees: float, expected: bool
) -> None:
    cameras = [_rotated(-degrees), _rotated(degrees)]
    assert shares_viewing_direction(cameras) is expected


def test_opposite_cameras_have_no_mean_axis() -> None:
    opposite = [_rotated(0), _rotated(180)]
    np.testing.assert_array_equal(mean_axis(opposite), np.zeros(3))
    assert not shares_viewing_direction(opposite)
    np.testing.assert_allclose(mean_axis([_rotated(-20), _rotated(20)]), [0, 0, -1], atol=1e-12)
