"""Captures in map coordinates, millions of units from the origin, encode as well as at the origin."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import dynerf
from dynerf_decoder.cameras.camera import Camera, camera_rays
from dynerf_decoder.scene.contraction import Space
from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.captures.local_origin import local_origin
from dynerf_encoder.captures.poses import read_poses
from dynerf_encoder.evaluation.evaluate import evaluate
from dynerf_format.container.header import decode_header, encode_header
from dynerf_format.errors import CaptureError
from dynerf_player.session.protocol import ViewRequest, parse
from support.encoding import contents, one_thread, scene_poses, tiny_encode, tiny_job, write_scene

_OFFSETS = (0.0, 1e3, 1e6, 1e7)
_DIRECTION = np.array([0.5000124, 1.0, 0.0001207])  # as UTM: east, north, height


def _cameras(offset: np.ndarray) -> list[Camera]:
    poses = scene_poses(4)
    return [
        Camera(f"cam{i:02d}", 24, 16, 24.0, 24.0, 12.0, 8.0, p).moved(offset) for i, p in enumerate(poses)
    ]


def _moved_scene(folder: Path, offset: np.ndarray, kind: str = "f8") -> Path:
    capture = write_scene(folder)
    rows = np.load(capture / "poses_bounds.npy")
    rows[:, [3, 8, 13]] += offset
    np.save(capture / "poses_bounds.npy", rows.astype(kind))
    return capture


@pytest.fixture(scope="module")
def psnr_at_the_origin(tmp_path_factory: pytest.TempPathFactory) -> float:
    folder = tmp_path_factory.mktemp("near")
    result = tiny_encode(tiny_job(write_scene(folder / "scene"), folder / "clip.dnv", "schedule.scale=3"))
    assert result.psnr is not None
    return result.psnr


@pytest.mark.parametrize(
    "distance", [pytest.param(d, marks=[] if d == 1e7 else pytest.mark.extensive) for d in _OFFSETS]
)
def test_the_same_quality_and_the_captures_own_cameras(
    tmp_path: Path, distance: float, psnr_at_the_origin: float
) -> None:
    capture = _moved_scene(tmp_path / "scene", distance * _DIRECTION)
    result = tiny_encode(tiny_job(capture, tmp_path / "clip.dnv", "schedule.scale=3"))
    # Rounding the cameras' positions to float64 changes a training as short as this by 0.06 dB.
    assert result.psnr == pytest.approx(psnr_at_the_origin, abs=0.1)
    header, _ = contents(result.path)
    for view, record in zip(read_n3v(capture).views, header.cameras, strict=True):
        assert record.camera_to_world == tuple(view.camera.camera_to_world.ravel())
    # Decoded from the file, in world coordinates, the pictures are the same.
    with one_thread(), dynerf.open(result.path, device="cpu") as clip:
        found = evaluate(clip, capture).mean("psnr")
    assert found == pytest.approx(result.psnr, abs=1e-3)


@pytest.mark.parametrize("distance", _OFFSETS)
def test_rays_are_clipped_as_at_the_origin(distance: float) -> None:
    offset = distance * _DIRECTION
    pose = np.concatenate([np.eye(3), [[0.0], [0.0], [1.0]]], axis=1)
    for space in (
        Space.perspective(pose, (0.6, 0.4), 2.0, 9.0),
        Space.box(np.array([-3.0, -2, -7]), np.array([3.0, 2, 1]), near=0.5),
    ):
        for near, far in zip(_cameras(np.zeros(3)), _cameras(offset), strict=True):
            expected, found = space.clip(*camera_rays(near)), space.moved(offset).clip(*camera_rays(far))
            assert expected.hit.any()
            assert torch.equal(expected.hit, found.hit)
            torch.testing.assert_close(found.start, expected.start, rtol=0, atol=1e-6)
            torch.testing.assert_close(found.distance_out, expected.distance_out, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("distance", [1e3, 1e6, 1e8])
def test_a_space_far_from_the_origin_does_not_count_as_singular(tmp_path: Path, distance: float) -> None:
    job = tiny_job(write_scene(tmp_path / "scene"), tmp_path / "clip.dnv", "schedule.scale=0.1")
    header, _ = contents(tiny_encode(job).path)
    pose = np.concatenate([np.eye(3), [[0.0], [0.0], [1.0]]], axis=1)
    space = Space.perspective(pose, (0.6, 0.4), 0.1, 90.0).moved(distance * _DIRECTION)
    far = replace(header, space=replace(header.space, matrix=tuple(space.matrix.ravel().tolist())))
    assert decode_header(encode_header(far)) == far


def test_near_the_origin_coordinates_are_unchanged() -> None:
    for offset in (np.zeros(3), 50 * _DIRECTION):
        assert not local_origin(_cameras(offset), [2.0] * 4).any()


@pytest.mark.parametrize("distance", [1e3, 1e6, 4.6e6, 1e7])
def test_far_away_the_origin_is_near_the_rig_and_the_translation_exact(distance: float) -> None:
    cameras = _cameras(distance * _DIRECTION)
    origin = local_origin(cameras, [2.0] * 4)
    for camera in cameras:
        local = camera.moved(-origin)
        assert np.linalg.norm(local.origin) < 6
        np.testing.assert_allclose(local.moved(origin).origin, camera.origin, rtol=1e-15, atol=1e-15)


def test_positions_too_coarse_in_float32_are_refused(tmp_path: Path) -> None:
    capture = _moved_scene(tmp_path / "scene", 4.6e6 * _DIRECTION, "f4")
    with pytest.raises(CaptureError, match=r"float32 are 0\.5 apart at 4\.6e\+06 from the origin.*float64"):
        read_poses(capture / "poses_bounds.npy", ("cam00", "cam01", "cam02", "cam03"))


def test_float32_near_the_origin_is_accepted(tmp_path: Path) -> None:
    capture = _moved_scene(tmp_path / "scene", 100 * _DIRECTION, "f4")
    assert len(read_poses(capture / "poses_bounds.npy", ("cam00", "cam01", "cam02", "cam03"))) == 4


def test_a_capture_moved_by_a_metre_is_not_the_clips(tmp_path: Path) -> None:
    """A relative tolerance would accept it: 46 units at 4.6e6."""
    capture = _moved_scene(tmp_path / "scene", 4.6e6 * _DIRECTION)
    result = tiny_encode(tiny_job(capture, tmp_path / "clip.dnv", "schedule.scale=0.1"))
    rows = np.load(capture / "poses_bounds.npy")
    rows[:, 3] += 1
    np.save(capture / "poses_bounds.npy", rows)
    with dynerf.open(result.path, device="cpu") as clip, pytest.raises(CaptureError, match="another pose"):
        evaluate(clip, capture)


def test_the_player_accepts_a_view_in_map_coordinates() -> None:
    pose = [1, 0, 0, 500_012.4, 0, 1, 0, 4_649_776.25, 0, 0, 1, 120.7]
    message = {"type": "view", "id": 1, "frame": 0, "camera_to_world": pose, "fov": 45, "width": 32,
               "height": 24, "moving": False, "depth": False, "layers": 0}  # fmt: skip
    found = parse(json.dumps(message))
    assert isinstance(found, ViewRequest)
    assert found.camera(32, 24).origin.tolist() == [500_012.4, 4_649_776.25, 120.7]
