"""Motion separates the groups of cameras that repeated structure has put in the wrong place."""

from dataclasses import replace

import numpy as np

from dynerf_encoder.calibration.colmap.problem import Solution
from dynerf_encoder.calibration.motion_groups import MotionGroups, motion_groups
from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.calibration.synchronisation.motion import foreground
from dynerf_encoder.captures.lens import Lens
from support.blobs import FOCAL, HEIGHT, WIDTH, blob_views
from support.rigs import ring_solution, turn

_CAMERAS, _STARTS = 9, [0, 3, 1, 0, 4, 2, 0, 5, 1]


def _rig() -> tuple[Solution, dict[str, np.ndarray]]:
    """Cameras around moving blobs, which start at different frames; more pixels than the witness skips."""
    solution = ring_solution(_CAMERAS)
    lens = Lens(WIDTH, HEIGHT, FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2)
    pictures = [view.pictures for view in blob_views(_CAMERAS, 60, _STARTS)]
    return replace(solution, lenses=(lens,) * _CAMERAS), dict(zip(solution.names, pictures, strict=True))


def _groups(solution: Solution, pictures: dict[str, np.ndarray]) -> MotionGroups:
    return motion_groups(solution, pictures, {name: foreground(found) for name, found in pictures.items()})


def test_right_poses_are_one_group() -> None:
    solution, pictures = _rig()
    found = _groups(solution, pictures)
    assert found.groups == (frozenset(solution.names),)
    assert not found.contradicted


def test_a_group_of_cameras_in_another_sector_is_contradicted() -> None:
    solution, pictures = _rig()
    sector = turn(0, 100.0) @ turn(1, 120.0)
    wrong = set(solution.names[:3])
    poses = tuple(
        Pose(pose.rotation @ sector.T, sector @ pose.centre) if name in wrong else pose
        for name, pose in zip(solution.names, solution.poses, strict=True)
    )
    found = _groups(replace(solution, poses=poses), pictures)
    assert set(found.contradicted) == wrong


def test_without_motion_nothing_is_known() -> None:
    solution, pictures = _rig()
    still = {name: np.repeat(found[:1], 40, axis=0) for name, found in pictures.items()}
    found = _groups(solution, still)
    assert found == MotionGroups() and found.size == 0
    assert not found.contradicted
