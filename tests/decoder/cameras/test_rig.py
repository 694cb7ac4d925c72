"""Whether a rig's cameras look one way, which encoder and decoder rely on; the paths' tests show the rest."""

import numpy as np
import pytest

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.rig import mean_axis, shares_viewing_direction


def _turned(degrees: float) -> Camera:
    """A camera at the origin that looks along -z, turned about the vertical axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    pose = np.array([[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 0]])
    return Camera("cam00", 160, 120, 150.0, 150.0, 80.0, 60.0, pose)


@pytest.mark.parametrize(("degrees", "one_way"), [(0, True), (44.9, True), (45.1, False), (120, False)])
def test_a_rig_looks_one_way_within_45_degrees_of_its_mean_axis(degrees: float, one_way: bool) -> None:
    cameras = [_turned(-degrees), _turned(degrees)]
    assert shares_viewing_direction(cameras) is one_way


def test_cameras_that_look_apart_have_no_mean_axis() -> None:
    apart = [_turned(0), _turned(180)]
    np.testing.assert_array_equal(mean_axis(apart), np.zeros(3))
    assert not shares_viewing_direction(apart)
    np.testing.assert_allclose(mean_axis([_turned(-20), _turned(20)]), [0, 0, -1], atol=1e-12)
