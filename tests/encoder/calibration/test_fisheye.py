"""Fisheye lenses are found from matches alone, although pairs of them cannot be verified as such."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from dynerf_encoder.calibration.colmap.problem import LensGroup, Problem, Solution
from dynerf_encoder.calibration.colmap.run_children import check_all_succeeded, run_children
from dynerf_encoder.calibration.pairs.votes import PooledMatches
from dynerf_encoder.captures.lens import Lens
from support.rigs import ring_solution


def _problem(focal: float) -> tuple[Solution, Problem]:
    """A ring of fisheye cameras, and the matches of points all around."""
    lens = Lens(640, 480, focal, focal, 320.0, 240.0, "OPENCV_FISHEYE", (-0.02, 0.005, 0.0, 0.0))
    rig = ring_solution(5)
    points = np.random.default_rng(1).uniform(-2.5, 2.5, (400, 3))
    positions, seen = {}, {}
    for name, pose in zip(rig.names, rig.poses, strict=True):
        found, visible = lens.project((points - pose.centre) @ pose.rotation.T)
        inside = visible & (found > 0).all(axis=1) & (found < [lens.width, lens.height]).all(axis=1)
        positions[name], seen[name] = found[inside], np.flatnonzero(inside)
    pairs = {
        (one, two): np.column_stack(np.intersect1d(seen[one], seen[two], return_indices=True)[1:])
        for one, two in combinations(rig.names, 2)
    }
    group = LensGroup("OPENCV_FISHEYE", lens.width, lens.height, 768.0, known=False)
    matches = PooledMatches(positions, pairs)
    return rig, Problem((group,), dict.fromkeys(rig.names, 0), matches, "global", 0)


@pytest.mark.parametrize("focal", [400.0, 750.0], ids=["57 degrees from the axis", "31 degrees"])
def test_poses_and_focal_length_of_fisheye_cameras(focal: float, tmp_path: Path) -> None:
    pytest.importorskip("pycolmap")
    rig, problem = _problem(focal)
    problem.write(tmp_path / "problem.npz")
    item = (str(tmp_path / "problem.npz"), str(tmp_path / "solution.npz"))
    check_all_succeeded(run_children("solve", [{"items": [item]}], 1, lambda _: None), "poses")
    found = Solution.read(tmp_path / "solution.npz")
    assert found.names == rig.names
    lens = found.lenses[0]
    assert lens.model == "OPENCV_FISHEYE"
    assert lens.focal_x == pytest.approx(focal, rel=5e-3)
    assert lens.focal_y == pytest.approx(focal, rel=5e-3)
    for index in range(1, len(rig.names)):
        relative, true = (s.poses[index].rotation @ s.poses[0].rotation.T for s in (found, rig))
        assert np.degrees(np.arccos(np.clip((np.trace(relative @ true.T) - 1) / 2, -1, 1))) < 0.1
    assert np.median(found.reprojection()) < 0.05
