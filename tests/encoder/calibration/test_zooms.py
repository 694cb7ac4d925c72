"""Cameras of another zoom than those that they share a lens with are named."""

from dataclasses import replace

import numpy as np
import pytest

from dynerf_encoder.calibration.colmap.problem import LensGroup, Solution
from dynerf_encoder.calibration.zooms import described, different_zooms, lens_per_camera
from support.rigs import LENS, matches_of, replaced, ring_solution

_GROUP = {f"cam{index:02d}": 0 for index in range(9)}


def _zoomed(names: tuple[str, ...], factor: float) -> Solution:
    """A ring in which some cameras have a longer focal length, and what they see with it."""
    solution = ring_solution(9)
    long = replace(LENS, focal_x=factor * LENS.focal_x, focal_y=factor * LENS.focal_y)
    lenses = tuple(long if name in names else LENS for name in solution.names)
    seen = np.concatenate([
        lens.project((solution.points - pose.centre) @ pose.rotation.T)[0]
        for pose, lens in zip(solution.poses, lenses, strict=True)
    ])  # fmt: skip
    return replaced(solution, lenses=lenses, seen=seen)


def test_cameras_with_a_longer_focal_length_are_named_with_the_ratio() -> None:
    right = _zoomed(("cam03", "cam07"), 1.5)
    one_lens = replaced(right, lenses=(LENS,) * 9)
    found = different_zooms(one_lens, right, _GROUP, matches_of(right))
    assert found == pytest.approx({"cam03": 1.5, "cam07": 1.5})
    assert described(found).startswith(
        "cameras differ in zoom: the focal length of cam03, cam07 is about 1.50 times that of the others; use"
    )


def test_focal_lengths_that_explain_no_more_matches_do_not_count() -> None:
    right = ring_solution(9)
    free = replaced(_zoomed(("cam03",), 1.2), seen=right.seen)
    assert different_zooms(right, free, _GROUP, matches_of(right)) == {}


def test_only_cameras_that_share_a_lens_are_compared() -> None:
    right = _zoomed(("cam03", "cam07"), 1.5)
    groups = {name: int(name in ("cam03", "cam07")) for name in _GROUP}
    one_lens = replaced(right, lenses=(LENS,) * 9)
    assert different_zooms(one_lens, right, groups, matches_of(right)) == {}


def test_lenses_that_are_known_or_not_shared_are_not_solved_again() -> None:
    unknown, known = (LensGroup("SIMPLE_PINHOLE", 640, 480, 500.0, known) for known in (False, True))
    group = {"cam00": 0, "cam01": 0}
    assert lens_per_camera((known,), group) is None
    assert lens_per_camera((unknown, unknown), {"cam00": 0, "cam01": 1}) is None
    assert lens_per_camera((unknown,), group) == ((unknown, unknown), {"cam00": 0, "cam01": 1})
