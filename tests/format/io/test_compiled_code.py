"""Machine code is cached between processes, never used for other sources, and optional."""

from __future__ import annotations

import ast
import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
import pytest

from dynerf_format.io import compiled_code
from dynerf_format.io.compiled_code import compiled
from support.clips import repository
from support.full_disk import files_of_at_most

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = repository(Path(__file__))
COPIED = ("format/dynerf_format", "decoder/dynerf_decoder")
SOURCE = "FACTOR = 2\ndef times(x):\n    return FACTOR * x\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache folder, before any warning was logged."""
    monkeypatch.setattr(compiled_code, "_warned", threading.Event())
    yield _another(tmp_path / "cache", monkeypatch)
    compiled_code._folder.cache_clear()


def _another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder))
    compiled_code._folder.cache_clear()
    return folder / "dynerf" / "compiled"


def _times(folder: Path, source: str = SOURCE) -> Any:
    """The function of a source file as in a new process: loaded from the cache, or compiled."""
    path = folder / "times.py"
    if not path.exists() or path.read_text(encoding="utf-8") != source:  # numba 0.65 compares times
        path.write_text(source, encoding="utf-8")
    # Python's own cache does not notice a change of equal length within a second.
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
    spec = importlib.util.spec_from_file_location("times", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return compiled(module.times, package="times", sources=(path,))


def _loaded(function: Any) -> int:
    return sum(function.stats.cache_hits.values())


def _files(cache: Path, pattern: str) -> list[Path]:
    return sorted(cache.rglob(pattern))


@pytest.mark.usefixtures("cache")
def test_a_function_is_compiled_once_for_all_constants_that_others_pass(tmp_path: Path) -> None:
    inner = _times(tmp_path)

    def thrice(x: int) -> int:
        return inner(0) + inner(1) + inner(x)  # type: ignore[no-any-return]

    outer = compiled(thrice, package="times", sources=(tmp_path / "times.py",))
    assert outer(5) == 12
    assert list(inner.overloads) == [(numba.types.int64,)]


def test_code_is_kept_in_the_cache_folder_alone(cache: Path, tmp_path: Path) -> None:
    first = _times(tmp_path)
    assert (first(3), _loaded(first)) == (6, 0)
    config: Any = numba.config
    settings = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
    second = _times(tmp_path)
    assert settings == (config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES)
    assert (second(3), _loaded(second)) == (6, 1)
    assert len(_files(cache, "*.nbc")) == 1
    assert not list(tmp_path.glob("**/__pycache__/*.nb?"))


def test_the_default_is_the_cache_folder_of_the_platform(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setattr(compiled_code, "user_cache", lambda: tmp_path / "user")
    assert _times(tmp_path)(3) == 6
    assert len(_files(tmp_path / "user" / "compiled", "*.nbc")) == 1
    assert not cache.exists()


def test_a_changed_constant_takes_effect_at_once(cache: Path, tmp_path: Path) -> None:
    assert _times(tmp_path)(3) == 6
    compiled_code._folder.cache_clear()
    assert _times(tmp_path, SOURCE.replace("= 2", "= 5"))(3) == 15
    assert len(list(cache.iterdir())) == 2


def test_folders_of_old_sources_are_removed(cache: Path, tmp_path: Path) -> None:
    for age in range(20):
        folder = cache / f"times-{age:024x}"
        folder.mkdir(parents=True)
        os.utime(folder, (10**9 - age, 10**9 - age))
    other = cache / "others-0"
    other.mkdir()
    _times(tmp_path)(3)
    remaining = [path.name for path in cache.iterdir() if path.name.startswith("times-")]
    assert len(remaining) == 8
    assert f"times-{6:024x}" in remaining
    assert f"times-{7:024x}" not in remaining
    assert other.exists()


def test_a_full_disk_only_prevents_caching(
    cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    function = _times(tmp_path)
    with files_of_at_most(0):
        results = function(3), function(0.5)
    assert results == (6, 1.0)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "compiled code cannot be kept" in caplog.text
    assert "File too large" in caplog.text
    assert [path for path in cache.rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("where", ["file", "proc", "homeless"])
def test_a_folder_that_cannot_be_written_gives_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    (tmp_path / "file").touch()
    if where == "homeless":
        monkeypatch.delenv("NUMBA_CACHE_DIR")
        monkeypatch.setattr(compiled_code, "user_cache", lambda: None)
    else:
        _another({"file": tmp_path / "file", "proc": Path("/proc/self/fdinfo")}[where], monkeypatch)
    assert [_times(tmp_path)(3), _times(tmp_path)(0.5)] == [6, 1.0]
    assert len(caplog.records) == 1
    assert "compiled code cannot be kept" in caplog.text
    assert not list(tmp_path.glob("**/*.nb?"))


@pytest.mark.parametrize("pattern", ["*.nbi", "*.nbc"])
@pytest.mark.parametrize("damage", [b"", b"\x80\x04damaged"])
def test_damaged_files_are_rebuilt(cache: Path, tmp_path: Path, pattern: str, damage: bytes) -> None:
    assert _times(tmp_path)(3) == 6
    for path in _files(cache, pattern):
        path.write_bytes(damage)
    assert _times(tmp_path)(3) == 6
    rebuilt = _times(tmp_path)
    assert (rebuilt(3), _loaded(rebuilt)) == (6, 1)


def test_code_that_two_processes_exchanged_is_not_run(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """numba numbers its files without a lock, so an index may refer to the code of another signature."""
    _times(tmp_path)(3)
    (cached,) = _files(cache, "*.nbc")
    other = _another(tmp_path / "other", monkeypatch)
    _times(tmp_path)(0.5)
    (other_code,) = _files(other, "*.nbc")
    shutil.copy(other_code, cached)
    _another(tmp_path / "cache", monkeypatch)
    result = _times(tmp_path)(3)
    assert (result, type(result)) == (6, int)


def test_without_the_compiler_functions_are_as_written(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    assert _times(tmp_path)("ab") == "abab"
    assert not cache.exists()


def _run(copy: Path, code: str, **environment: str) -> str:
    """Run code with the copied packages and a separate cache folder; return its output."""
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": str(copy), "NUMBA_CACHE_DIR": str(copy / "cache"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def test_an_edited_constant_of_the_coder_or_a_kernel_takes_effect_at_once(tmp_path: Path) -> None:
    for folder in COPIED:
        shutil.copytree(ROOT / folder, tmp_path / folder.split("/", 1)[1])
    kernels = tmp_path / "dynerf_decoder" / "kernels"
    (kernels / "slope.py").write_text(
        "from .compiling import kernel\nfrom .pixels import pixel_rays\n"
        "@kernel\ndef slope(pose, ray):\n"
        "    pixel_rays(0, 1, 1, 1.0, 1.0, 0.0, 0.0, pose, ray)\n    return -ray[0] / ray[2]\n"
    )
    code = """
        import numpy as np
        from dynerf_decoder.kernels.slope import slope
        from dynerf_format.coding import rans, rans_layout
        half = rans_layout.TOTAL // 2
        states, words = rans.encode(np.full(9, half, np.uint32), np.full(9, half, np.uint32), [9], 1)
        print(states[0], round(24 * slope(np.eye(3, 4).reshape(-1), np.zeros(3))))
    """
    before = _run(tmp_path, code)
    for path, old, new in (
        (tmp_path / "dynerf_format" / "coding" / "rans_layout.py", "PRECISION = 14", "PRECISION = 13"),
        (kernels / "pixels.py", "_HALF = 0.5", "_HALF = 0.25"),
    ):
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
    after = _run(tmp_path, code)
    assert before.split()[1] == "12"
    assert after.split()[1] == "6"
    assert after.split()[0] != before.split()[0]
    assert after.split()[0] == _run(tmp_path, code, NUMBA_DISABLE_JIT="1").split()[0]


def _package_files() -> list[Path]:
    return [path for folder in ("decoder", "encoder") for path in (ROOT / folder).rglob("*.py")]


def _compiles(path: Path) -> bool:
    """Whether a module defines functions compiled by ``kernel``."""
    return re.search(r"^@kernel$", path.read_text(encoding="utf-8"), re.MULTILINE) is not None


def test_the_digest_covers_all_compiled_sources() -> None:
    """Modules of compiled functions import only from their own folder and the files in the digest."""
    shared = {
        "dynerf_decoder.scene.ray_sampling",
        "dynerf_decoder.kernels",
        "dynerf_format.io.compiled_code",
    }
    files = [path for path in _package_files() if _compiles(path)]
    assert len(files) > 20
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                module = str(node.module)
                package = module if module in shared else module.rpartition(".")[0]
                own = ".".join(path.relative_to(path.parents[2]).with_suffix("").parts[:-1])
                assert not module.startswith("dynerf") or package in {*shared, own}, (path, module)
            assert not isinstance(node, ast.ImportFrom) or node.level <= 1, path
    loops = ast.parse(
        (ROOT / "format" / "dynerf_format" / "coding" / "rans_kernels.py").read_text(encoding="utf-8")
    )
    relative = {node.module for node in ast.walk(loops) if isinstance(node, ast.ImportFrom) and node.level}
    assert relative == {"rans_layout"}
