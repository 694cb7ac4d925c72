"""Captures that cannot be encoded: one line that names the file, and no output left."""

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from support.command import FRAMES, HEIGHT, TINY, WIDTH, change_poses, refused
from support.video import noisy_pictures, write_video


def _encode(capture: Path, *more: object) -> str:
    return refused("encode", capture, "-o", capture.parent / "clip.dnv", *TINY, *more, folder=capture.parent)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    line = _encode(tmp_path / "nowhere")
    assert f"{tmp_path / 'nowhere'}: does not exist, expected a capture: a folder of videos and poses" in line


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert f"{tmp_path / 'empty'}: holds neither videos nor poses" in _encode(tmp_path / "empty")


def test_a_file_is_not_a_capture(scene: Path, tmp_path: Path) -> None:
    video = shutil.copy(scene / "cam00.mp4", tmp_path)
    assert "is a file, expected a folder" in _encode(Path(video))


def _cut(share: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(share * len(data))]


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        pytest.param(lambda _: b"", "cannot be opened as a video", id="empty"),
        pytest.param(lambda _: b"hello, I am a text", "cannot be opened as a video", id="text"),
        pytest.param(_cut(0.1), "holds no video stream", id="cut in the index"),
        pytest.param(_cut(0.7), "of 6 frames, then stopped", id="cut in the middle"),
        pytest.param(_cut(0.99), "of 6 frames, then stopped", id="cut at the end"),
    ],
)
def test_a_video_that_does_not_decode_is_named(
    capture: Path, spoil: Callable[[bytes], bytes], found: str
) -> None:
    video = capture / "cam05.mp4"
    video.write_bytes(spoil(video.read_bytes()))
    line = _encode(capture)
    assert f"{video}: " in line
    assert found in line


@pytest.mark.parametrize(
    ("frames", "size", "fps", "found"),
    [
        (5, (WIDTH, HEIGHT), 30, "frame count: 5 in cam05; 6 in cam00, cam02"),
        (FRAMES, (WIDTH, HEIGHT), 25, "frame rate: 25 in cam05; 30 in cam00, cam02"),
    ],
)
def test_cameras_that_differ_are_named(
    capture: Path, frames: int, size: tuple[int, int], fps: int, found: str
) -> None:
    write_video(capture / "cam05.mp4", noisy_pictures(frames, *size), fps=Fraction(fps))
    line = _encode(capture)
    assert f"{capture}: cameras differ in {found}" in line


def _set(row: int, columns: slice | int, value: object) -> Callable[[np.ndarray], None]:
    def change(rows: np.ndarray) -> None:
        rows[row, columns] = value

    return change


@pytest.mark.parametrize(
    ("change", "found"),
    [
        pytest.param(lambda rows: rows[:2], "2 rows for 3 cameras", id="rows"),
        pytest.param(lambda rows: rows[:, :16], "3x16, expected 3 rows of 17 numbers", id="columns"),
        pytest.param(lambda rows: rows[0], "an array of 17, expected 3 rows of 17", id="one row"),
        pytest.param(_set(1, 3, np.nan), "row of cam02: column 3 holds nan", id="nan"),
        pytest.param(_set(2, 8, np.inf), "row of cam05: column 8 holds inf", id="infinity"),
        pytest.param(_set(1, slice(0, 3), 0), "cam02: the 3x3 part is not a rotation", id="no rotation"),
        pytest.param(_set(2, 15, 9.0), "row of cam05: near 9 and far 8, expected 0 < near", id="near"),
        pytest.param(_set(2, 15, 0), "row of cam05: near 0 and far 8, expected 0 < near", id="near 0"),
        pytest.param(_set(0, 14, -30), "row of cam00: height 24, width 32, focal length -30", id="focal"),
        pytest.param(lambda rows: rows.astype(object), "is not an array of numbers", id="objects"),
        pytest.param(lambda rows: rows.astype(complex), "type complex128, expected", id="complex"),
    ],
)
def test_a_bad_pose_file_is_named_with_the_row(
    capture: Path, change: Callable[[np.ndarray], object], found: str
) -> None:
    change_poses(capture, change)
    line = _encode(capture)
    assert f"{capture / 'poses_bounds.npy'}: " in line
    assert found in line


@pytest.mark.parametrize("column", [3, 14], ids=["centre", "focal length"])
def test_extreme_cameras_are_refused_before_training(capture: Path, column: int) -> None:
    change_poses(capture, _set(1, column, 1e300))
    assert f"{capture / 'poses_bounds.npy'}: row of cam02: " in _encode(capture)


def test_a_missing_pose_file_is_named(capture: Path) -> None:
    (capture / "poses_bounds.npy").unlink()
    assert f"{capture}: 3 cameras and no poses: run dynerf calibrate {capture}" in _encode(capture)


def test_at_least_two_training_views_are_required(capture: Path) -> None:
    assert f"{capture}: 3 views, 2 held out; expected at least two" in _encode(
        capture, "--hold-out", "cam00,cam02"
    )
    (capture / "cam05.mp4").unlink()
    change_poses(capture, lambda rows: rows[:2])
    assert f"{capture}: 2 views, 1 held out; expected at least two to train on" in _encode(capture)


def test_an_unknown_held_out_view_is_reported_with_the_known_ones(capture: Path) -> None:
    line = _encode(capture, "--hold-out", "cam99")
    assert f"{capture}: no view 'cam99', there are cam00, cam02, cam05" in line


@pytest.mark.parametrize(
    ("frames", "found"),
    [
        ("0:7", "frames 0:7 requested, the clip has frames 0:6"),
        ("6:", "the clip has frames 0:6"),
        ("3:3", "frames 3:3: empty, expected A:B"),
        ("5:2", "frames 5:2: empty, expected A:B"),
        ("-1:3", "expected A:B"),
        ("4", "expected A:B"),
    ],
)
def test_frames_outside_the_recording_are_refused(capture: Path, frames: str, found: str) -> None:
    assert found in _encode(capture, "--frames", frames)
