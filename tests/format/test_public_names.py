"""The room itself: its public names, and what it may import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import dynerf_format
from support.clips import repository

PACKAGE = repository(Path(__file__)) / "format" / "dynerf_format"
ALLOWED = {"llvmlite", "msgpack", "numba", "numpy", "platformdirs", "zstandard"}


def test_the_public_names_are_complete_sorted_and_exist() -> None:
    names = dynerf_format.__all__
    # The order that ruff keeps: constants, classes, the rest.
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    visible = {name for name, value in vars(dynerf_format).items() if not isinstance(value, ModuleType)}
    assert {name for name in visible if not name.startswith("_")} | {"__version__"} == set(names)


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_a_module_imports_only_what_the_room_may(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            imported.add(str(node.module).partition(".")[0])
    assert imported <= ALLOWED | sys.stdlib_module_names


@pytest.mark.parametrize("large", ["torch", "numba"])
def test_importing_the_room_does_not_load_what_takes_long(large: str) -> None:
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}; import dynerf_format; sys.exit({large!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
