"""``import dynerf`` loads nothing that takes time; its names are there when they are used."""

import subprocess
import sys

import dynerf


def test_importing_loads_no_library() -> None:
    large = {"numpy", "torch", "av", "aiohttp", "numba", "rich", "asyncio", "dynerf_format"}
    script = f"import sys, dynerf; print(sorted({large!r} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_all_public_names_are_there() -> None:
    assert set(dynerf.__all__) <= set(dir(dynerf))
    assert all(hasattr(dynerf, name) for name in dynerf.__all__)
    assert not hasattr(dynerf, "no_such_name")
    assert dynerf.open.__name__ == "open"
