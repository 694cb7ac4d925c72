"""Files appear complete or not at all; a path that cannot be written is refused before the work starts."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dynerf_format import Chunk, OutputError, atomic_path, check_writable, write_clip
from dynerf_format.io.atomic_write import check_folder_writable
from support.clips import smallest
from support.full_disk import files_of_at_most

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_the_file_appears_only_at_the_end_of_the_block(tmp_path: Path) -> None:
    final = tmp_path / "clip.mp4"
    with atomic_path(final) as temporary:
        temporary.write_bytes(b"new")
        assert not final.exists()
    assert final.read_bytes() == b"new"
    assert names(tmp_path) == ["clip.mp4"]


def test_the_temporary_is_hidden_in_the_same_folder_and_keeps_the_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "clip.mp4") as temporary:
        temporary.touch()
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".mp4"
        assert temporary.name.startswith(f".clip.tmp-{os.getpid()}-")


def test_two_writers_of_one_file_do_not_interfere(tmp_path: Path) -> None:
    final = tmp_path / "clip.dnv"
    with atomic_path(final) as one, atomic_path(final) as other:
        one.write_bytes(b"one")
        other.write_bytes(b"other")
    assert final.read_bytes() == b"one"
    assert names(tmp_path) == ["clip.dnv"]


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt(), SystemExit(1), TimeoutError()])
def test_any_failure_leaves_the_older_file_and_no_temporary(tmp_path: Path, error: BaseException) -> None:
    final = tmp_path / "clip.dnv"
    final.write_bytes(b"older")
    with pytest.raises(type(error)) as caught, atomic_path(final) as temporary:
        temporary.write_bytes(b"half of the ne")
        raise error
    assert caught.value is error
    assert final.read_bytes() == b"older"
    assert names(tmp_path) == ["clip.dnv"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_is_reported(tmp_path: Path, number: int) -> None:
    final = tmp_path / "clip.dnv"
    with pytest.raises(OutputError) as caught, atomic_path(final) as temporary:
        temporary.write_bytes(b"half")
        raise OSError(number, os.strerror(number))
    assert str(caught.value) == f"{final}: cannot be written: {os.strerror(number)}"
    assert names(tmp_path) == []


def test_an_array_that_does_not_fit_on_the_disk_is_reported(tmp_path: Path) -> None:
    message = "clip: cannot be written: it is incomplete .800 requested and 96 written."
    with pytest.raises(OutputError, match=message), atomic_path(tmp_path / "clip") as temporary:
        temporary.touch()
        raise OSError("800 requested and 96 written")  # as NumPy does
    assert names(tmp_path) == []


def test_an_error_of_another_file_is_not_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "clip.dnv"):
        (tmp_path / "input.mp4").read_bytes()


def test_an_error_of_the_temporary_file_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Is a directory"), atomic_path(tmp_path / "clip.dnv") as temporary:
        temporary.mkdir()
        temporary.write_bytes(b"")


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nothing was written"), atomic_path(tmp_path / "clip.dnv"):
        pass


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link.dnv").symlink_to(tmp_path / "disk" / "real.dnv")
    with atomic_path(tmp_path / "link.dnv") as temporary:
        temporary.write_bytes(b"new")
    assert (tmp_path / "link.dnv").is_symlink()
    assert (tmp_path / "disk" / "real.dnv").read_bytes() == b"new"


def test_the_file_gets_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with atomic_path(tmp_path / "clip.dnv") as temporary:
        temporary.touch()
    assert (tmp_path / "clip.dnv").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_long_name_still_works(tmp_path: Path) -> None:
    final = tmp_path / ("ä" * 120 + ".dnv")
    with atomic_path(final) as temporary:
        temporary.touch()
    assert final.exists()


def test_a_writable_folder_passes_and_is_left_unchanged(tmp_path: Path) -> None:
    check_writable(tmp_path / "clip.dnv")
    assert names(tmp_path) == []


def test_a_folder_that_can_be_created_passes_and_is_not_created(tmp_path: Path) -> None:
    check_folder_writable(tmp_path / "a" / "b")
    check_folder_writable(tmp_path)
    assert names(tmp_path) == []
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file is not a folder"):
        check_folder_writable(tmp_path / "file" / "a")


def test_a_relative_name_is_resolved_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with atomic_path(type(tmp_path)("clip.dnv")) as temporary:
        temporary.touch()
    assert names(tmp_path) == ["clip.dnv"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing/clip.dnv", "the folder .*missing does not exist"),
        ("file/clip.dnv", "file is not a folder"),
        ("file/deeper/clip.dnv", "deeper does not exist"),
        ("folder", "is a folder, expected the name of a file"),
        ("pipe", "is not a regular file"),
        ("x" * 300, "File name too long"),
        ("a\0b", "is not the name of a file"),
        ("/dev/null", "is not a regular file"),
        ("/", "is not the name of a file"),
        ("/proc/self/clip.dnv", "cannot be written to"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_first(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = names(tmp_path)
    with pytest.raises(OutputError, match=message):
        check_writable(tmp_path / path)
    with pytest.raises(OutputError, match=message), atomic_path(tmp_path / path):
        pytest.fail("the work started")
    assert names(tmp_path) == before


@pytest.mark.parametrize("limit", [0, 1, 1000, 1200])
def test_a_full_disk_keeps_the_older_clip(tmp_path: Path, limit: int) -> None:
    final = tmp_path / "clip.dnv"
    final.write_bytes(b"older")
    header, chunks = smallest()
    chunks.append(Chunk(b"note", 0, 0, 0, 0, bytes(range(256)) * 4))
    with files_of_at_most(limit), pytest.raises(OutputError) as caught:
        write_clip(final, header, chunks)
    assert str(caught.value) == f"{final}: cannot be written: File too large"
    assert final.read_bytes() == b"older"
    assert names(tmp_path) == ["clip.dnv"]


def test_only_the_temporary_files_of_killed_writers_are_removed(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    dead = tmp_path / f".clip.tmp-{int(child.stdout)}-00000000.dnv"
    running = tmp_path / f".clip.tmp-{os.getpid()}-00000000.dnv"
    other = tmp_path / f".other.tmp-{int(child.stdout)}-00000000.dnv"
    for leftover in (dead, running, other):
        leftover.write_bytes(b"half")
    with atomic_path(tmp_path / "clip.dnv") as temporary:
        temporary.write_bytes(b"whole")
    assert sorted(tmp_path.iterdir()) == sorted([running, other, tmp_path / "clip.dnv"])
