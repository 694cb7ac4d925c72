"""``dynerf cut`` and ``dynerf join``: parts of a real clip decode like the clip itself."""

from pathlib import Path

import numpy as np
import pytest

import dynerf
from support.command import FRAMES, done, refused
from support.link import serving


def _render(path: Path, frame: float) -> np.ndarray:
    with dynerf.open(path, device="cpu") as clip:
        return clip.render(clip.cameras[0].with_size(8, 6), frame=float(frame)).numpy()


def test_a_clip_cut_in_two_and_joined_renders_the_same(clip: Path, out: Path) -> None:
    done("cut", clip, "--frames", ":4", "-o", out / "a.dnv")
    done("cut", clip, "--frames", "4:", "-o", out / "b.dnv")
    ran = done("join", out / "a.dnv", out / "b.dnv", "-o", out / "all.dnv")
    assert ran.out == ""
    assert "2 clips" in ran.err
    with dynerf.open(out / "all.dnv", device="cpu") as joined:
        assert [segment.frames for segment in joined.header.segments] == [4, FRAMES - 4]
    for frame in range(FRAMES):
        assert np.array_equal(_render(out / "all.dnv", frame), _render(clip, frame))
    assert np.array_equal(_render(out / "b.dnv", 0), _render(clip, 4))
    # Between two segments the nearer frame's model is used, and latents are not interpolated.
    assert np.array_equal(_render(out / "all.dnv", 3.4), _render(clip, 3))
    assert np.array_equal(_render(out / "all.dnv", 3.6), _render(clip, 4))
    assert np.array_equal(_render(out / "all.dnv", 1.5), _render(clip, 1.5))


def test_a_joined_clip_is_measured_against_its_capture(clip: Path, scene: Path, out: Path) -> None:
    done("cut", clip, "--frames", "2:5", "-o", out / "part.dnv")
    whole = done("eval", clip, scene).out.splitlines()
    part = done("eval", out / "part.dnv", scene).out.splitlines()
    assert [line.split()[2] for line in part[1:4]] == [line.split()[2] for line in whole[3:6]]
    assert "first" not in done("info", out / "part.dnv").err


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ("4:9", f"frames 4:9 requested, the clip has frames 0:{FRAMES}"),
        ("5:2", "frames 5:2: empty"),
        ("-1:2", "frames '-1:2': expected A:B"),
        ("all", "frames 'all': expected A:B"),
    ],
)
def test_invalid_frames_are_refused(clip: Path, out: Path, frames: str, message: str) -> None:
    assert message in refused("cut", clip, "--frames", frames, "-o", out / "a.dnv", folder=out)


def test_what_cannot_be_joined_is_named(clip: Path, scene: Path, out: Path) -> None:
    line = refused("join", clip, clip, "-o", out / "all.dnv", folder=out)
    assert f"{clip}: starts with frame 0 of the recording, expected {FRAMES}" in line
    line = refused("join", clip, scene / "cam00.mp4", "-o", out / "all.dnv", folder=out)
    assert f"{scene / 'cam00.mp4'}: not a .dnv file: this looks like an MP4" in line
    assert "ends in .dnv" in refused("join", clip, "-o", out / "all.mp4", folder=out)


def test_cutting_a_remote_clip_fetches_only_the_part(clip: Path, tmp_path: Path, out: Path) -> None:
    parts = []
    for number in range(6):
        done("cut", clip, "--frames", f"{number}:{number + 1}", "-o", tmp_path / f"{number}.dnv")
        parts.append(tmp_path / f"{number}.dnv")
    done("join", *parts, "-o", tmp_path / "all.dnv")
    with serving((tmp_path / "all.dnv").read_bytes()) as link:
        done("cut", link.address, "--frames", "4:5", "-o", out / "part.dnv")
        assert link.sent < 16384 + 1.1 * parts[4].stat().st_size
        line = refused("cut", link.address, "--frames", "4:9", "-o", out / "none.dnv", folder=out)
    assert f"{link.address}: frames 4:9 requested, the clip has frames 0:6" in line
    done("cut", tmp_path / "all.dnv", "--frames", "4:5", "-o", out / "same.dnv")
    assert (out / "part.dnv").read_bytes() == (out / "same.dnv").read_bytes()
