"""Work in parts, on as many threads as torch may use. For functions that let go of the interpreter's lock."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

_Part = TypeVar("_Part")


def in_threads(work: Callable[[_Part], None], parts: Sequence[_Part]) -> None:
    """Call ``work`` on every part; torch computes with one thread inside it. The first error is raised.

    Parts are begun in order. Nothing may depend on which thread does which.
    """
    count = min(torch.get_num_threads(), len(parts))
    if count <= 1:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(count, "parts", torch.set_num_threads, (1,)) as pool:
        try:
            list(pool.map(work, parts))
        finally:
            pool.shutdown(cancel_futures=True)
