"""Sources of bytes: one contract for all of them, and the files that a file source refuses."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from dynerf_format import BytesSource, FileSource, FormatError, TruncatedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dynerf_format import Source

DATA = b"".join(number.to_bytes(2, "little") for number in range(2**15))  # more than a read buffer


class SourceContract:
    """What every source of ``DATA`` must do; subclasses provide the fixture ``source``."""

    def test_knows_name_and_size(self, source: Source) -> None:
        assert source.name
        assert source.size == len(DATA)

    @pytest.mark.parametrize(("offset", "length"), [(0, 2**16), (0, 0), (2**16, 0), (7, 300), (2**16 - 1, 1)])
    def test_returns_exactly_the_bytes_asked_for(self, source: Source, offset: int, length: int) -> None:
        data = source.read(offset, length)
        assert type(data) is bytes
        assert data == DATA[offset : offset + length]

    @pytest.mark.parametrize(
        ("offset", "length"),
        [(0, 2**16 + 1), (2**16, 1), (2**70, 1), (-1, 4), (4, -1), (0, 2**62), (2**17, 0)],
    )
    def test_refuses_bytes_that_do_not_exist(self, source: Source, offset: int, length: int) -> None:
        with pytest.raises(TruncatedError, match=r"bytes .* are needed, the file has 65536"):
            source.read(offset, length)

    @pytest.mark.usefixtures("hasty_threads")
    def test_serves_several_threads(self, source: Source) -> None:
        wrong: list[int] = []

        def read_much() -> None:
            offsets = [step * 7919 % 65000 for step in range(1000)]
            wrong.extend(at for at in offsets if source.read(at, 9) != DATA[at : at + 9])

        threads = [threading.Thread(target=read_much) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns so often that a missing lock shows."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


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


def test_a_file_that_shrinks_while_open_is_noticed(tmp_path: Path) -> None:
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
