"""The space chosen for a rig, and that it holds what the rig sees."""

import os
from pathlib import Path

import numpy as np
import pytest

from dynerf_decoder.cameras.camera import Camera, pixel_directions
from dynerf_encoder.captures.poses import StoredPose, read_poses
from dynerf_encoder.captures.scene_bounds import choose_space
from dynerf_format.errors import ConfigError
from support.lenses import cameras_of

_CANDLE = Path(__file__).resolve().parents[3] / "samples/candle"
_BASKETBALL = os.environ.get("DYNERF_BASKETBALL")


def _poses(folder: Path) -> tuple[StoredPose, ...]:
    names = tuple(sorted(path.stem for path in folder.glob("cam*.mp4")))
    return read_poses(folder / "poses_bounds.npy", names)


def _ring(count: int, radius: float, height: float) -> list[Camera]:
    """Cameras on a circle (z up) that look at the floor at its centre, (0, 0, 0)."""
    cameras = []
    for index in range(count):
        angle = 2 * np.pi * index / count
        origin = np.array([radius * np.cos(angle), radius * np.sin(angle), height])
        backwards = origin / np.linalg.norm(origin)
        right = np.cross([0.0, 0, 1], backwards)
        right /= np.linalg.norm(right)
        pose = np.stack([right, np.cross(backwards, right), backwards, origin], axis=1)
        cameras.append(Camera(f"cam{index:02d}", 160, 120, 150.0, 150.0, 80.0, 60.0, pose))
    return cameras


def test_candle_gets_a_perspective_space_that_holds_what_each_camera_sees() -> None:
    poses = _poses(_CANDLE)
    cameras, near, far = cameras_of(poses), [p.near for p in poses], [p.far for p in poses]
    space = choose_space(cameras, near, far)
    assert space.kind == "perspective"
    for camera, first, last in zip(cameras, near, far, strict=True):
        for column in (0, 100, 256):
            for row in (0, 50, 192):
                ray = pixel_directions(camera, np.array([float(column)]), np.array([float(row)]))
                for depth in (first, (first + last) / 2, last):
                    point = camera.origin + ray * depth / (ray @ camera.forward)
                    assert np.abs(space.to_cube(point)).max() <= 1 + 1e-9


@pytest.mark.skipif(_BASKETBALL is None, reason="DYNERF_BASKETBALL names no folder with the capture")
def test_basketball_gets_a_box() -> None:
    poses = _poses(Path(_BASKETBALL or ""))
    cameras = cameras_of(poses)
    space = choose_space(cameras, [pose.near for pose in poses], [pose.far for pose in poses])
    assert space.kind == "box"
    for camera in cameras:
        assert np.abs(space.to_cube(camera.origin[None])).max() <= 1 + 1e-9
        # The capture's y axis points down and the floor is at 0: the points in view are within the box.
        if camera.forward[1] > 0.3:
            floor = camera.origin - camera.forward * camera.origin[1] / camera.forward[1]
            assert np.abs(space.to_cube(floor[None])).max() <= 1


@pytest.mark.parametrize("height", [0.5, 1.6, 2.5])
def test_an_inward_rigs_box_holds_cameras_and_the_floor_they_look_at(height: float) -> None:
    cameras = _ring(12, radius=3.0, height=height)
    space = choose_space(cameras, [0.5] * 12, [6.0] * 12)
    assert space.kind == "box"
    assert space.near == 0.5
    floor = [[x, y, 0.0] for x in (-0.5, 0.0, 0.5) for y in (-0.5, 0.0, 0.5)]
    origins = [camera.origin for camera in cameras]
    assert np.abs(space.to_cube(np.array([*floor, *origins]))).max() <= 1 + 1e-9


def test_a_perspective_space_cannot_be_forced_on_an_inward_rig() -> None:
    with pytest.raises(ConfigError, match="--space perspective needs cameras that face the same way"):
        choose_space(_ring(8, 3.0, 1.5), [0.5] * 8, [6.0] * 8, "perspective")


def test_a_box_can_be_forced_on_a_forward_facing_rig() -> None:
    poses = _poses(_CANDLE)
    cameras = cameras_of(poses)
    space = choose_space(cameras, [pose.near for pose in poses], [pose.far for pose in poses], "box")
    assert space.kind == "box"
