"""Epipolar statistics: zero for true matches, large for a turned camera, and the side of the cameras."""

import numpy as np
import pytest

from dynerf_encoder.calibration.pairs.epipolar import (
    Pose,
    angles,
    essential,
    in_front,
    mean_rotation,
    pair_statistics,
    residuals,
    similarity,
)
from dynerf_encoder.captures.lens import Lens
from support.blobs import ring_pose

_LENS = Lens(640, 480, 500.0, 510.0, 322.0, 239.0, "RADIAL", (-0.1, 0.02))


def _rotation(axis: int, degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.eye(3)
    one, two = [index for index in range(3) if index != axis]
    turn[[one, two], [one, two]] = np.cos(angle)
    turn[one, two], turn[two, one] = -np.sin(angle), np.sin(angle)
    return turn


def _matches(poses: list[Pose], count: int = 60) -> list[np.ndarray]:
    points = np.random.default_rng(0).uniform(-0.8, 0.8, (count, 3))
    return [_LENS.project((points - pose.centre) @ pose.rotation.T)[0] for pose in poses]


def test_true_matches_lie_on_their_epipolar_lines() -> None:
    poses = [ring_pose(0, 9), ring_pose(1, 9)]
    first, second = _matches(poses)
    assert residuals((_LENS, _LENS), (poses[0], poses[1]), first, second).max() < 1e-6
    assert in_front((_LENS, _LENS), (poses[0], poses[1]), first, second).all()


def test_the_essential_matrix_is_zero_on_matched_rays() -> None:
    poses = [ring_pose(0, 9), ring_pose(2, 9)]
    rays = [_LENS.directions(found) for found in _matches(poses)]
    values = np.einsum("ni,ij,nj->n", rays[1], essential(poses[0], poses[1]), rays[0])
    assert np.abs(values).max() < 1e-9


def test_a_turned_camera_shows_in_its_pairs() -> None:
    poses = {f"cam{index}": ring_pose(index, 9) for index in range(3)}
    found = _matches(list(poses.values()))
    names = list(poses)
    matches = {(names[i], names[j]): (found[i], found[j]) for i in range(3) for j in range(i + 1, 3)}
    turned = poses | {"cam2": Pose(_rotation(0, 2.0) @ poses["cam2"].rotation, poses["cam2"].centre)}
    lenses = dict.fromkeys(names, _LENS)
    good = pair_statistics(lenses, poses, matches, 2.0)
    assert [statistic.inliers for statistic in good] == [1.0, 1.0, 1.0]
    bad = {(s.first, s.second): s for s in pair_statistics(lenses, turned, matches, 2.0)}
    assert bad["cam0", "cam1"].median < 1e-6
    assert bad["cam0", "cam2"].median > 5
    assert bad["cam1", "cam2"].inliers < 0.3


def test_points_behind_a_camera_are_not_in_front() -> None:
    poses = [ring_pose(0, 9), ring_pose(1, 9)]
    first, second = _matches(poses)
    away = Pose(_rotation(1, 180.0) @ poses[1].rotation, poses[1].centre)
    assert not in_front((_LENS, _LENS), (poses[0], away), first, second).all()


def test_a_pose_survives_its_matrix() -> None:
    pose = ring_pose(2, 7)
    again = Pose.of_camera_to_world(pose.camera_to_world)
    assert np.allclose(again.rotation, pose.rotation)
    assert np.allclose(again.centre, pose.centre)
    assert np.allclose(-pose.camera_to_world[:, 2], pose.forward)


def test_angles_of_small_and_large_rotations() -> None:
    turns = np.stack([_rotation(2, 1e-6), _rotation(1, 90.0), _rotation(0, 180.0)])
    assert angles(turns) == pytest.approx([1e-6, 90.0, 180.0], rel=1e-6)


def test_an_outlier_moves_neither_rotation_nor_similarity() -> None:
    generator = np.random.default_rng(1)
    turn = _rotation(1, 40.0)
    rotations = np.stack([turn, turn, turn, _rotation(0, 100.0)])
    assert angles((mean_rotation(rotations) @ turn.T)[None])[0] < 1e-6
    source = generator.standard_normal((8, 3))
    target = 2.5 * source @ turn.T + [1.0, -2.0, 3.0]
    target[0] += 5.0
    scale, shift = similarity(source, target, turn)
    assert scale == pytest.approx(2.5, rel=1e-3)
    assert shift == pytest.approx([1.0, -2.0, 3.0], abs=1e-2)
