"""How kernels are compiled. What is compiled stays beside the sources, else in the user's cache folder.

numba keeps compiled code until the file of the function changes. Kernels are compiled into each other across
files, so here they are kept until any kernel's source changes.
"""

import functools
import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

_HERE = Path(__file__).parent


@functools.cache
def _digest(folder: Path) -> str:
    """Of all sources in a folder."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile at the first call, without the interpreter's lock and without reference counts.

    Threads would contend for the counts. So nothing is allocated inside, and callers keep
    what they pass.
    """
    bare = inspect.unwrap(function)  # of what checks annotations in the tests
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False, "forceinline": True}
    compiled: Any = njit(**options)(bare)
    try:
        compiled.enable_caching()
    except RuntimeError:  # neither folder can be written to: every process compiles for itself
        return compiled
    stored = compiled._cache._cache_file
    own = Path(inspect.getfile(bare)).parent
    stored._source_stamp = (stored._source_stamp, _digest(_HERE), _digest(own))
    return compiled
