"""Decoding from the middle of a video gives the same pictures as decoding from the start."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dynerf_encoder.captures import video
from dynerf_encoder.captures.video import decode
from dynerf_format.errors import CaptureError
from support.video import noisy_pictures, write_video

FRAMES = 100


@pytest.mark.parametrize(
    ("fps", "options", "seeks"),
    [
        (30, {}, True),
        (Fraction(30000, 1001), {}, True),
        (30, {"movflags": "frag_keyframe+empty_moov"}, False),  # with or without an index
        (30, {"container": "matroska"}, True),
        (30, {"container": "mpegts"}, False),
        (30, {"times": range(-2, FRAMES - 2)}, True),  # two frames hidden by an edit list
    ],
    ids=["mp4", "ntsc", "fragments", "matroska", "mpegts", "edit list"],
)
def test_any_range_equals_that_decoded_from_the_start(
    tmp_path: Path, fps: Fraction | int, options: dict[str, str], seeks: bool
) -> None:
    path = write_video(tmp_path / "a.mp4", noisy_pictures(FRAMES, 32, 24), fps=fps, **options)  # type: ignore[arg-type]
    frames = FRAMES - 2 if "times" in options else FRAMES
    whole = list(decode(path, range(frames)))
    for start, stop in ((1, 3), (33, 35), (50, 53), (71, 72), (frames - 1, frames)):
        part = list(decode(path, range(start, stop)))
        assert np.array_equal(part, whole[start:stop])
    if seeks:
        found = video._entry_point(path, video.probe(path).timeline, 80)
        assert found is not None
        assert 0 < found[0] <= 80 - 32


def test_earlier_frames_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4", noisy_pictures(FRAMES, 32, 24))
    checked: list[int] = []
    check = video._check_time

    def counting(path: Path, index: int, *more: object) -> None:
        checked.append(index)
        check(path, index, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(video, "_check_time", counting)
    assert len(list(decode(path, range(90, 92)))) == 2
    assert checked[0] > 40
    assert checked == list(range(checked[0], 92))


def test_a_frame_with_another_time_than_stated_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "a.mp4", noisy_pictures(6, 32, 24))
    timeline = video.probe(path).timeline
    ticks = timeline.ticks.copy()
    ticks[4:] += ticks[1] - ticks[0]
    monkeypatch.setattr(video, "_timeline", lambda _path: (replace(timeline, ticks=ticks), 0))
    with pytest.raises(CaptureError, match=r"a\.mp4: frame 4 is shown 0\.033 s before the time"):
        list(decode(path, range(6)))
