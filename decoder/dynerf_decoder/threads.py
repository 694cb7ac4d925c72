"""Work in parts, on as many threads as torch may use. For functions that let go of the interpreter's lock."""

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
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
    futures = [_pool(torch.get_num_threads()).submit(work, part) for part in parts]
    try:
        for future in futures:
            future.result()
    finally:
        for future in futures:
            future.cancel()
        wait(futures)


@functools.cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "parts", torch.set_num_threads, (1,))


os.register_at_fork(after_in_child=_pool.cache_clear)  # a child process has none of its parent's threads
