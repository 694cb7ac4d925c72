"""The time that numba compiles is measured, and its start is reported."""

import importlib
from pathlib import Path

import numba
import pytest

from dynerf_decoder.backends.cpu.compile_clock import CompileClock


def test_compilation_is_reported_once_and_calls_do_not_count() -> None:
    compiled: list[str] = []
    clock = CompileClock(lambda: compiled.append("compiling"))
    double = numba.njit(lambda x: 2 * x)
    with clock.running():
        assert double(2) == 4
        first = clock.seconds
        assert first > 0
        assert double(3) == 6
        assert clock.seconds == first
        assert double(1.5) == 3.0  # another type
        assert clock.seconds > first
    assert compiled == ["compiling"]


def test_loading_from_the_cache_counts_and_is_not_reported_as_compiling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "cached_kernel.py").write_text(
        "import numba\n\n@numba.njit(cache=True)\ndef triple(x):\n    return 3 * x\n"
    )
    module = importlib.import_module("cached_kernel")
    assert module.triple(2) == 6
    compiled: list[str] = []
    clock = CompileClock(lambda: compiled.append("compiling"))
    with clock.running():
        assert importlib.reload(module).triple(2) == 6
    assert clock.seconds > 0
    assert compiled == []


def test_compilation_outside_the_block_does_not_count() -> None:
    clock = CompileClock()
    with clock.running():
        pass
    assert numba.njit(lambda x: 3 * x)(2) == 6
    assert clock.seconds == 0
