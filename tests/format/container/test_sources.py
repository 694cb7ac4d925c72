"""Files and memory as byte sources: the contract of all sources, and refused files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dynerf_format import BytesSource, FileSource, FormatError, TruncatedError
from support.sources import DATA, SourceContract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dynerf_format import Source


class TestBytesSource(SourceContract):
    @pytest.fixture
    def source(self) -> Source:
        return BytesSource(DATA)


class TestFileSource(SourceContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Iterator[Source]:
        path = tmp_path / "clip.dnv"
        path.write_bytes(DATA)
        with FileSource(path) as source:
            yield source


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"nothing\.dnv: no such file"):
        FileSource(tmp_path / "nothing.dnv")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is a folder"):
        FileSource(tmp_path)


def test_a_named_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dnv")
    with pytest.raises(FormatError, match="not a regular file"):
        FileSource(tmp_path / "pipe.dnv")


@pytest.mark.parametrize("name", ["a\0b.dnv", "x" * 300])
def test_an_impossible_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError):
        FileSource(tmp_path / name)


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    with pytest.raises(FormatError, match="cannot be opened"):
        FileSource(tmp_path / "file" / "clip.dnv")


def test_a_file_that_shrinks_while_open_is_detected(tmp_path: Path) -> None:
    path = tmp_path / "clip.dnv"
    path.write_bytes(DATA)
    with FileSource(path) as source:
        os.truncate(path, 100)
        with pytest.raises(TruncatedError, match="shrank to 100 bytes"):
            source.read(50, 100)


def test_the_file_is_closed_at_the_end_of_the_block(tmp_path: Path) -> None:
    path = tmp_path / "clip.dnv"
    path.write_bytes(DATA)
    with FileSource(path) as source:
        pass
    with pytest.raises(ValueError, match="closed file"):
        source.read(0, 1)
