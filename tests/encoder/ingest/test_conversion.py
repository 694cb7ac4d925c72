"""Pictures are placed or undistorted into frames of one size, and what has no source is known."""

import numpy as np
import pytest

from dynerf_decoder.cameras.camera import Camera
from dynerf_encoder.captures.lens import Lens
from dynerf_encoder.captures.pinhole_frames import pinhole_cameras
from dynerf_encoder.ingest.box_average import all_in_box, box_average
from dynerf_encoder.ingest.conversion import Conversion
from dynerf_encoder.ingest.sampling import ONE, interpolate
from support.lenses import make_lens

_POSE = np.eye(4)[:3]
_LENSES = {
    "OPENCV": make_lens(96, 64, 80, 82, 50, 30, "OPENCV", (-0.12, 0.03, 0.002, -0.001)),
    "pincushion": make_lens(96, 64, 80, 80, 48, 32, "SIMPLE_RADIAL", (0.2,)),
    "OPENCV_FISHEYE": make_lens(96, 64, 60, 60, 47, 33, "OPENCV_FISHEYE", (-0.05, 0.01, 0.0, 0.0)),
}


def _camera(lens: Lens, *others: Lens) -> Camera:
    lenses = [lens, *others]
    return pinhole_cameras([f"cam{i}" for i in range(len(lenses))], lenses, [_POSE] * len(lenses))[0]


def _scene(directions: np.ndarray) -> np.ndarray:
    """A smooth colour for each direction, 0 to 255."""
    x, y = directions[:, 0] / directions[:, 2], directions[:, 1] / directions[:, 2]
    return np.stack([128 + 100 * np.sin(5 * x), 128 + 90 * np.cos(4 * y), 120 + 60 * (x - y)], axis=-1)


def _picture(lens: Lens) -> np.ndarray:
    """What a camera with this lens records of the scene."""
    rows, columns = np.divmod(np.arange(lens.width * lens.height), lens.width)
    directions = lens.directions(np.stack([columns + 0.5, rows + 0.5], axis=-1))
    return np.clip(np.round(_scene(directions)), 0, 255).astype(np.uint8).reshape(lens.height, lens.width, 3)


class TestUndistortion:
    @pytest.mark.parametrize("name", _LENSES)
    @pytest.mark.parametrize("downscale", [1, 2])
    def test_the_picture_is_that_of_the_pinhole_camera(self, name: str, downscale: int) -> None:
        lens = _LENSES[name]
        camera = _camera(lens)
        convert = Conversion(lens, camera, downscale)
        pinhole = make_lens(
            camera.width, camera.height, camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y
        )
        expected = box_average(_picture(pinhole), downscale).astype(int)
        mask = convert.has_source()
        found = convert(_picture(lens)).astype(int)
        covered = np.ones(expected.shape[:2], bool) if mask is None else mask
        assert covered.mean() > 0.9
        assert np.abs(found - expected)[covered].max() <= 3
        assert (found[~covered] <= expected[~covered] + 3).all()  # black, or black in part

    def test_corners_of_a_pincushion_lens_have_no_source_and_are_black(self) -> None:
        lens = _LENSES["pincushion"]
        convert = Conversion(lens, _camera(lens))
        mask = convert.has_source()
        assert mask is not None
        assert not mask[[0, 0, -1, -1], [0, -1, 0, -1]].any()
        assert mask[mask.shape[0] // 2].all()
        assert not convert(np.full((64, 96, 3), 200, np.uint8))[~mask].any()

    def test_what_is_seen_beyond_the_lens_limit_has_no_source(self) -> None:
        # Beyond its limit this polynomial turns back into the picture.
        lens = make_lens(64, 64, 120, 120, 32, 32, "SIMPLE_RADIAL", (-0.9,))
        wide = Camera("a", 400, 400, 120.0, 120.0, 200.0, 200.0, _POSE)
        mask = Conversion(lens, wide).has_source()
        assert mask is not None
        rows, columns = np.nonzero(mask)
        assert np.hypot(columns - 199.5, rows - 199.5).max() < 120 * lens.limit


class TestPlacing:
    def test_a_picture_of_the_frames_size_is_only_averaged(self) -> None:
        lens = make_lens(30, 20, 40.5, 41.25, 14.75, 10.5)
        convert = Conversion(lens, _camera(lens), 3)
        picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
        assert (convert.key, convert.has_source()) == ("", None)
        np.testing.assert_array_equal(convert(picture), box_average(picture, 3))

    def test_a_smaller_picture_keeps_its_pixels_and_the_rest_has_no_source(self) -> None:
        upright, wide = make_lens(12, 20, 30, 30, 6.25, 10), make_lens(20, 12, 30, 30, 10, 6)
        convert = Conversion(upright, _camera(upright, wide))
        picture = np.random.default_rng(0).integers(1, 256, (20, 12, 3), np.uint8)
        converted, mask = convert(picture), convert.has_source()
        assert mask is not None
        assert converted.shape == (20, 20, 3)
        np.testing.assert_array_equal(converted[mask].reshape(20, 12, 3), picture)
        assert not converted[~mask].any()
        assert convert.key

    def test_a_pixel_averaged_with_one_without_source_has_none(self) -> None:
        upright, wide = make_lens(12, 20, 30, 30, 6, 10), make_lens(22, 12, 30, 30, 11, 6)
        mask = Conversion(upright, _camera(upright, wide), 4).has_source()
        assert mask is not None
        np.testing.assert_array_equal(mask[0], [False, False, True, True, False])  # columns 5 to 16 of 22


def test_all_of_a_box_must_be_covered() -> None:
    mask = np.ones((5, 6), bool)
    mask[1, 2] = False
    np.testing.assert_array_equal(all_in_box(mask, 2), [[True, False, True], [True, True, True]])


def test_the_kernel_agrees_with_plain_arithmetic() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (9, 7, 3), np.uint8)
    columns = rng.integers(0, 6 * ONE + 1, 200).astype(np.int32)
    rows = rng.integers(0, 8 * ONE + 1, 200).astype(np.int32)
    columns[::17] = -1
    out = np.empty(600, np.uint8)
    interpolate(picture.reshape(-1), columns, rows, 7, 9, out)
    for index, (column, row) in enumerate(zip(columns.tolist(), rows.tolist(), strict=True)):
        if column < 0:
            expected = np.zeros(3)
        else:
            (left, across), (top, down) = divmod(column, ONE), divmod(row, ONE)
            right, bottom = min(left + 1, 6), min(top + 1, 8)
            corners = picture[[top, top, bottom, bottom], [left, right, left, right]].astype(int)
            weights = np.array(
                [
                    (ONE - across) * (ONE - down),
                    across * (ONE - down),
                    (ONE - across) * down,
                    across * down,
                ]
            )
            expected = (weights @ corners + ONE * ONE // 2) // (ONE * ONE)
        np.testing.assert_array_equal(out[3 * index : 3 * index + 3], expected)
