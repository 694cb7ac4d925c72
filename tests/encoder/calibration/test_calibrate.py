"""Calibration from pictures to ``capture.json``: part of ``candle``, and a synthetic rig. Needs pycolmap."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dynerf_encoder.calibration import rig, stills
from dynerf_encoder.calibration.agreement import align
from dynerf_encoder.calibration.calibrate import calibrate
from dynerf_encoder.calibration.colmap.problem import LensGroup, Problem, Solution
from dynerf_encoder.calibration.colmap.run_children import run_children
from dynerf_encoder.calibration.options import CalibrationOptions
from dynerf_encoder.calibration.outcome import Outcome
from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.captures.layouts.read_capture import read_capture
from dynerf_format.errors import CaptureError, OutputError
from support.rigs import LENS, matches_of, replaced, ring_solution
from support.video import noisy_pictures, write_video

pytest.importorskip("pycolmap")
CANDLE = Path(__file__).parents[3] / "samples/candle"
_CAMERAS = range(1, 8)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """Seven cameras of the sample, one frame at native size; interrupted before matching, then resumed."""
    folder = tmp_path_factory.mktemp("candle")
    for index in _CAMERAS:
        shutil.copyfile(CANDLE / f"cam{index:02d}.mp4", folder / f"cam{index:02d}.mp4")
    stages: list[str] = []

    def interrupt(stage: str, _done: int, _total: int) -> None:
        if stage == "matches":
            raise KeyboardInterrupt

    def watch(stage: str, done: int, total: int) -> None:
        stages.append(f"{stage} {done}/{total}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stills, "feature_scale", lambda _size: 1.0)
        patch.setattr(rig, "_DRAWS", 0)
        options = CalibrationOptions(folder, folder / "capture.json", times=(12,), threads=2)
        with pytest.raises(KeyboardInterrupt):
            calibrate(options, interrupt)
        assert not (folder / "capture.json").exists()
        resumed = CalibrationOptions(folder, folder / "capture.json", times=(12,), threads=2, resume=True)
        found = calibrate(resumed, watch)
    assert next(stage for stage in stages if stage.startswith("features")) == "features 7/7"
    yield found


@pytest.mark.long
def test_all_cameras_are_placed(outcome: Outcome) -> None:
    true = {view.name: view.camera for view in read_n3v(CANDLE).views}
    solution = outcome.solution
    reference = replaced(
        solution, poses=tuple(Pose.of_camera_to_world(true[name].camera_to_world) for name in solution.names)
    )
    differences = align(solution, reference)
    assert len(differences) == len(_CAMERAS)
    assert max(degrees for degrees, _ in differences.values()) < 0.5
    assert max(distance for _, distance in differences.values()) < 0.02
    assert solution.lenses[0].focal_x == pytest.approx(true["cam01"].focal_x, rel=0.02)
    assert str(outcome.verdict) == (
        "usable, because fewer than 3 frames were compared, which cannot confirm each other"
    )


@pytest.mark.long
def test_capture_json_is_read_with_offsets_and_depths(outcome: Outcome) -> None:
    capture = read_capture(outcome.options.folder)
    assert capture.names == outcome.solution.names
    assert {view.first for view in capture.views} == {0}
    for view in capture.views:
        assert 0.2 < view.near < 1 < view.far < 4  # the focus is at distance 1
    record = json.loads(outcome.options.output.read_text())
    assert record["quality"]["verdict"] == "usable"
    assert record["made"]["frames"] == [12] and record["made"]["seed"] == 0
    assert all(camera["quality"]["offset_confidence"] == "high" for camera in record["cameras"])


@pytest.mark.long
def test_the_report_is_one_offline_page(outcome: Outcome) -> None:
    page = outcome.report.read_text(encoding="utf-8")
    assert all(name in page for name in outcome.solution.names)
    assert "from above" in page and "from the side" in page and "Epipolar lines" in page
    assert "<script" not in page and "http" not in page
    left = {path.name for path in outcome.options.folder.iterdir()} - {
        f"cam{index:02d}.mp4" for index in _CAMERAS
    }
    assert left == {"capture.json", "capture_points.ply", "capture_report.html"}


def test_a_synthetic_rig_is_recovered_and_a_seed_gives_the_same_bits(tmp_path: Path) -> None:
    truth = ring_solution(8, points=200, noise=0.3)
    group = LensGroup("SIMPLE_PINHOLE", LENS.width, LENS.height, 620.0, False)
    matches = matches_of(truth)
    items = []
    for index, mapper in enumerate(("incremental", "global", "incremental", "global")):
        Problem((group,), dict.fromkeys(truth.names, 0), matches, mapper, 3).write(tmp_path / f"{index}.npz")
        items.append((str(tmp_path / f"{index}.npz"), str(tmp_path / f"{index}_solved.npz")))
    assert run_children("solve", [{"items": items[:2]}, {"items": items[2:]}], 2, lambda _done: None) == [
        None,
        None,
    ]
    found = [Solution.read(Path(target)) for _, target in items]
    for solution in found[:2]:
        differences = align(solution, truth)
        assert len(differences) == 8
        assert max(degrees for degrees, _ in differences.values()) < 0.2
        assert solution.lenses[0].focal_x == pytest.approx(500.0, rel=0.01)
        assert np.median(solution.reprojection()) < 1.0
    for one, two in zip(found[:2], found[2:], strict=True):
        assert np.array_equal(one.points, two.points)
        assert [pose.rotation.tolist() for pose in one.poses] == [
            pose.rotation.tolist() for pose in two.poses
        ]
        assert one.lenses == two.lenses


def test_pictures_without_texture_are_refused_with_advice(tmp_path: Path) -> None:
    for index in range(3):
        row = np.linspace(40 + 40 * index, 180, 64).astype(np.uint8)
        ramp = np.broadcast_to(row[None, None, :, None], (3, 48, 64, 3))
        write_video(tmp_path / f"cam{index:02d}.mp4", ramp)
    options = CalibrationOptions(tmp_path, tmp_path / "capture.json", times=1, threads=2)
    with pytest.raises(CaptureError, match=r"too little texture in cam00, cam01, cam02 .* hang up posters"):
        calibrate(options, lambda *_counts: None)
    assert not (tmp_path / "capture.json").exists()


def test_cameras_that_see_different_things_are_refused(tmp_path: Path) -> None:
    for index in range(3):
        write_video(tmp_path / f"cam{index:02d}.mp4", noisy_pictures(1, 96, 72, seed=index).repeat(3, axis=0))
    options = CalibrationOptions(tmp_path, tmp_path / "capture.json", times=1, threads=2)
    with pytest.raises(CaptureError, match="no three of 3 cameras could be connected"):
        calibrate(options, lambda *_counts: None)


def test_an_export_replaces_no_poses_of_others(tmp_path: Path) -> None:
    (tmp_path / "poses_bounds.npy").write_bytes(b"theirs")
    options = CalibrationOptions(tmp_path, tmp_path / "capture.json", export=("llff",))
    with pytest.raises(
        OutputError, match=r"poses_bounds.npy: exists, expected no such file for --export llff"
    ):
        calibrate(options, lambda *_counts: None)
