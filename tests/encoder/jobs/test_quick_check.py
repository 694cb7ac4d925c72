"""The quick check at the start of an encode: warnings of faulty cameras, and nothing is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.jobs.quick_check import fault_warnings
from dynerf_format.frame_range import FrameRange
from support.encoding import FRAMES, HEIGHT, WIDTH, Notes, scene_store, tiny_encode, tiny_job, write_scene
from support.spoiled import CASES, LATE, spoil
from support.video import write_video

CANDLE = Path(__file__).parents[3] / "samples/candle"


def _store(folder: Path, capture: Path, frames: FrameRange | None = None) -> FrameStore:
    return FrameStore.build(read_n3v(capture), folder / "frames", frames=frames or FrameRange(), downscale=2)


def test_the_sample_has_no_warnings(tmp_path: Path) -> None:
    assert fault_warnings(_store(tmp_path, CANDLE)) == []


def test_a_camera_out_of_step_is_a_warning(tmp_path: Path) -> None:
    capture = spoil(CANDLE, tmp_path / "candle", CASES["one camera 3 frames late"])
    (warning,) = fault_warnings(_store(tmp_path, capture))
    assert warning.startswith(f"cam06: is {LATE} frames late against the others")


def test_black_and_equal_cameras_are_a_warning_each(tmp_path: Path) -> None:
    both = replace(CASES["black"], videos=_black_and_duplicate)
    capture = spoil(CANDLE, tmp_path / "candle", both)
    found = fault_warnings(_store(tmp_path, capture, FrameRange(0, 4)))
    assert [warning.split(";")[0] for warning in found] == [
        "cam01: its pictures are black",
        "cam08: shows the same pictures as cam07",
    ]


def _black_and_duplicate(videos: list[Path]) -> None:
    for name in ("black", "duplicate"):
        change = CASES[name].videos
        assert change is not None
        change(videos)


@pytest.mark.parametrize("frames", [1, 2])
def test_very_short_clips_are_looked_at_without_an_error(frames: int, tmp_path: Path) -> None:
    assert fault_warnings(scene_store(tmp_path, frames=frames)) == []


def test_an_encode_warns_and_trains(tmp_path: Path) -> None:
    capture = write_scene(tmp_path / "scene")
    (capture / "cam03.mp4").unlink()
    black = [picture * 0 for picture in scene_store(tmp_path / "other").view(3)]
    write_video(capture / "cam03.mp4", black, pixel_format="yuv444p")
    notes = Notes()
    result = tiny_encode(tiny_job(capture, tmp_path / "clip.dnv"), notes)
    assert result.path.exists() and len(black) == FRAMES and black[0].shape == (HEIGHT, WIDTH, 3)
    warnings = [message for message in notes.messages if "black" in message]
    assert warnings == ["warning: cam03: its pictures are black; dynerf check shows more"]
