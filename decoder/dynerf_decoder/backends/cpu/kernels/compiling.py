"""How kernels are compiled: see ``dynerf_format.io.compiled_code`` for where their code is kept."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dynerf_format.io.compiled_code import compiled

_HERE = Path(__file__).parent
_SHARED = (_HERE, _HERE.parents[2] / "scene" / "ray_sampling.py")  # kernels of any package are made of these


def kernel(function: Callable[..., Any]) -> Any:
    """Compile at the first call, without the interpreter's lock and without reference counts.

    Threads would contend for the counts. So nothing is allocated inside, and callers keep
    what they pass.
    """
    bare = inspect.unwrap(function)  # of what checks annotations in the tests
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
