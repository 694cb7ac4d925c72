"""Cameras with a wrong pose or lens, on a synthetic ring whose matches are partly false."""

from dataclasses import replace

import numpy as np
import pytest

from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.calibration.pairs.epipolar import in_front as pair_in_front
from dynerf_encoder.calibration.pairs.epipolar import residuals as pair_residuals
from dynerf_encoder.calibration.pairs.votes import PooledMatches
from dynerf_encoder.checking.geometry import CameraFault, common_focal_scale, find_faults
from dynerf_encoder.checking.matched_rays import MatchedRays, RigPoses, in_front, matched_rays, residuals
from dynerf_encoder.checking.tracks import predicted_medians, solution_of
from support.rigs import LENS, matches_of, ring_solution, turn

_FALSE = 0.3  # share of the matches
_RIG = ring_solution(9, points=60, noise=0.2)
_POSES = RigPoses.of(_RIG.poses)


def _matches() -> PooledMatches:
    """The ring's matches, some of them of the wrong points."""
    generator = np.random.default_rng(1)
    found = matches_of(_RIG)
    pairs = {}
    for pair, indices in found.pairs.items():
        changed = indices.copy()
        false = generator.random(len(indices)) < _FALSE
        changed[false, 1] = generator.permutation(changed[false, 1])
        pairs[pair] = changed
    return replace(found, pairs=pairs)


_RAYS = matched_rays(_RIG.names, dict.fromkeys(_RIG.names, LENS), _matches())


def _scaled(rays: MatchedRays, factor: float) -> MatchedRays:
    """The same pictures, with all focal lengths stated ``factor`` times too long."""
    scale = np.array([1 / factor, 1 / factor, 1.0])
    return replace(rays, first=rays.first * scale, second=rays.second * scale, focal=rays.focal * factor)


def _only_fault(poses: RigPoses, rays: MatchedRays = _RAYS) -> CameraFault:
    faults = find_faults(rays, poses).faults
    assert len(faults) == 1
    return next(iter(faults.values()))


def test_false_matches_alone_are_no_fault() -> None:
    found = find_faults(_RAYS, _POSES)
    assert found.faults == {}
    assert all(0.5 < share < 0.9 for share in found.shares.values())
    assert common_focal_scale(_RAYS, _POSES) is None


@pytest.mark.parametrize(("axis", "degrees"), [(0, 2), (1, 10), (2, 180)])
def test_a_turned_camera_is_named_with_its_angle(axis: int, degrees: int) -> None:
    fault = _only_fault(_POSES.replaced(4, turn(axis, degrees) @ _POSES.rotations[4], _POSES.centres[4]))
    assert (fault.camera, fault.fault) == ("cam04", "turned")
    assert fault.amount == pytest.approx(degrees, abs=0.5)


def test_swapped_rows_name_each_other() -> None:
    poses = _POSES.replaced(1, _POSES.rotations[5], _POSES.centres[5])
    poses = poses.replaced(5, _POSES.rotations[1], _POSES.centres[1])
    faults = find_faults(_RAYS, poses).faults
    assert {name: (fault.fault, fault.other) for name, fault in faults.items()} == {
        "cam01": ("pose of another", "cam05"),
        "cam05": ("pose of another", "cam01"),
    }


def test_one_focal_length_is_named_with_its_ratio() -> None:
    lenses = dict.fromkeys(_RIG.names, LENS) | {"cam02": replace(LENS, focal_x=600.0, focal_y=600.0)}
    fault = _only_fault(_POSES, matched_rays(_RIG.names, lenses, _matches()))
    assert (fault.camera, fault.fault) == ("cam02", "focal length")
    assert fault.amount == pytest.approx(1 / 1.2, abs=0.03)


def test_a_camera_at_the_wrong_place_contradicts_the_others() -> None:
    poses = _POSES.replaced(3, turn(1, 40) @ _POSES.rotations[3], _POSES.centres[3] + [3.0, 2.0, -1.0])
    fault = _only_fault(poses)
    assert (fault.camera, fault.fault) == ("cam03", "contradicts")


@pytest.mark.parametrize("factor", [0.8, 1.1, 1.2])
def test_a_focal_length_that_is_off_in_all_cameras_is_found(factor: float) -> None:
    assert common_focal_scale(_scaled(_RAYS, factor), _POSES) == pytest.approx(1 / factor, abs=0.03)


def test_a_camera_with_few_matches_is_not_suspected() -> None:
    few = _RAYS.of(~_RAYS.of_cameras([6]) | (np.arange(len(_RAYS.pair)) % 40 == 0))
    found = find_faults(few, _POSES.replaced(6, turn(0, 90) @ _POSES.rotations[6], _POSES.centres[6]))
    assert "cam06" not in found.faults
    assert found.counts["cam06"] < 30
    assert found.unchecked == ("cam06",)


@pytest.mark.parametrize("others", [2, 3])
def test_false_pairs_with_two_cameras_accuse_no_third(others: int) -> None:
    """Views that share nothing have false pairs, which another place or rotation would not explain either."""
    wrong = _POSES.replaced(6, turn(1, 40) @ _POSES.rotations[6], _POSES.centres[6] + [3.0, 2.0, -1.0])
    partners = _RAYS.cameras[_RAYS.of_cameras([6])]
    kept = np.unique(partners[partners != 6])[:others].tolist()
    found = find_faults(_RAYS.of(~_RAYS.of_cameras([6]) | _RAYS.of_cameras(kept)), wrong)
    assert list(found.faults) == ([] if others == 2 else ["cam06"])
    assert found.unchecked == (("cam06",) if others == 2 else ())


def test_all_pairs_at_once_equal_single_pairs() -> None:
    poses = _POSES.replaced(0, turn(2, 3) @ _POSES.rotations[0], _POSES.centres[0])
    places = _matches().matched(("cam00", "cam03"))
    both = Pose(poses.rotations[0], poses.centres[0]), Pose(poses.rotations[3], poses.centres[3])
    rays = matched_rays(
        _RIG.names, dict.fromkeys(_RIG.names, LENS),
        replace(_matches(), pairs={("cam00", "cam03"): _matches().pairs["cam00", "cam03"]}),
    )  # fmt: skip
    assert residuals(rays, poses) == pytest.approx(pair_residuals((LENS, LENS), both, *places))
    assert (in_front(rays, poses) == pair_in_front((LENS, LENS), both, *places)).all()


def test_points_of_other_cameras_predict_those_of_each() -> None:
    lenses, poses = dict.fromkeys(_RIG.names, LENS), dict(zip(_RIG.names, _RIG.poses, strict=True))
    exact = matches_of(_RIG)
    found = solution_of(_RIG.names, lenses, poses, exact)
    assert len(found.points) == 60
    assert all(value < 0.5 for value in predicted_medians(found).values())
    wrong = poses | {"cam02": Pose(turn(0, 1) @ poses["cam02"].rotation, poses["cam02"].centre)}
    predicted = predicted_medians(solution_of(_RIG.names, lenses, wrong, exact))
    others = [value for name, value in predicted.items() if name != "cam02"]
    assert not predicted["cam02"] < 2 * max(others)
