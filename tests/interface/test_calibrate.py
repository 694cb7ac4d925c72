"""The command ``dynerf calibrate``: options, errors, and what it prints."""

from pathlib import Path

import numpy as np
import pytest

from dynerf.cli.main import main
from dynerf.commands.calibrate import _table, _times, calibrate_without_poses
from dynerf_encoder.calibration.agreement import agree
from dynerf_encoder.calibration.footage import FootageSet
from dynerf_encoder.calibration.motion_groups import MotionGroups
from dynerf_encoder.calibration.options import CalibrationOptions
from dynerf_encoder.calibration.outcome import Outcome
from dynerf_encoder.calibration.rig import RigSolution
from dynerf_encoder.calibration.synchronisation.combined import UNKNOWN, CameraOffset
from dynerf_encoder.calibration.synchronise import Synchronisation
from dynerf_encoder.calibration.verdict import camera_qualities, grade
from dynerf_format.errors import ConfigError
from support.rigs import matches_of, ring_solution


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "nothing: does not exist, expected a folder of videos"),
        ([".", "--scale", "1:cam00"], "expected METRES:camA,camB"),
        ([".", "--frames", "a"], "--frames 'a', expected a number such as 6, or frames such as 0,15,30"),
        ([".", "--frames", "99"], "99 frames, expected 1 to 32"),
    ],
)
def test_errors_are_one_line_with_status_2(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("pycolmap")
    monkeypatch.chdir(tmp_path)
    assert main(["calibrate", *words]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert list(tmp_path.rglob("*.json")) == []


def test_encode_calibrates_only_a_capture_without_poses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrated: list[CalibrationOptions] = []
    monkeypatch.setattr("dynerf.commands.calibrate._calibrate", calibrated.append)
    (tmp_path / "poses_bounds.npy").write_bytes(b"")
    calibrate_without_poses(tmp_path, 3, 1, resume=False)
    assert calibrated == []
    (tmp_path / "poses_bounds.npy").unlink()
    calibrate_without_poses(tmp_path, 3, 1, resume=False)
    assert [(options.folder, options.seed, options.resume) for options in calibrated] == [
        (tmp_path, 3, False)
    ]
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ConfigError, match="run 'dynerf calibrate' before torchrun"):
        calibrate_without_poses(tmp_path, 3, 1, resume=False)


@pytest.mark.parametrize(
    "wrong",
    [
        ["-o", "folder.dnv"],
        ["-o", "clip.dnv", "--set", "schedule.scal=1"],
        ["-o", "clip.dnv", "--frames", "a"],
        ["-o", "clip.dnv", "--layout", "n3v"],
    ],
)
def test_encode_does_not_calibrate_when_it_cannot_encode(
    wrong: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calibrated: list[CalibrationOptions] = []
    monkeypatch.setattr("dynerf.commands.calibrate._calibrate", calibrated.append)
    monkeypatch.chdir(tmp_path)
    Path("folder.dnv").mkdir()
    Path("videos").mkdir()
    assert main(["encode", "videos", "--calibrate", *wrong]) == 2
    assert calibrated == [] and "Traceback" not in capsys.readouterr().err


def test_encode_with_resume_continues_the_calibration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrated: list[CalibrationOptions] = []
    monkeypatch.setattr("dynerf.commands.calibrate._calibrate", calibrated.append)
    assert main(["encode", str(tmp_path), "--calibrate", "--resume", "-o", str(tmp_path / "clip.dnv")]) == 2
    assert [options.resume for options in calibrated] == [True]


def test_frames_are_a_number_or_a_list() -> None:
    assert _times("6") == 6
    assert _times("0,15,30") == (0, 15, 30)
    with pytest.raises(ConfigError, match="--frames '-1'"):
        _times("-1")


def test_the_table_names_every_camera_with_offset_and_verdict(tmp_path: Path) -> None:
    solution = ring_solution(5)
    matches = matches_of(solution)
    agreement = agree([solution], [0], matches)
    qualities = camera_qualities(solution, agreement, matches, MotionGroups())
    offsets = {
        name: CameraOffset(index, 0.0, "motion", "high", 9.0) for index, name in enumerate(solution.names)
    }
    offsets["cam02"] = UNKNOWN
    outcome = Outcome(
        options=CalibrationOptions(tmp_path, tmp_path / "capture.json"),
        footage=FootageSet((), {"cam09": "cam09: damaged"}),
        times=(0,),
        solution=solution,
        rig=RigSolution(solution, agreement, matches, "global"),
        sync=Synchronisation(offsets),
        qualities=qualities,
        verdict=grade(solution.names, solution, agreement, qualities, offsets, 6),
    )
    lines = _table(outcome).splitlines()
    assert [line.split()[0] for line in lines[1:6]] == list(solution.names)
    assert "unknown" in lines[3] and " 3  offset by motion, high" in lines[4]
    assert lines[6] == f"{'cam09':<12}no pose"
    assert lines[-1].startswith("usable, because") and "cam02" in lines[-1]
    assert np.isfinite([quality.reprojection for quality in qualities.values()]).all()
