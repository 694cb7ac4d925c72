"""Two jobs never share a work folder at the same time."""

import fcntl
import os
from pathlib import Path

import pytest

from dynerf_encoder.jobs.encode import encode
from dynerf_format.errors import DynerfError, OutputError
from dynerf_format.frame_range import FrameRange
from dynerf_format.io.folder_lock import folder_lock
from support.encoding import Forks, Notes, encode_arguments, tiny_job, write_scene


def test_a_second_job_is_refused_and_the_first_continues(tmp_path: Path) -> None:
    capture, cache = write_scene(tmp_path / "scene"), tmp_path / "cache"
    with folder_lock(cache):
        (cache / "kept").touch()
        arguments = encode_arguments(capture, tmp_path / "clip.dnv", "--cache", str(cache))
        ended = Forks.shared().run(arguments)
        assert ended.status == 2
        assert f"{cache}: another encode is using this folder" in ended.stderr
        assert [path.name for path in cache.iterdir()] == ["kept"]
    assert Forks.shared().run(arguments).status == 0


def test_a_killed_job_leaves_no_lock(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    child = os.fork()
    if child == 0:
        with folder_lock(folder):
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert folder.is_dir()
    with folder_lock(folder):
        pass


def test_a_folder_that_was_removed_after_opening_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, lock = tmp_path / "work", fcntl.flock

    def removed_first(handle: int, how: int) -> None:
        if not removed:
            folder.rmdir()
            removed.append(folder)
        lock(handle, how)

    removed: list[Path] = []
    monkeypatch.setattr(fcntl, "flock", removed_first)
    with folder_lock(folder):
        assert removed
        (folder / "kept").touch()
    assert (folder / "kept").exists()


def test_a_refused_job_leaves_the_folder_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    with folder_lock(folder):
        monkeypatch.setattr(Path, "exists", lambda _: False)  # both checked before either created it
        with pytest.raises(OutputError, match="another encode"), folder_lock(folder):
            pass
        monkeypatch.undo()
        assert folder.is_dir()


def test_a_folder_created_for_a_refused_job_is_removed(tmp_path: Path) -> None:
    capture = write_scene(tmp_path / "scene")
    job = tiny_job(capture, tmp_path / "clip.dnv", frames=FrameRange(7, 9))
    with pytest.raises(DynerfError):
        encode(job, Notes())
    assert [path.name for path in tmp_path.iterdir()] == ["scene"]


def test_a_file_at_its_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "work").touch()
    with (
        pytest.raises(OutputError, match=r"work: the work folder cannot be made"),
        folder_lock(tmp_path / "work"),
    ):
        pass
