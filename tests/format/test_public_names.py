"""The package itself: its public names, and what importing it loads."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

import dynerf_format


def test_the_public_names_are_complete_sorted_and_exist() -> None:
    names = dynerf_format.__all__
    # The order that ruff keeps: constants, classes, the rest.
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    visible = {name for name, value in vars(dynerf_format).items() if not isinstance(value, ModuleType)}
    assert {name for name in visible if not name.startswith("_")} | {"__version__"} == set(names)


@pytest.mark.parametrize("large", ["torch", "numba"])
def test_importing_the_package_loads_no_slow_library(large: str) -> None:
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}; import dynerf_format; sys.exit({large!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
