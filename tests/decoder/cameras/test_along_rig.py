"""Camera paths derived from a rig: spiral and orbit."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.paths import Timing, default_size, parse_view, plan_shots
from dynerf_encoder.captures.poses import read_poses
from dynerf_format.errors import ViewError
from support.lenses import cameras_of

_CANDLE = Path(__file__).resolve().parents[3] / "samples/candle"


def _camera(name: str, origin: np.ndarray, target: np.ndarray, up: np.ndarray) -> Camera:
    backwards = (origin - target) / np.linalg.norm(origin - target)
    right = np.cross(up, backwards)
    right /= np.linalg.norm(right)
    pose = np.stack([right, np.cross(backwards, right), backwards, origin], axis=1)
    return Camera(name, 160, 120, 150.0, 150.0, 80.0, 60.0, pose)


def _arc(degrees: list[float], radius: float = 3.0, height: float = 1.5) -> list[Camera]:
    """Cameras at azimuths around (1, 2, 0), the point they look at; y points down."""
    target = np.array([1.0, 0.0, 2.0])
    cameras = []
    for index, angle in enumerate(np.radians(degrees)):
        origin = target + np.array([radius * np.cos(angle), -height, radius * np.sin(angle)])
        cameras.append(_camera(f"cam{index:02d}", origin, target, np.array([0.0, -1, 0])))
    return cameras


def _ring() -> list[Camera]:
    return _arc([45.0 * index for index in range(8)])


def _candle() -> list[Camera]:
    names = tuple(sorted(path.stem for path in _CANDLE.glob("cam*.mp4")))
    return list(cameras_of(read_poses(_CANDLE / "poses_bounds.npy", names)))


def _parallel() -> list[Camera]:
    """Cameras side by side, all looking along +x."""
    origins = [np.array([0.0, y, z]) for y in (-0.5, 0, 0.5) for z in (-0.2, 0.2)]
    forward, up = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])
    return [_camera(f"cam{index:02d}", o, o + forward, up) for index, o in enumerate(origins)]


def _timing(pictures: int, fps: int = 30) -> Timing:
    return Timing(tuple(k / fps for k in range(pictures)), Fraction(fps))


def _path(kind: str, cameras: list[Camera], pictures: int = 120) -> list[Camera]:
    shots = plan_shots(parse_view(kind, cameras), cameras, timing=_timing(pictures), size=None)
    return [shot.camera for shot in shots]


def _origins(cameras: list[Camera]) -> np.ndarray:
    return np.stack([camera.origin for camera in cameras])


def _check_proper(cameras: list[Camera]) -> None:
    for camera in cameras:
        rotation = camera.camera_to_world[:, :3]
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-9)
        assert np.linalg.det(rotation) == pytest.approx(1)


def _check_closed_and_smooth(cameras: list[Camera]) -> None:
    """No step, the one from the last picture to the first included, is longer than twice the mean."""
    origins = _origins(cameras)
    steps = np.linalg.norm(np.roll(origins, -1, axis=0) - origins, axis=1)
    assert steps.max() < 2 * steps.mean()


def _distance_to_axis(camera: Camera, point: np.ndarray) -> float:
    towards = point - camera.origin
    return float(np.linalg.norm(towards - (towards @ camera.forward) * camera.forward))


@pytest.mark.parametrize("kind", ["spiral", "orbit"])
@pytest.mark.parametrize("rig", [_candle, _ring, _parallel])
def test_rig_paths_are_closed_smooth_and_have_the_rigs_intrinsics(
    kind: str, rig: Callable[[], list[Camera]]
) -> None:
    cameras = rig()
    path = _path(kind, cameras)
    _check_proper(path)
    _check_closed_and_smooth(path)
    assert {(camera.width, camera.height) for camera in path} == {(cameras[0].width, cameras[0].height)}
    assert {camera.focal_x for camera in path} == {cameras[0].focal_x}
    assert default_size(parse_view(kind, cameras), cameras) == (cameras[0].width, cameras[0].height)
    shots = plan_shots(parse_view(kind, cameras), cameras, timing=_timing(4), size=(64, 64))
    assert {(shot.camera.width, shot.camera.height) for shot in shots} == {(64, 64)}
    assert [shot.time for shot in shots] == [0, 1 / 30, 2 / 30, 3 / 30]


@pytest.mark.parametrize("kind", ["spiral", "orbit"])
def test_rig_paths_have_full_turns_of_the_right_duration(kind: str) -> None:
    cameras = _ring()
    period = 150 if kind == "spiral" else 300
    path = _origins(_path(kind, cameras, pictures=2 * period))
    np.testing.assert_allclose(path[:period], path[period:], atol=1e-9)
    assert np.linalg.norm(path[0] - path[period // 2]) > 0.1
    assert len(_path(kind, cameras, pictures=1)) == 1


def test_the_spiral_of_a_forward_facing_rig_stays_within_it_and_looks_at_one_point() -> None:
    cameras = _candle()
    path = _path("spiral", cameras)
    lower, upper = _origins(cameras).min(axis=0) - 0.2, _origins(cameras).max(axis=0) + 0.2
    assert bool(((_origins(path) > lower) & (_origins(path) < upper)).all())
    np.testing.assert_allclose(_origins(path).mean(axis=0), _origins(cameras).mean(axis=0), atol=1e-9)
    assert np.ptp(_origins(path)[:, 0]) > 0.5  # 2.4 m wide
    target = path[0].origin + _meeting_distance(path) * path[0].forward
    assert max(_distance_to_axis(camera, target) for camera in path) < 1e-9
    assert all(camera.camera_to_world[2, 1] > 0.9 for camera in path)  # upright: z is up


def _meeting_distance(path: list[Camera]) -> float:
    """The distance along the first camera's axis to the point nearest to that half a turn later."""
    first, other = path[0], path[len(path) // 2]
    cosine = float(first.forward @ other.forward)
    offset = other.origin - first.origin
    return float((offset @ first.forward - cosine * (offset @ other.forward)) / (1 - cosine**2))


def test_the_spiral_of_an_inward_facing_rig_encircles_its_first_camera() -> None:
    cameras = _ring()
    path = _path("spiral", cameras)
    np.testing.assert_allclose(_origins(path).mean(axis=0), cameras[0].origin, atol=1e-9)
    distances = np.linalg.norm(_origins(path) - cameras[0].origin, axis=1)
    assert distances.max() < 0.15 * np.hypot(3.0, 1.5)
    assert max(_distance_to_axis(camera, np.array([1.0, 0, 2])) for camera in path) < 1e-9


def test_the_orbit_of_an_inward_rig_is_a_full_turn_at_its_height_and_radius() -> None:
    cameras = [*_ring()[3:], *_ring()[:3]]
    path = _path("orbit", cameras)
    offsets = _origins(path) - [1.0, 0, 2]
    np.testing.assert_allclose(offsets[:, 1], -1.5, atol=1e-9)
    np.testing.assert_allclose(np.hypot(offsets[:, 0], offsets[:, 2]), 3, atol=1e-9)
    azimuths = np.unwrap(np.arctan2(offsets[:, 2], offsets[:, 0]))
    np.testing.assert_allclose(np.abs(np.diff(azimuths)), 2 * np.pi / 120, atol=1e-9)
    assert max(_distance_to_axis(camera, np.array([1.0, 0, 2])) for camera in path) < 1e-9
    assert all(camera.camera_to_world[1, 1] < -0.8 for camera in path)  # upright: y points down


@pytest.mark.parametrize(
    ("degrees", "ends"),
    [
        ([-30.0, -10.0, 5.0, 40.0], (-30, 40)),
        ([150.0, 200.0, 170.0], (150, 200)),
        ([0.0, 20.0, 340.0], (-20, 20)),
        ([10.0, 60.0, 110.0, 160.0, 200.0], (10, 200)),
    ],
)
def test_the_orbit_of_an_arc_swings_from_end_to_end(degrees: list[float], ends: tuple[int, int]) -> None:
    path = _path("orbit", _arc(degrees), pictures=200)
    offsets = _origins(path) - [1.0, 0, 2]
    # The vertical is estimated a tenth of a degree off, because the mean up axis has a small weight.
    np.testing.assert_allclose(np.hypot(offsets[:, 0], offsets[:, 2]), 3, atol=0.01)
    np.testing.assert_allclose(offsets[:, 1], -1.5, atol=0.01)
    azimuths = np.degrees(np.unwrap(np.arctan2(offsets[:, 2], offsets[:, 0])))
    turns = round((azimuths.min() - ends[0]) / 360)
    found = (azimuths.min() - 360 * turns, azimuths.max() - 360 * turns)
    assert found == pytest.approx(ends, abs=0.2)
    # No camera is rolled, so neither are the orbit's: their right axes stay level.
    assert max(abs(camera.camera_to_world[1, 0]) for camera in path) < 0.005
    _check_closed_and_smooth(path)


def test_the_orbit_of_candle_stays_within_its_cameras_and_sees_the_scene() -> None:
    cameras = _candle()
    path = _path("orbit", cameras)
    lower, upper = _origins(cameras).min(axis=0) - 0.05, _origins(cameras).max(axis=0) + 0.05
    assert bool(((_origins(path) > lower) & (_origins(path) < upper)).all())
    assert np.ptp(_origins(path)[:, 0]) > 2.2
    for camera in path:
        assert np.abs(camera.project(np.array([[0.0, 0, 1.2]]))[0] - [128, 96]).max() < 60


def test_parallel_cameras_orbit_and_spiral_around_a_guess_ahead() -> None:
    for kind in ("spiral", "orbit"):
        for camera in _path(kind, _parallel()):
            assert camera.forward[0] > 0.9
            assert abs(camera.origin[0]) < 0.2


def test_cameras_straight_above_their_target_have_no_orbit() -> None:
    above, target = np.array([0.0, 0, 2]), np.zeros(3)
    rolled = [_camera(f"cam{i}", above, target, up) for i, up in enumerate(np.eye(3)[:2])]
    with pytest.raises(ViewError, match="orbit: the cameras are straight above their target"):
        _path("orbit", rolled, 3)
    _check_proper(_path("spiral", rolled, 3))


@pytest.mark.parametrize("kind", ["spiral", "orbit"])
def test_diverging_cameras_still_give_a_path(kind: str) -> None:
    middle = np.zeros(3)
    outward = [_camera(f"cam{x}", middle, np.array([x, 1.0, 0]), np.array([0, 0, 1.0])) for x in (-1.0, 1.0)]
    _check_proper(_path(kind, outward, 5))


@pytest.mark.parametrize("kind", ["spiral", "orbit"])
def test_one_camera_is_enough(kind: str) -> None:
    path = _path(kind, _ring()[:1], 30)
    _check_proper(path)
    assert path[0].forward @ _ring()[0].forward > 0.9
