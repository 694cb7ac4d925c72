"""Pictures early in a training reveal poses in the wrong convention; checking does not change it."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dynerf_encoder.jobs.encode import Segmentation, encode
from dynerf_encoder.jobs.segments import SegmentLength
from support.encoding import Notes, one_thread, tiny_encode, tiny_job, write_scene

_STEPS = "schedule.scale=3"  # 72


@pytest.fixture(autouse=True)
def _check_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynerf_encoder.training.pose_check._FIRST_STEP", 50)


@pytest.fixture(scope="module")
def correct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("correct") / "scene", cameras=5)


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Axes of OpenGL: the cameras of this scene have one direction, so geometry cannot detect it."""
    capture = write_scene(tmp_path_factory.mktemp("wrong") / "scene", cameras=5)
    rows = np.load(capture / "poses_bounds.npy")
    for row in rows:
        down, right, back = row[:15].reshape(3, 5)[:, :3].T.copy()
        row[:15].reshape(3, 5)[:, :3] = np.stack([right, -down, back], axis=1)
    np.save(capture / "poses_bounds.npy", rows)
    return capture


def _warnings(notes: Notes) -> list[str]:
    """The warnings, except that a tiny rig has few cameras."""
    found = [text for text in notes.messages if text.startswith("warning:")]
    return [text for text in found if "training cameras: views between them" not in text]


@pytest.mark.parametrize("held_out", [("cam00",), pytest.param((), marks=pytest.mark.extensive)])
def test_correct_poses_give_no_warning_and_the_check_changes_no_bit(
    correct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_out: tuple[str, ...]
) -> None:
    notes = Notes()
    checked = tiny_encode(tiny_job(correct, tmp_path / "checked.dnv", _STEPS, hold_out=held_out), notes)
    assert _warnings(notes) == []
    monkeypatch.setattr("dynerf_encoder.training.pose_check._FIRST_STEP", math.inf)
    other = tiny_encode(tiny_job(correct, tmp_path / "other.dnv", _STEPS, hold_out=held_out))
    assert checked.path.read_bytes() == other.path.read_bytes()


@pytest.mark.parametrize("held_out", [("cam00",), ()])
def test_wrong_poses_give_one_warning_with_causes_and_remedy(
    wrong: Path, tmp_path: Path, held_out: tuple[str, ...]
) -> None:
    notes = Notes()
    tiny_encode(tiny_job(wrong, tmp_path / "clip.dnv", _STEPS, hold_out=held_out), notes)
    (warning,) = _warnings(notes)
    for part in ("pictures after", "OpenGL", "world-to-camera", "docs/how-to/poses.md", *held_out):
        assert part in warning


def test_a_clip_of_several_segments_passes_warnings_on_once(wrong: Path, tmp_path: Path) -> None:
    notes = Notes()
    with one_thread():
        encode(
            tiny_job(wrong, tmp_path / "clip.dnv", _STEPS),
            notes,
            Segmentation(SegmentLength(Fraction(3), "f"), 0),
        )
    (warning,) = _warnings(notes)
    assert warning.endswith("(segment 0, frames 0:3)")
