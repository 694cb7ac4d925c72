"""Contract tests of byte sources; each kind of source has a test class that inherits them."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from dynerf_format import TruncatedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynerf_format import Source

DATA = b"".join(number.to_bytes(2, "little") for number in range(2**15))  # more than a read buffer


class SourceContract:
    """Tests that every source of ``DATA`` must pass; subclasses provide the fixture ``source``."""

    def test_has_name_and_size(self, source: Source) -> None:
        assert source.name
        assert source.size == len(DATA)

    @pytest.mark.parametrize(("offset", "length"), [(0, 2**16), (0, 0), (2**16, 0), (7, 300), (2**16 - 1, 1)])
    def test_returns_exactly_the_requested_bytes(self, source: Source, offset: int, length: int) -> None:
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

    @pytest.mark.usefixtures("frequent_thread_switches")
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
    def frequent_thread_switches(self) -> Iterator[None]:
        """Switch threads so often that a missing lock is detected."""
        usual = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        yield
        sys.setswitchinterval(usual)
