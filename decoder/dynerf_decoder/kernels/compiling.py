"""Compiles kernels. ``dynerf_format.io.compiled_code`` caches the compiled code."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dynerf_format.io.compiled_code import compiled

_HERE = Path(__file__).parent
_SHARED = (_HERE, _HERE.parent / "scene" / "ray_sampling.py")  # sources that kernels of any package use


def kernel(function: Callable[..., Any]) -> Any:
    """Compile at the first call, without the interpreter's lock and without reference counts.

    Threads would contend for the counts. Kernels therefore allocate nothing, and callers keep their arguments
    alive.
    """
    bare = inspect.unwrap(function)  # without the annotation checks of the tests
    own = Path(inspect.getfile(bare)).parent
    return compiled(
        bare,
        package=bare.__module__.partition(".")[0],
        sources=(*_SHARED, own),
        nogil=True,
        error_model="numpy",
        _nrt=False,
        forceinline=True,
    )
