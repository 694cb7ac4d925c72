"""Agreement of solutions: the one that explains the matches is kept, cameras that move are named."""

import numpy as np
import pytest

from dynerf_encoder.calibration.agreement import agree, align, explained
from support.rigs import LENS, in_another_world, matches_of, moved, ring_solution


def test_equal_rigs_in_other_worlds_agree() -> None:
    solution = ring_solution(9)
    differences = align(in_another_world(solution), solution)
    assert len(differences) == 9
    assert max(max(found) for found in differences.values()) < 1e-6


def test_a_camera_that_moves_between_solutions_without_evidence_is_doubtful() -> None:
    solution = ring_solution(9)
    other = moved(solution, "cam03", 4.0)
    matches = matches_of(solution)
    places = matches.positions["cam03"]
    index = solution.names.index("cam03")
    pose = other.poses[index]
    places[:36] = LENS.project((solution.points[:36] - pose.centre) @ pose.rotation.T)[0]
    found = agree([solution, other, in_another_world(other), solution], [0], matches)
    assert found.doubtful == ("cam03",)
    assert found.cameras["cam03"].degrees == pytest.approx(4.0, abs=0.1)
    assert (found.aligned, found.solutions) == (4, 4)


def test_a_pose_that_the_matches_confirm_is_not_doubtful_however_others_move() -> None:
    solution = ring_solution(9)
    others = [moved(solution, "cam03", 3.0), in_another_world(moved(solution, "cam03", -4.0)), solution]
    found = agree([solution, *others], [0], matches_of(solution))
    assert found.doubtful == ()
    assert found.cameras["cam03"].confirmed == 2
    assert found.chosen.poses == solution.poses


def test_a_wrong_pose_of_the_reference_is_doubtful_and_replaced_where_another_explains_more() -> None:
    right = ring_solution(9)
    found = agree([moved(right, "cam03", 4.0), right], [0], matches_of(right))
    assert found.doubtful == ("cam03",)
    assert align(found.chosen, right)["cam03"][0] < 1e-6


def test_the_solution_that_explains_the_matches_wins_against_a_wrong_majority() -> None:
    right = ring_solution(9)
    wrong = moved(moved(right, "cam01", 40.0), "cam05", -60.0)
    found = agree([wrong, in_another_world(wrong), right], [0, 1, 2], matches_of(right))
    assert found.reference == 2
    assert found.doubtful == ()


def test_a_different_rig_is_not_counted_as_agreeing() -> None:
    right = ring_solution(9)
    scrambled = right
    for index, name in enumerate(right.names):
        scrambled = moved(scrambled, name, 10.0 + 17.0 * index)
    found = agree([right, scrambled], [0, 1], matches_of(right))
    assert (found.reference, found.aligned, found.solutions) == (0, 1, 2)


def test_explained_matches_are_those_near_their_epipolar_lines() -> None:
    solution = ring_solution(5)
    matches = matches_of(solution)
    matches.positions["cam00"][:10] += [0.0, 40.0]
    found = explained(solution, matches)
    assert found["cam01", "cam02"] == (80, 80)
    assert 70 <= found["cam00", "cam01"][0] < 75
    assert np.array(list(found.values()))[:, 1].min() == 80
