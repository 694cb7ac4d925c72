"""Outputs that cannot be written, and interrupted decodes: one line, and no partial files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.command import TINY, listing, refused, run
from support.full_disk import files_of_at_most


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("no/a.mp4", "the folder {out}/no does not exist"),
        ("file/a.mp4", "{out}/file is not a folder"),
        ("folder.mp4", "{out}/folder.mp4: is a folder"),
        ("a.avi", "ends in .avi, supported are .mp4 and name_%04d.png"),
        ("a", "ends in no suffix, supported are"),
        ("a.png", "expected exactly one frame number in the name, like name_%04d.png"),
        ("a_%d_%d.png", "expected exactly one frame number"),
        ("a_%s.png", "expected exactly one frame number"),
        ("/proc/a.mp4", "the folder /proc cannot be written to"),
        ("/dev/null", "supported are .mp4"),
    ],
)
def test_an_output_that_cannot_be_written_is_named(clip: Path, out: Path, name: str, found: str) -> None:
    (out / "file").touch()
    (out / "folder.mp4").mkdir()
    line = refused("decode", clip, "-o", out / name, "--frames", "0:1", folder=out)
    assert f"error: {out / name}: " in line
    assert found.format(out=out) in line


def test_a_read_only_folder_is_named(clip: Path, out: Path) -> None:
    folder = out / "read_only"
    folder.mkdir()
    # Root may write where permissions forbid it, but not into an immutable folder.
    folder.chmod(0o555)
    locked = subprocess.run(["chattr", "+i", folder], capture_output=True, check=False).returncode == 0
    try:
        if os.access(folder, os.W_OK) and not locked:
            pytest.skip("this user may write everywhere and cannot make a folder immutable")
        line = refused("decode", clip, "-o", folder / "a.mp4", folder=out)
        assert f"{folder / 'a.mp4'}: the folder {folder} cannot be written to" in line
        line = refused("decode", clip, "-o", folder / "p_%d.png", folder=out)
        assert f"{folder / 'p_0.png'}: the folder {folder} cannot be written to" in line
    finally:
        if locked:
            subprocess.run(["chattr", "-i", folder], capture_output=True, check=True)
        folder.chmod(0o755)


def test_a_full_disk_leaves_nothing(clip: Path, scene: Path, out: Path) -> None:
    with files_of_at_most(1500):
        ended = [
            run("decode", clip, "-o", out / "a.mp4"),
            run("decode", clip, "-o", out / "p_%d.png", "--size", "160x120"),
            run("encode", scene, "-o", out / "a.dnv", *TINY),
        ]
    assert [ran.status for ran in ended] == [2, 2, 2]
    errors = [line for ran in ended for line in ran.err.splitlines() if "error" in line]
    assert len(errors) == 3
    assert all(": cannot be written: File too large" in error for error in errors)
    assert errors[0].startswith(f"dynerf: error: {out}/a.mp4: ")
    assert errors[1].startswith(f"dynerf: error: {out}/p_0.png: ")
    assert listing(out) == []


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.extensive)],
)
def test_an_interrupted_decode_leaves_the_older_file_alone(
    clip: Path, out: Path, number: int, status: int
) -> None:
    (out / "a.mp4").write_text("older")
    words = ["decode", str(clip), "-o", str(out / "a.mp4"), "--speed", "0.0001"]
    # A shell may have had interrupts ignored, and that is inherited.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    child = subprocess.Popen(
        [sys.executable, "-c", f"{code}; from dynerf import entry; entry.run()", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    seen = 0  # twice: the first file may be the one that tests whether the folder is writable
    while seen < 2 and time.monotonic() < deadline:
        seen = seen + 1 if len(listing(out)) == 2 else 0
        time.sleep(0.05)
    child.send_signal(number)
    stdout, stderr = child.communicate(timeout=120)
    assert seen == 2, f"no temporary file appeared: {stderr}"
    assert child.returncode == status, stderr
    assert stdout == ""
    assert "Traceback" not in stderr
    assert ("dynerf: interrupted" in stderr) == (number == signal.SIGINT)
    assert listing(out) == ["a.mp4"]
    assert (out / "a.mp4").read_text() == "older"
