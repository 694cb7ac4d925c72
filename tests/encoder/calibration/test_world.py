"""The gauge, near and far, quality metrics, and groups of cameras."""

from pathlib import Path

import numpy as np
import pytest

from dynerf_encoder.calibration.agreement import agree
from dynerf_encoder.calibration.colmap.problem import Solution
from dynerf_encoder.calibration.connections import connected_groups
from dynerf_encoder.calibration.gauge import in_gauge
from dynerf_encoder.calibration.motion_groups import MotionGroups
from dynerf_encoder.calibration.near_far import good_points, near_far
from dynerf_encoder.calibration.options import CalibrationOptions, Scale, parse_scale
from dynerf_encoder.calibration.pairs.epipolar import angles
from dynerf_encoder.calibration.synchronisation.combined import UNKNOWN, CameraOffset
from dynerf_encoder.calibration.verdict import camera_qualities, grade, predicted_errors
from dynerf_format.errors import ConfigError
from support.rigs import in_another_world, matches_of, moved, replaced, ring_solution


def test_the_world_has_its_origin_at_the_focus_and_y_up() -> None:
    solution = in_gauge(in_another_world(ring_solution(9)), None)
    ups = np.stack([-pose.rotation[1] for pose in solution.poses])
    assert (ups[:, 1] > 0.9).all()
    assert np.median([np.linalg.norm(pose.centre) for pose in solution.poses]) == pytest.approx(1.0)
    assert np.linalg.norm(np.mean([pose.centre for pose in solution.poses], axis=0)[[0, 2]]) < 0.02
    assert np.median(solution.reprojection()) < 1e-6


def test_the_gauge_does_not_depend_on_the_world_it_starts_from() -> None:
    one, two = in_gauge(ring_solution(9), None), in_gauge(in_another_world(ring_solution(9)), None)
    relative = [
        first.rotation @ one.poses[0].rotation.T @ (second.rotation @ two.poses[0].rotation.T).T
        for first, second in zip(one.poses, two.poses, strict=True)
    ]
    assert angles(np.stack(relative)).max() < 1e-5


def test_a_known_distance_sets_the_metre() -> None:
    solution = in_gauge(ring_solution(9), Scale(2.5, ("cam00", "cam04")))
    distance = np.linalg.norm(solution.pose("cam00").centre - solution.pose("cam04").centre)
    assert distance == pytest.approx(2.5)
    with pytest.raises(ConfigError, match="--scale: no pose of cam77, expected two of cam00, "):
        in_gauge(ring_solution(9), Scale(1.0, ("cam77", "cam00")))


@pytest.mark.parametrize("text", ["", "1.2", "0:cam00,cam01", "x:a,b", "1:a,a", "1:a", "nan:a,b"])
def test_a_scale_that_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected METRES:camA,camB"):
        parse_scale(text)
    assert parse_scale("1.25:cam00,cam05") == Scale(1.25, ("cam00", "cam05"))


def test_options_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="0 frames, expected 1 to"):
        CalibrationOptions(tmp_path, tmp_path / "capture.json", times=0)
    with pytest.raises(ConfigError, match="focal length 0 px"):
        CalibrationOptions(tmp_path, tmp_path / "capture.json", focal=0.0)


def test_near_and_far_bracket_the_points_and_ignore_outliers() -> None:
    solution = ring_solution(9, points=200)
    points = solution.points.copy()
    points[0] *= 400  # seen at this direction by one camera only, as noise would leave it
    kept = (solution.seen_point != 0) | (solution.seen_camera < 2)
    wild = replaced(
        solution, points=points, seen_point=solution.seen_point[kept],
        seen_camera=solution.seen_camera[kept], seen=solution.seen[kept],
    )  # fmt: skip
    assert not good_points(wild)[0] and good_points(wild)[1:].all()
    for (near, far), pose in zip(near_far(wild), wild.poses, strict=True):
        depths = (wild.points[1:] - pose.centre) @ pose.forward
        assert 0 < near < depths.min()
        assert depths.max() * 0.95 < far < 2 * depths.max()


def test_points_are_predicted_by_the_other_cameras() -> None:
    solution = ring_solution(7)
    assert predicted_errors(solution, 2).max() < 1e-5
    assert len(predicted_errors(solution, 2)) == 80
    assert np.median(predicted_errors(moved(solution, "cam02", 2.0), 2)) > 10


def test_the_verdict_names_what_is_wrong() -> None:
    right = ring_solution(9)
    matches = matches_of(right)
    known = {name: CameraOffset(0, 0.0, "motion", "high", 9.0) for name in right.names}

    def verdict(
        *others: Solution,
        offsets: dict[str, CameraOffset] = known,
        names: tuple[str, ...] = right.names,
        times: int = 6,
        groups: tuple[frozenset[str], ...] = (),
    ) -> str:
        solutions = [right, *others]
        agreement = agree(solutions, [0], matches)
        return str(
            grade(
                names,
                right,
                agreement,
                camera_qualities(right, agreement, matches, MotionGroups(groups)),
                offsets,
                times,
            )
        )

    assert verdict(right, right) == "good"
    assert verdict(right, times=2).startswith("usable, because fewer than 3 frames were compared")
    assert "no pose of cam99" in verdict(right, names=(*right.names, "cam99"))
    two = frozenset(right.names[:6]), frozenset(right.names[6:])
    assert verdict(right, groups=two[:1]) == "good"
    assert verdict(right, groups=two).startswith(
        "usable, because motion contradicts the poses of cam06, cam07, cam08: repeated structure"
    )
    assert "the offset in time of cam00 is unknown" in verdict(right, offsets=known | {"cam00": UNKNOWN})
    scrambled = [right] * 3
    for index, name in enumerate(right.names):
        scrambled = [moved(found, name, 10.0 + 17 * index + 5 * k) for k, found in enumerate(scrambled)]
    assert verdict(*scrambled).startswith("not usable, because only 1 of 4 solutions agree")


def test_groups_without_common_matches_are_found() -> None:
    names = ["a", "b", "c", "d", "e"]
    assert connected_groups(names, [("a", "c"), ("d", "e"), ("c", "b")]) == [["a", "b", "c"], ["d", "e"]]
