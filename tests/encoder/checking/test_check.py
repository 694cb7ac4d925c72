"""``check`` on ``candle`` and on spoiled copies of it. Matched points need pycolmap."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dynerf.cli.main import main
from dynerf_encoder.capture_faults.finding import Finding
from dynerf_encoder.captures.layouts.read_capture import read_capture
from dynerf_encoder.checking import check, pictures
from dynerf_encoder.checking.camera_metrics import camera_metrics
from dynerf_encoder.checking.check import CheckOptions, Evidence, compare, gather
from dynerf_encoder.checking.grading import verdict_of
from dynerf_encoder.checking.report import write_report
from dynerf_encoder.checking.result import CheckResult
from support.spoiled import CASES, Spoiled, spoil

CANDLE = Path(__file__).parents[3] / "samples/candle"
_QUICK = ("one pose turned by 2 degrees", "OpenCV axes")  # test_geometry.py finds the others' kinds, too
_POSES = [
    pytest.param(name, marks=() if name in _QUICK else pytest.mark.extensive)
    for name, case in CASES.items()
    if case.poses is not None
]
_VIDEOS = [name for name, case in CASES.items() if case.videos is not None]


@pytest.fixture(autouse=True, scope="module")
def _fewer_pixels() -> Iterator[None]:
    """Motion and sharpness are compared in smaller pictures than usual."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_SIDE", 128)
        yield


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Progress that is not shown."""


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    """The sample's pictures and matched points of one instant, at native size."""
    pytest.importorskip("pycolmap")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "feature_scale", lambda _size: 1.0)
        patch.setattr(check, "TIMES", 1)
        options = CheckOptions(CANDLE, threads=2)
        yield gather(options, read_capture(CANDLE), tmp_path_factory.mktemp("check"), _silent)


def _findings(result: CheckResult) -> list[Finding]:
    return [finding for finding in result.findings if finding.severity != "note"]


def _assert_named(case: Spoiled, result: CheckResult) -> None:
    """Exactly the fault of a case is found."""
    (finding,) = _findings(result)
    assert finding.kind == case.kind
    assert finding.cameras == tuple(result.names[index] for index in case.cameras)
    assert case.words in finding.message
    assert finding.message in str(result.verdict)


@pytest.mark.long
def test_the_sample_has_no_fault(evidence: Evidence, tmp_path: Path) -> None:
    result = compare("n3v", read_capture(CANDLE), evidence, _silent)
    assert _findings(result) == []
    assert str(result.verdict) == "good"
    assert result.skipped == ()
    assert set(result.late.values()) == {0}
    assert result.points is not None
    assert all(value < 1 for value in result.points.residuals.values())
    few = replace(result.points.geometry, unchecked=("cam03",))
    found = camera_metrics(replace(result, points=replace(result.points, geometry=few)), "cam03")
    assert found.shown[1:4] == ("-", "-", "-")  # too few matches say nothing about a pose
    assert "-" not in camera_metrics(result, "cam03").shown[:4]
    assert all(value < 1.5 for value in result.points.predicted.values())
    write_report(result, evidence.samples.stills, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "Check of candle" in page and "from above" in page and "Epipolar lines" in page
    assert page.count("<image ") == 2
    assert "<script" not in page and "http" not in page.replace("http://www.w3.org", "")


@pytest.mark.long
@pytest.mark.parametrize("name", _POSES)
def test_a_fault_of_the_poses_is_named(name: str, evidence: Evidence, tmp_path: Path) -> None:
    spoiled = read_capture(spoil(CANDLE, tmp_path / "candle", CASES[name]))
    _assert_named(CASES[name], compare("n3v", spoiled, evidence, _silent))


@pytest.mark.long
@pytest.mark.extensive
@pytest.mark.parametrize("name", _VIDEOS)
def test_a_fault_of_the_videos_is_named(name: str, tmp_path: Path) -> None:
    pytest.importorskip("pycolmap")
    options = CheckOptions(spoil(CANDLE, tmp_path / "candle", CASES[name]), report=tmp_path / "report.html")
    _assert_named(CASES[name], check.check(options, _silent))
    assert options.report is not None and options.report.exists()


@pytest.fixture
def without_pycolmap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "installed", lambda: False)


@pytest.mark.usefixtures("without_pycolmap")
@pytest.mark.parametrize(
    "name", ["one camera 3 frames late", pytest.param("OpenCV axes", marks=pytest.mark.extensive)]
)
def test_without_pycolmap_the_other_tests_run(name: str, tmp_path: Path) -> None:
    result = check.check(CheckOptions(spoil(CANDLE, tmp_path / "candle", CASES[name])), _silent)
    _assert_named(CASES[name], result)
    assert "matched points" in result.skipped[0] and "pip install 'dynerf[calibrate]'" in result.skipped[0]


@pytest.mark.usefixtures("without_pycolmap")
def test_the_command_prints_a_table_and_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(CANDLE)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["camera", "points", "explained"]
    assert [line.split()[0] for line in lines[1:14]] == [f"cam{index:02d}" for index in range(13)]
    assert lines[-2].startswith("not checked: matched points")
    assert lines[-1] == "good"


@pytest.mark.usefixtures("without_pycolmap")
def test_the_command_writes_json_and_ends_with_2_when_not_usable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = spoil(CANDLE, tmp_path / "candle", CASES["world-to-camera"])
    assert main(["check", str(target), "--json", "--report", str(tmp_path / "report.html")]) == 2
    record = json.loads(capsys.readouterr().out)
    assert record["verdict"] == "not usable"
    assert [finding["kind"] for finding in record["findings"]] == ["convention"]
    assert record["findings"][0]["message"] == record["reasons"][0]
    assert set(record["cameras"]) == {f"cam{index:02d}" for index in range(13)}
    assert record["cameras"]["cam03"]["explained"] is None
    assert "world-to-camera matrices" in (tmp_path / "report.html").read_text()


def test_a_folder_without_poses_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 2
    assert "holds neither videos nor poses" in capsys.readouterr().err


@pytest.mark.usefixtures("without_pycolmap")
def test_a_damaged_video_is_one_finding(tmp_path: Path) -> None:
    target = spoil(CANDLE, tmp_path / "candle", replace(CASES["black"], videos=_cut))
    result = check.check(CheckOptions(target), _silent)
    (finding,) = _findings(result)
    assert (finding.kind, finding.cameras) == ("unreadable", ("cam04",))


def _cut(videos: list[Path]) -> None:
    """Zeros in place of the pictures in the second half of a file whose index comes first."""
    data = bytearray(videos[4].read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    videos[4].unlink()
    videos[4].write_bytes(data)


def test_the_verdict_counts_the_cameras_that_are_left() -> None:
    names = [f"cam{index:02d}" for index in range(5)]
    faults = [Finding("pose", (name,), f"{name}: wrong") for name in names]
    assert verdict_of(names, []).grade == "good"
    assert str(verdict_of(names, faults[:2])) == "usable, because cam00: wrong; cam01: wrong"
    assert verdict_of(names, faults[:3]).reasons[0] == "only 2 of 5 cameras are without a fault"
    assert verdict_of(names, faults[:3]).grade == "not usable"
    late = [Finding("out of step", (name,), f"{name}: late") for name in names]
    assert verdict_of(names, late).grade == "usable"
    assert verdict_of(names, [Finding("convention", (), "axes", "fatal")]).grade == "not usable"
    assert verdict_of(names, [Finding("note", (), "read as n3v", "note")]).grade == "good"


def test_spoiled_copies_leave_the_original_alone(tmp_path: Path) -> None:
    before = {path.name: path.stat().st_size for path in CANDLE.iterdir()}
    target = spoil(CANDLE, tmp_path / "candle", CASES["black"])
    assert {path.name: path.stat().st_size for path in CANDLE.iterdir()} == before
    assert np.array_equal(np.load(target / "poses_bounds.npy"), np.load(CANDLE / "poses_bounds.npy"))
