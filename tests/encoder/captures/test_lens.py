"""Lenses: the formulas of OpenCV and COLMAP, their inverses, and what is not a lens."""

import math
from typing import Any

import numpy as np
import pytest

from dynerf_decoder.cameras.conventions import opencv_rotation
from dynerf_encoder.captures.lens import MODELS, Lens, lens_of
from dynerf_encoder.captures.lens_fit import fit_lens
from dynerf_encoder.captures.pinhole_frames import WIDEST, is_cut, pinhole_cameras
from dynerf_format.errors import CaptureError
from support.lenses import make_lens

# Pixels of phones, action cameras, wide and long lenses, with off-centre principal points and oblong pixels.
LENSES = [
    make_lens(1088, 1920, 1681.2, 1681.0, 532.9, 948.1, "OPENCV", (-0.046, 0.139, 0.0006, 0.0007)),
    make_lens(
        640, 480, 300, 310, 330, 220, "FULL_OPENCV", (-0.2, 0.05, 0.001, -0.002, 0.01, 0.02, 0.003, 0.0001)
    ),
    make_lens(640, 480, 500, 500, 320, 240, "SIMPLE_RADIAL", (-0.1,)),
    make_lens(640, 480, 500, 500, 320, 240, "RADIAL", (0.2, 0.05)),
    make_lens(2560, 1920, 1111.36, 1111.36, 1284.7, 925.5, "RADIAL_FISHEYE", (0.09705, -0.01709)),
    make_lens(640, 480, 300, 310, 330, 220, "OPENCV_FISHEYE", (-0.02, 0.05, 0.001, -0.002)),
    make_lens(640, 480, 300, 300, 320, 240, "SIMPLE_RADIAL_FISHEYE", (0.01,)),
    make_lens(640, 480, 300, 310, 330, 220),
]


def _plain(lens: Lens, direction: np.ndarray) -> tuple[float, float]:
    """One direction, by the formulas of OpenCV's documentation, in plain numbers."""
    x, y, z = direction.tolist()
    k = dict.fromkeys(("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2"), 0.0)
    k |= dict(zip(MODELS[lens.model], lens.distortion, strict=True))
    if lens.model.endswith("FISHEYE"):
        r = math.hypot(x, y)
        theta = math.atan2(r, z)
        t = theta * (1 + k["k1"] * theta**2 + k["k2"] * theta**4 + k["k3"] * theta**6 + k["k4"] * theta**8)
        a, b = (t * x / r, t * y / r) if r else (0.0, 0.0)
    else:
        a, b = x / z, y / z
        r2 = a * a + b * b
        q = (1 + k["k1"] * r2 + k["k2"] * r2**2 + k["k3"] * r2**3) / (
            1 + k["k4"] * r2 + k["k5"] * r2**2 + k["k6"] * r2**3
        )
        a, b = (
            a * q + 2 * k["p1"] * a * b + k["p2"] * (r2 + 2 * a * a),
            b * q + k["p1"] * (r2 + 2 * b * b) + 2 * k["p2"] * a * b,
        )
    return lens.focal_x * a + lens.centre_x, lens.focal_y * b + lens.centre_y


@pytest.mark.parametrize("lens", LENSES, ids=lambda lens: lens.model)
class TestModels:
    def test_positions_are_those_of_the_formulas(self, lens: Lens) -> None:
        rng = np.random.default_rng(0)
        directions = np.column_stack([rng.uniform(-0.12, 0.12, (50, 2)), rng.uniform(0.5, 2, 50)])
        positions, seen = lens.project(directions)
        assert seen.all()
        expected = [_plain(lens, direction) for direction in directions]
        np.testing.assert_allclose(positions, expected, rtol=0, atol=1e-9)

    def test_directions_and_back_return_to_a_millionth_of_a_pixel(self, lens: Lens) -> None:
        rng = np.random.default_rng(1)
        inner = rng.random((2000, 2)) * [lens.width, lens.height]
        corners = np.array([[0, 0], [lens.width, 0], [0, lens.height], [lens.width, lens.height]], float)
        positions = np.concatenate([inner, corners])
        directions = lens.directions(positions)
        np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-12)
        found, seen = lens.project(directions)
        assert seen.all()
        assert np.abs(found - positions).max() < 1e-6

    def test_the_axis_falls_on_the_principal_point_and_what_is_behind_on_nothing(self, lens: Lens) -> None:
        positions, seen = lens.project(np.array([[0.0, 0.0, 1.0], [0.1, 0.0, -1.0]]))
        np.testing.assert_allclose(positions[0], [lens.centre_x, lens.centre_y], atol=1e-12)
        assert seen.tolist() == [True, False]


def test_the_check_value_of_the_immersive_data_set() -> None:
    # The example in the data set's README, to the digits that it states.
    lens = make_lens(
        2560, 1920, 1111.3638715594666, 1111.3638715594666, 1284.7296468363463, 925.4651609728676,
        "RADIAL_FISHEYE", (0.0970525284520715, -0.01708587111009977),
    )  # fmt: skip
    rotation = opencv_rotation([-0.03295944563072383, 0.02964606619481096, -0.03337751007195316], "test")
    centre = np.array([0.003311238794086777, 0.000126384684934784, 0.42421246053630285])
    positions, seen = lens.project((rotation @ (np.array([0.5, 0.5, 10.0]) - centre))[None])
    assert seen.all()
    np.testing.assert_allclose(positions[0], [1377.85525, 1017.61440], rtol=0, atol=5e-6)


class TestRefused:
    @pytest.mark.parametrize(
        ("model", "distortion"),
        [
            ("SIMPLE_RADIAL", (-0.5,)),  # turns back within the picture
            ("OPENCV", (0.1, -0.6, 0.0, 0.0)),
            ("OPENCV_FISHEYE", (-0.4, 0.0, 0.0, 0.0)),
            ("FULL_OPENCV", (0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0)),
        ],
    )
    def test_distortion_that_is_not_monotonic_within_the_picture(
        self, model: str, distortion: tuple[float, ...]
    ) -> None:
        with pytest.raises(CaptureError, match=r"not monotonic within the picture of 640x480"):
            make_lens(640, 480, 300, 300, 320, 240, model, distortion)

    def test_the_same_distortion_is_accepted_where_it_is_monotonic(self) -> None:
        assert make_lens(640, 480, 900, 900, 320, 240, "SIMPLE_RADIAL", (-0.5,)).limit < 1

    @pytest.mark.parametrize(
        ("values", "found"),
        [
            ((0, 480, 300, 300, 320, 240), "pictures of 0x480"),
            ((640, 480, -300, 300, 320, 240), "focal lengths -300 and 300"),
            ((640, 480, 300, math.nan, 320, 240), "positive focal lengths, in finite pixels"),
            ((640, 480, 300, 300, math.inf, 240), "principal point"),
            ((640, 480, 300, 300, 320, 240, "FOV", (0.9,)), "lens model 'FOV', expected one of PINHOLE"),
            (
                (640, 480, 300, 300, 320, 240, "OPENCV", (0.1,)),
                "OPENCV: 1 coefficients, expected 4 .k1 to p2",
            ),
            ((640, 480, 300, 300, 320, 240, "RADIAL", (math.nan, 0.0)), "expected small, finite numbers"),
        ],
    )
    def test_values_that_are_not_a_lens(self, values: tuple[Any, ...], found: str) -> None:
        with pytest.raises(CaptureError, match=found):
            make_lens(*values)


def test_a_lens_has_the_simplest_model_that_holds_its_coefficients() -> None:
    size, intrinsics = (640, 480), (300.0, 300.0, 320.0, 240.0)
    assert lens_of("OPENCV", size, intrinsics, {"k1": 0.0}).model == "PINHOLE"
    assert lens_of("OPENCV", size, intrinsics, {"k1": 0.1}).distortion == (0.1, 0.0, 0.0, 0.0)
    assert lens_of("OPENCV", size, intrinsics, {"k3": 0.1}).model == "FULL_OPENCV"
    assert lens_of("OPENCV_FISHEYE", size, intrinsics, {}).model == "OPENCV_FISHEYE"


class TestFit:
    LENS = make_lens(1088, 1920, 1600.0, 1601.0, 530.0, 950.0, "OPENCV", (-0.04, 0.1, 0.0, 0.0))

    def test_scaled_pictures_scale_all_intrinsics(self) -> None:
        fitted, note = fit_lens(self.LENS, 544, 960, "cam00")
        assert note is None
        assert (fitted.focal_x, fitted.focal_y, fitted.centre_x, fitted.centre_y) == (800, 800.5, 265, 475)
        assert fitted.distortion == self.LENS.distortion

    def test_slightly_narrower_pictures_count_as_cropped_equally_at_both_sides(self) -> None:
        fitted, note = fit_lens(self.LENS, 1080, 1920, "cam00")
        assert (fitted.focal_x, fitted.centre_x, fitted.centre_y) == (1600, 526, 950)
        assert note == (
            "1080x1920, calibrated as 1088x1920: taken as cropped equally at both sides, by 4 pixels each"
        )

    def test_another_aspect_ratio_is_refused(self) -> None:
        with pytest.raises(CaptureError, match="the video is 1920x1080, the pose was made for 1088x1920"):
            fit_lens(self.LENS, 1920, 1080, "cam00")

    def test_a_calibration_of_pictures_before_turning_is_named(self) -> None:
        lens = make_lens(1920, 1080, 1600.0, 1600.0, 960.0, 540.0)
        with pytest.raises(
            CaptureError,
            match="or the calibration is of pictures before they are turned",
        ):
            fit_lens(lens, 1080, 1920, "cam00")


class TestPinholeFrames:
    POSE = np.eye(4)[:3]

    def test_cameras_of_one_size_without_distortion_stay_as_they_are(self) -> None:
        lens = make_lens(640, 480, 300.25, 310.5, 330.125, 220.75)
        (camera,) = pinhole_cameras(["a"], [lens], [self.POSE])
        assert (camera.width, camera.height) == (640, 480)
        assert (camera.focal_x, camera.focal_y) == (300.25, 310.5)
        assert (camera.centre_x, camera.centre_y) == (330.125, 220.75)

    def test_upright_and_wide_pictures_share_a_frame_that_holds_both(self) -> None:
        upright, wide = make_lens(48, 64, 60, 60, 24, 32), make_lens(64, 48, 90, 90, 30, 24)
        one, other = pinhole_cameras(["a", "b"], [upright, wide], [self.POSE] * 2)
        assert (one.width, one.height) == (other.width, other.height) == (64, 64)
        assert (one.centre_x, one.centre_y, one.focal_x) == (32, 32, 60)
        assert (other.centre_x, other.centre_y, other.focal_x) == (30, 32, 90)

    def test_a_distorted_picture_spans_its_middle_row_and_column(self) -> None:
        lens = LENSES[0]
        (camera,) = pinhole_cameras(["a"], [lens], [self.POSE])
        edge = lens.directions(np.array([[0.0, lens.centre_y], [lens.width, lens.centre_y]]))
        left, right = lens.focal_x * np.abs(edge[:, 0] / edge[:, 2])
        assert camera.centre_x == pytest.approx(left, abs=1)
        assert camera.width - camera.centre_x == pytest.approx(right, abs=2)
        assert not is_cut(lens)

    def test_a_fisheye_is_cut_at_fifty_degrees(self) -> None:
        lens = LENSES[4]
        (camera,) = pinhole_cameras(["a"], [lens], [self.POSE])
        assert is_cut(lens)
        assert math.degrees(math.atan(camera.centre_x / camera.focal_x)) == pytest.approx(WIDEST, abs=0.05)
