"""Offsets from timecodes: counting of frames, drop-frame, midnight, and a video that holds one."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dynerf_encoder.calibration.synchronisation.timecode import frame_of_day, read_timecode, timecode_offsets

_NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("text", "fps", "frame"),
    [
        ("00:00:00:07", Fraction(30), 7),
        ("01:00:00:00", Fraction(25), 90_000),
        ("00:01:00;02", _NTSC, 1800),  # the first of minute 1: numbers 0 and 1 are skipped
        ("00:10:00;00", _NTSC, 17_982),
        ("00:00:00:30", Fraction(30), None),
        ("25:00:00:00", Fraction(30), None),
        ("nonsense", Fraction(30), None),
    ],
)
def test_frames_since_midnight(text: str, fps: Fraction, frame: int | None) -> None:
    assert frame_of_day(text, fps) == frame


def test_an_earlier_start_is_a_larger_offset() -> None:
    assert timecode_offsets([100, 97, None, 104], Fraction(30)) == [0, 3, None, -4]


def test_midnight_lies_between_two_starts() -> None:
    day = 24 * 3600 * 30
    assert timecode_offsets([day - 2, 3], Fraction(30)) == [0, -5]


def test_the_timecode_of_a_video_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cam00.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"x264-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.metadata["timecode"] = "10:00:00:07"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert read_timecode(path, Fraction(30)) == 36_000 * 30 + 7
    assert read_timecode(tmp_path / "missing.mov", Fraction(30)) is None
