"""Cameras from OpenCV, COLMAP and nerfstudio project as in those programs, and round trips are exact."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from dynerf_decoder.cameras.camera import Camera, Cameras
from dynerf_format.errors import ViewError

_SIZE = (640, 480)
_MATRIX = np.array([[500.0, 0, 320.5], [0, 480.0, 237.25], [0, 0, 1]])
_POINTS = np.random.default_rng(1).normal(size=(20, 3))


def _rotation(seed: int) -> np.ndarray:
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    rotation[:, 0] *= np.linalg.det(rotation)
    return np.asarray(rotation)


def _opencv_pixels(
    matrix: np.ndarray, rotation: np.ndarray, translation: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """OpenCV's projectPoints without distortion: u = fx X / Z + cx, v = fy Y / Z + cy."""
    x, y, z = (points @ rotation.T + translation).T
    return np.stack([matrix[0, 0] * x / z + matrix[0, 2], matrix[1, 1] * y / z + matrix[1, 2]], axis=1)


@pytest.mark.parametrize("seed", range(4))
def test_an_opencv_camera_projects_by_opencvs_formula(seed: int) -> None:
    rotation, translation = _rotation(seed), np.array([0.1, -0.2, 6.0])
    camera = Camera.from_opencv(_MATRIX, rotation, translation, size=_SIZE)
    expected = _opencv_pixels(_MATRIX, rotation, translation, _POINTS)
    # The centre of the first pixel is (0, 0) to OpenCV and (0.5, 0.5) here.
    np.testing.assert_allclose(camera.project(_POINTS), expected + 0.5, atol=1e-9)
    for found, original in zip(camera.to_opencv(), (_MATRIX, rotation, translation), strict=True):
        np.testing.assert_allclose(found, original, atol=1e-12)


def test_an_opencv_camera_at_the_origin_looks_along_z_with_y_down() -> None:
    camera = Camera.from_opencv(_MATRIX, np.eye(3), np.zeros(3), size=_SIZE, name="front")
    assert (camera.name, camera.width, camera.height) == ("front", 640, 480)
    np.testing.assert_array_equal(camera.forward, [0, 0, 1])
    np.testing.assert_array_equal(camera.camera_to_world[:, 1], [0, -1, 0])
    below = camera.project(np.array([[0.0, 1.0, 10.0]]))[0]
    np.testing.assert_allclose(below, [321.0, 237.75 + 48.0])


def test_vectors_may_be_columns_as_solve_pnp_returns_them() -> None:
    vector, translation = np.array([[0.1], [0.2], [0.3]]), np.array([[1.0], [2.0], [3.0]])
    column = Camera.from_opencv(_MATRIX, vector, translation, size=_SIZE)
    row = Camera.from_opencv(_MATRIX, vector[:, 0], translation[:, 0], size=_SIZE)
    np.testing.assert_array_equal(column.camera_to_world, row.camera_to_world)


@pytest.mark.parametrize("vector", [[0.3, -1.2, 2.0], [0.0, 0.0, 0.0], [np.pi, 0.0, 0.0]])
def test_an_opencv_rotation_vector_turns_by_its_length_about_its_direction(vector: list[float]) -> None:
    camera = Camera.from_opencv(_MATRIX, vector, [0, 0, 0], size=_SIZE)
    _, rotation, _ = camera.to_opencv()
    np.testing.assert_allclose(rotation @ vector, vector, atol=1e-12)
    assert np.trace(rotation) == pytest.approx(1 + 2 * np.cos(np.linalg.norm(vector)))
    if np.linalg.norm(vector) == pytest.approx(np.pi):
        return
    skew = (rotation - rotation.T) / 2  # the sine of the angle times the axis, as a cross product
    axis = np.array([skew[2, 1], skew[0, 2], skew[1, 0]])
    assert axis @ np.array(vector) >= 0


@pytest.mark.parametrize("seed", range(4))
def test_a_colmap_camera_projects_by_its_quaternion_and_round_trips(seed: int) -> None:
    rng = np.random.default_rng(seed)
    quaternion = rng.normal(size=4)
    quaternion *= np.sign(quaternion[0]) / np.linalg.norm(quaternion)
    translation = np.array([0.5, 0.25, 7.0])
    params = (500.0, 480.0, 321.0, 237.0)
    camera = Camera.from_colmap("PINHOLE", params, quaternion, translation, size=_SIZE)
    # Rotate each point by q p q*, as COLMAP's documentation has it.
    w, vector = quaternion[0], quaternion[1:]
    cross = np.cross(vector, _POINTS)
    local = _POINTS + 2 * (w * cross + np.cross(vector, cross)) + translation
    expected = np.stack(
        [500 * local[:, 0] / local[:, 2] + 321, 480 * local[:, 1] / local[:, 2] + 237], axis=1
    )
    np.testing.assert_allclose(camera.project(_POINTS), expected, atol=1e-9)
    model, found, turn, shift = camera.to_colmap()
    assert (model, found) == ("PINHOLE", params)
    np.testing.assert_allclose(turn, quaternion, atol=1e-12)
    np.testing.assert_allclose(shift, translation, atol=1e-12)


def test_colmaps_simple_pinhole_has_one_focal_length() -> None:
    camera = Camera.from_colmap("SIMPLE_PINHOLE", (500, 320, 240), (1, 0, 0, 0), (0, 0, 0), size=_SIZE)
    assert (camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y) == (500, 500, 320, 240)


def test_a_nerfstudio_camera_keeps_its_pose_and_round_trips() -> None:
    pose = np.column_stack([_rotation(7), [1.0, 2.0, 3.0]])
    record: dict[str, object] = {
        "w": 640, "h": 480, "fl_x": 500.0, "fl_y": 480.0, "cx": 321.0, "cy": 237.0, "k1": 0.0,
        "transform_matrix": [*pose.tolist(), [0, 0, 0, 1]],
    }  # fmt: skip
    camera = Camera.from_nerfstudio(record, name="one")
    np.testing.assert_allclose(camera.camera_to_world, pose, atol=1e-12)
    del record["k1"]
    found = camera.to_nerfstudio()
    np.testing.assert_allclose(
        np.array(found.pop("transform_matrix")), np.array(record.pop("transform_matrix"))
    )
    assert found == record


def test_nerfstudios_defaults_are_square_pixels_and_a_centred_principal_point() -> None:
    camera = Camera.from_nerfstudio({"w": 64, "h": 48, "fl_x": 50, "transform_matrix": np.eye(4).tolist()})
    assert (camera.focal_y, camera.centre_x, camera.centre_y) == (50, 32, 24)


_MIRROR = np.diag([1.0, 1.0, -1.0])  # a mirror
_RECORD: Mapping[str, Any] = {"w": 64, "h": 48, "fl_x": 50, "transform_matrix": np.eye(4).tolist()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (np.eye(4), np.eye(3), np.zeros(3), _SIZE),
            r"K: found numbers of shape \(4, 4\), expected .* \(3, 3\)",
        ),
        ((_MATRIX + np.eye(3, k=1), np.eye(3), np.zeros(3), _SIZE), "skew"),
        ((_MATRIX, _MIRROR, np.zeros(3), _SIZE), "mirrors the world"),
        ((_MATRIX, 2 * np.eye(3), np.zeros(3), _SIZE), "not a rotation"),
        (
            (_MATRIX, np.zeros(2), np.zeros(3), _SIZE),
            r"rotation: found numbers of shape \(2,\), expected .* \(3,\)",
        ),
        ((_MATRIX, np.eye(3), [0, np.nan, 0], _SIZE), "translation: found numbers .* expected finite"),
        ((_MATRIX, np.eye(3), ["a", 0, 0], _SIZE), "translation: expected numbers"),
        ((_MATRIX, [[1, 0], [0]], np.zeros(3), _SIZE), "rotation: expected numbers"),
        ((_MATRIX, np.eye(3), np.zeros(3), (0, 48)), "size 0x48"),
        ((-_MATRIX + [[0, 0, 0], [0, 0, 0], [0, 0, 2]], np.eye(3), np.zeros(3), _SIZE), "focal lengths -500"),
    ],
)
def test_what_is_not_an_opencv_pinhole_camera_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ViewError, match=f"from_opencv.*{message}"):
        Camera.from_opencv(*arguments)


@pytest.mark.parametrize(
    ("model", "params", "quaternion", "message"),
    [
        ("OPENCV", (1,) * 8, (1, 0, 0, 0), "model OPENCV with 8 parameters"),
        ("PINHOLE", (1, 1, 1), (1, 0, 0, 0), "model PINHOLE with 3 parameters"),
        ("PINHOLE", (1, 1, 1, 1), (2, 0, 0, 0), "quaternion of length 2, expected 1"),
        ("PINHOLE", (1, 1, 1, 1), (1, 0, 0), r"quaternion: found numbers of shape \(3,\)"),
    ],
)
def test_what_is_not_a_colmap_pinhole_camera_is_refused(
    model: str, params: tuple[float, ...], quaternion: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ViewError, match=f"from_colmap.*{message}"):
        Camera.from_colmap(model, params, quaternion, (0, 0, 0), _SIZE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k1": 0.1, "p2": 0.2}, "k1, p2 not 0, expected undistorted pictures"),
        ({"transform_matrix": np.eye(3).tolist()}, r"shape \(3, 3\), expected .* \(4, 4\)"),
        ({"transform_matrix": None}, r"shape \(\), expected"),
        ({"transform_matrix": np.zeros((4, 4)).tolist()}, "not a rotation"),
        ({"w": "wide"}, "w, h, fl_x: expected numbers"),
    ],
)
def test_what_is_not_a_nerfstudio_pinhole_camera_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ViewError, match=f"from_nerfstudio.*{message}"):
        Camera.from_nerfstudio({**_RECORD, **change})


def test_nerfstudio_without_a_size_is_refused() -> None:
    with pytest.raises(ViewError, match="from_nerfstudio: h, fl_x missing"):
        Camera.from_nerfstudio({"w": 3, "transform_matrix": np.eye(4).tolist()})


def test_cameras_are_found_by_index_and_by_name() -> None:
    cameras = Cameras(
        [Camera(name, 8, 6, 5.0, 5.0, 4.0, 3.0, np.eye(4)[:3]) for name in ("cam00", "cam02")], "clip.dnv"
    )
    assert cameras["cam02"] is cameras[1] is cameras[-1]
    assert cameras.names == ("cam00", "cam02")
    assert (len(cameras), list(cameras)) == (2, list(cameras[:]))
    with pytest.raises(ViewError, match=r"clip\.dnv: no camera 'cam01', there are cam00, cam02"):
        cameras["cam01"]
    with pytest.raises(IndexError):
        cameras[2]
