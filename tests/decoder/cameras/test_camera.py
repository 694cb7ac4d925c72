"""Cameras: rays and projection are inverses, and rescaled cameras see the same world."""

from pathlib import Path

import numpy as np
import pytest

from dynerf_decoder.cameras.camera import Camera, camera_rays, pixel_directions
from dynerf_encoder.captures.poses import read_poses
from support.lenses import cameras_of

_CANDLE = Path(__file__).resolve().parents[3] / "samples/candle"


def _candle() -> list[Camera]:
    names = tuple(sorted(path.stem for path in _CANDLE.glob("cam*.mp4")))
    return list(cameras_of(read_poses(_CANDLE / "poses_bounds.npy", names)))


def _random_camera(seed: int) -> Camera:
    """Any pose, unequal focal lengths, principal point off the middle."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation[:, 0] *= np.linalg.det(rotation)
    pose = np.concatenate([rotation, rng.normal(size=(3, 1)) * 5], axis=1)
    return Camera("random", 64, 48, 70.0, 55.0, 30.5, 27.25, pose)


_CAMERAS = [*_candle(), *(_random_camera(seed) for seed in range(4))]


def _project_slowly(camera: Camera, point: np.ndarray) -> tuple[float, float]:
    """Dot products with the camera's axes, one at a time."""
    right, up, backwards = (camera.camera_to_world[:, axis] for axis in range(3))
    towards = [point[i] - camera.camera_to_world[i, 3] for i in range(3)]
    x = sum(towards[i] * right[i] for i in range(3))
    y = sum(towards[i] * up[i] for i in range(3))
    depth = -sum(towards[i] * backwards[i] for i in range(3))
    return camera.centre_x + camera.focal_x * x / depth, camera.centre_y - camera.focal_y * y / depth


@pytest.mark.parametrize("camera", _CAMERAS, ids=lambda camera: camera.name)
def test_a_point_on_a_pixels_ray_projects_to_that_pixel(camera: Camera) -> None:
    rng = np.random.default_rng(0)
    columns, rows = rng.uniform(0, camera.width, 50), rng.uniform(0, camera.height, 50)
    directions = pixel_directions(camera, columns, rows)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-12)
    points = camera.origin + rng.uniform(0.1, 9, (50, 1)) * directions
    np.testing.assert_allclose(camera.project(points), np.stack([columns, rows], axis=1), atol=1e-9)
    for point, pixel in zip(points, camera.project(points), strict=True):
        np.testing.assert_allclose(_project_slowly(camera, point), pixel, atol=1e-9)


@pytest.mark.parametrize("camera", _CAMERAS[::5], ids=lambda camera: camera.name)
def test_rays_come_row_by_row_through_pixel_centres(camera: Camera) -> None:
    origins, directions = camera_rays(camera)
    assert directions.shape == (camera.width * camera.height, 3)
    np.testing.assert_array_equal(origins.numpy(), np.tile(camera.origin, (len(origins), 1)))
    for column, row in [(0, 0), (camera.width - 1, 0), (3, 7), (camera.width - 1, camera.height - 1)]:
        ray = directions[row * camera.width + column].double().numpy()
        pixel = camera.project((camera.origin + 2 * ray)[None])[0]
        np.testing.assert_allclose(pixel, [column + 0.5, row + 0.5], atol=1e-3)


@pytest.mark.parametrize("pixels", [slice(5, 40), slice(3, None, 7), slice(None, None, -11), slice(9, 9)])
def test_rays_of_a_range_of_pixels_are_those_of_the_picture(pixels: slice) -> None:
    camera = _CAMERAS[0]
    origins, directions = camera_rays(camera, "cpu", pixels)
    chosen = np.arange(camera.width * camera.height)[pixels]
    rows, columns = np.divmod(chosen, camera.width)
    expected = pixel_directions(camera, columns + 0.5, rows + 0.5)
    np.testing.assert_allclose(directions.numpy(), expected, atol=1e-7)
    assert origins.shape == directions.shape


def test_axes_are_opengls() -> None:
    camera = Camera("plain", 64, 48, 50.0, 50.0, 32.0, 24.0, np.eye(4)[:3])
    np.testing.assert_array_equal(camera.forward, [0, 0, -1])
    right_and_up = camera.project(np.array([[1.0, 1.0, -10.0]]))[0]
    np.testing.assert_allclose(right_and_up, [32 + 5, 24 - 5])


@pytest.mark.parametrize("camera", _CAMERAS[::4], ids=lambda camera: camera.name)
@pytest.mark.parametrize("size", [(512, 384), (100, 75), (640, 192), (50, 300)])
def test_another_size_keeps_the_vertical_field_of_view_and_square_pixels(
    camera: Camera, size: tuple[int, int]
) -> None:
    other = camera.with_size(*size)
    scale = size[1] / camera.height
    assert (other.width, other.height) == size
    assert other.focal_x / other.focal_y == pytest.approx(camera.focal_x / camera.focal_y)
    columns, rows = np.array([3.0, 31.0, 60.0]), np.array([0.0, 20.0, float(camera.height)])
    points = camera.origin + 4 * pixel_directions(camera, columns, rows)
    expected = [size[0] / 2 + (columns - camera.width / 2) * scale, rows * scale]
    np.testing.assert_allclose(other.project(points), np.stack(expected, axis=1), atol=1e-9)


@pytest.mark.parametrize("camera", _CAMERAS[::4], ids=lambda camera: camera.name)
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_a_downscaled_pixel_covers_factor_by_factor_pixels(camera: Camera, factor: int) -> None:
    small = camera.downscaled(factor)
    assert (small.width, small.height) == (camera.width // factor, camera.height // factor)
    column, row = 5, 11
    corners = np.array([[column, row], [column + 1, row + 1]], dtype=float)
    rays = pixel_directions(small, corners[:, 0], corners[:, 1])
    np.testing.assert_allclose(camera.project(camera.origin + rays), corners * factor, atol=1e-9)
