"""Temporary files are allocated before they are mapped; failures are one error with the path."""

from __future__ import annotations

import errno
import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from dynerf_format.errors import OutputError, describe
from dynerf_format.io.temporary import allocate, temporary_folder
from support.full_disk import files_of_at_most

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 3 * 2**20 + 5


def _unsupported(*_: object) -> None:
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


@pytest.mark.parametrize("system", ["here", "without the function", "unsupported"])
def test_the_whole_file_is_allocated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    if system == "without the function":
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    elif system == "unsupported":
        monkeypatch.setattr(os, "posix_fallocate", _unsupported, raising=False)
    path = tmp_path / "pictures"
    allocate(path, SIZE)
    status = path.stat()
    assert status.st_size == SIZE
    assert 512 * status.st_blocks >= SIZE  # a sparse file has less
    assert not path.read_bytes().strip(b"\0")


@pytest.mark.parametrize("reserved", [True, False])
def test_too_little_space_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reserved: bool
) -> None:
    if not reserved:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    expected = pytest.raises(OutputError, match="pictures: needs 3 MB: File too large; set TMPDIR")
    with files_of_at_most(2**20), expected:
        allocate(tmp_path / "pictures", SIZE)


def test_a_temporary_folder_is_removed_after_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder("dynerf-") as folder:
        assert folder.parent == tmp_path
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_temporary_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no"))
    with (
        pytest.raises(OutputError, match=f"{tmp_path}/no/dynerf-.*: No such file or directory; set TMPDIR"),
        temporary_folder("dynerf-"),
    ):
        pass


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/a"), "/a: No space left on device"),
        (OSError(errno.EXDEV, "Invalid cross-device link", "/a", None, "/b"),
         "/a and /b: Invalid cross-device link"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
         "a file cannot be read or written: No space left on device"),
        (FileNotFoundError(errno.ENOENT, "No usable temporary\ndirectory"), "No usable temporary directory"),
        (OSError("raised\nby a library"), "raised by a library"),
        (OSError(), "OSError"),
    ],
)  # fmt: skip
def test_a_system_error_is_described_on_one_line(error: OSError, line: str) -> None:
    assert describe(error) == line
