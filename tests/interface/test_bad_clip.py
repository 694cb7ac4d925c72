"""Files that are not clips, and damaged clips: one line that names them, status 2."""

from pathlib import Path

import numpy as np

from support.command import refused, run
from support.video import ROOT, write_video


def _decode(clip: Path, *more: object) -> str:
    return refused("decode", clip, "-o", clip.parent / "out.mp4", *more, folder=clip.parent)


def test_other_kinds_of_files_are_named_and_identified(tmp_path: Path, scene: Path) -> None:
    files = {
        "empty": (b"", "an empty file"),
        "text": (b"Dear sir,\nthis is a text.\n", "this looks like a text file"),
        "png": (b"\x89PNG\r\n\x1a\n" + bytes(60), "this looks like a PNG picture"),
        "mp4": ((scene / "cam00.mp4").read_bytes(), "this looks like an MP4"),
        "zeros": (bytes(5000), "not a .dnv file"),
        "newer": ((ROOT / "format/vectors/newer_major.dnv").read_bytes(), "a newer dynerf is needed"),
    }
    for name, (data, found) in files.items():
        path = tmp_path / f"{name}.dnv"
        path.write_bytes(data)
        for line in (
            _decode(path),
            refused("info", path, folder=tmp_path),
            refused("info", path, "--json", folder=tmp_path),
            refused("eval", path, scene, folder=tmp_path),
        ):
            assert f"{path}: " in line
            assert found in line


def test_a_missing_clip_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'a.dnv'}: no such file" in _decode(tmp_path / "a.dnv")
    (tmp_path / "folder.dnv").mkdir()
    assert f"{tmp_path / 'folder.dnv'}: is a folder" in _decode(tmp_path / "folder.dnv")


def test_a_clip_cut_anywhere_is_refused(clip: Path, tmp_path: Path) -> None:
    data, cut = clip.read_bytes(), tmp_path / "cut.dnv"
    points = sorted({*range(120), *range(120, len(data), 61), *range(len(data) - 60, len(data))})
    for point in points:
        cut.write_bytes(data[:point])
        ran = run("info", cut)
        assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1), (point, ran)
        assert f"{cut}: " in ran.err
    for point in points[:: len(points) // 25]:
        cut.write_bytes(data[:point])
        _decode(cut)


def test_a_clip_with_a_changed_byte_is_refused_or_unaffected(clip: Path, tmp_path: Path) -> None:
    data, damaged = clip.read_bytes(), tmp_path / "damaged.dnv"
    for offset in range(5, len(data), len(data) // 40):
        damaged.write_bytes(data[:offset] + bytes([data[offset] ^ 0x10]) + data[offset + 1 :])
        ran = run("decode", damaged, "-o", tmp_path / "out_%d.png", "--frames", "0:1")
        in_trailer = offset >= len(data) - 36
        assert ran.status == (0 if in_trailer else 2), (offset, ran)


def test_a_video_named_dnv_is_not_a_clip(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", np.zeros((2, 24, 32, 3), np.uint8)).rename(tmp_path / "a.dnv")
    assert "MP4" in _decode(video)
