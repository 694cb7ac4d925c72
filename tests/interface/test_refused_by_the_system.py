"""Errors of the operating system at any point of a command: one line that names the file, exit status 2."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dynerf.commands import info
from support.command import TINY, listing, refused, run
from support.full_disk import files_of_at_most

_NOT_A_FILE = Path("/proc/self/mem")  # a regular file that cannot be read from its start, not even by root
needs_proc = pytest.mark.skipif(not _NOT_A_FILE.exists(), reason="needs Linux's /proc")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("encode {capture} -o {out}/a.dnv --save-importance {out}/maps", "a.work/frames/store.json"),
        ("encode {capture} -o {out}/a.dnv --segment 3f", "a.work/segments/plan.json"),
        ("encode {capture} -o {out}/a.dnv --segment 3f --workers 2", "a.work/segments/plan.json"),
        ("decode {clip} -o {out}/a.mp4", "a.mp4"),
        ("decode {clip} -o {out}/p_%d.png", "p_0.png"),
        ("cut {clip} --frames 0:3 -o {out}/c.dnv", "c.dnv"),
        ("join {clip} -o {out}/j.dnv", "j.dnv"),
        ("repair {clip} -o {out}/r.dnv", "r.dnv"),
        ("eval {clip} {capture} --report {out}/report", "tmp/dynerf-eval-"),
    ],
)
def test_a_full_disk(
    clip: Path, scene: Path, out: Path, monkeypatch: pytest.MonkeyPatch, words: str, named: str
) -> None:
    (out / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(out / "tmp"))
    arguments = words.format(clip=clip, capture=scene, out=out).split()
    with files_of_at_most(0):
        ran = run(*arguments, *(TINY if "encode" in arguments else ()))
    last = ran.err.splitlines()[-1]
    assert ran.status == 2, ran.err
    assert last.startswith(f"dynerf: error: {out}/{named}")
    assert last.endswith("cannot be written: File too large")
    assert not [name for name in listing(out) if (out / name).is_file()]


@pytest.mark.parametrize("words", ["info {clip}", "verify {clip}"])
def test_commands_that_only_read_need_no_disk_space(clip: Path, words: str) -> None:
    with files_of_at_most(0):
        assert run(*words.format(clip=clip).split()).status == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_log_that_cannot_be_written(scene: Path, out: Path) -> None:
    (out / "a.log.jsonl").symlink_to("/dev/full")
    ran = run("encode", scene, "-o", out / "a.dnv", *TINY)
    assert ran.status == 2
    assert ran.err.splitlines()[-1] == (
        f"dynerf: error: {out}/a.log.jsonl: the log cannot be written: No space left on device"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize(
    ("words", "redirected", "status"),
    [
        ("cut {clip} --frames 0:3 -o {out}/a.dnv", "2>/dev/full", 0),
        ("info {clip}x", "2>/dev/full", 2),
        ("info {clip}", ">&-", 0),
    ],
)
def test_output_to_a_full_disk(clip: Path, out: Path, words: str, redirected: str, status: int) -> None:
    """Messages are dropped and the work continues; a result that cannot be written is an error."""
    command = f"{sys.executable} -m dynerf {words.format(clip=clip, out=out)} {redirected}"
    ran = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert ran.returncode == status, ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("folder", "reason"),
    [("file", "File exists"), ("file/below", "Not a directory"), ("/proc/self/a", "No such file")],
)
def test_a_work_folder_that_cannot_be_made(scene: Path, out: Path, folder: str, reason: str) -> None:
    (out / "file").touch()
    line = refused("encode", scene, "-o", out / "a.dnv", "--cache", out / folder, *TINY, folder=out)
    assert f"error: {out / folder}: the work folder cannot be made: {reason}" in line


@needs_proc
@pytest.mark.parametrize("words", ["encode {capture} -o {out}/a.dnv", "eval {clip} {capture}"])
def test_a_pose_file_that_cannot_be_read(clip: Path, capture: Path, out: Path, words: str) -> None:
    poses = capture / "poses_bounds.npy"
    poses.unlink()
    poses.symlink_to(_NOT_A_FILE)
    line = refused(*words.format(clip=clip, capture=capture, out=out).split(), folder=out)
    assert line == f"dynerf: error: {poses}: cannot be read: Input/output error\n"


@needs_proc
def test_a_clip_that_cannot_be_read(out: Path) -> None:
    clip = out / "a.dnv"
    clip.symlink_to(_NOT_A_FILE)
    for words in (("info", clip), ("repair", clip, "-o", out / "b.dnv"), ("join", clip, "-o", out / "b.dnv")):
        assert f"error: {clip}: " in refused(*words, folder=out)


def test_any_other_os_error(clip: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/mnt/a")

    monkeypatch.setattr(info, "_text", full)
    assert refused("info", clip, folder=out) == "dynerf: error: /mnt/a: No space left on device\n"
