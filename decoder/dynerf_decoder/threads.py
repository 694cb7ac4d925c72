"""Runs work in parts on as many threads as torch may use. The work should release the interpreter's lock."""

import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import torch

_Part = TypeVar("_Part")

_reserved: ContextVar[int] = ContextVar("threads kept for parts", default=0)
_within = threading.local()


def in_threads(work: Callable[[_Part], None], parts: Sequence[_Part]) -> None:
    """Call ``work`` on every part; torch uses one thread inside it. The first error is raised.

    Parts start in order. Results must not depend on which thread runs a part. A nested call runs its parts in
    the calling thread: threads that waited for each other would deadlock.
    """
    threads = _reserved.get() or torch.get_num_threads()
    if hasattr(_within, "part") or min(threads, len(parts)) <= 1:
        for part in parts:
            work(part)
        return
    futures = [_pool(threads).submit(work, part) for part in parts]
    try:
        for future in futures:
            future.result()
    finally:
        for future in futures:
            future.cancel()
        wait(futures)


@contextmanager
def threads_for_parts() -> Iterator[None]:
    """Reserve torch's threads for ``in_threads``; torch's own operations use one.

    Where parts do the heavy work, the operations between them are too small to be worth waking threads.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    token = _reserved.set(threads)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        _reserved.reset(token)


@functools.cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "parts", _initialise)


def _initialise() -> None:
    """Set up a thread of the pool. torch may still report more than one thread in it later."""
    torch.set_num_threads(1)
    _within.part = True


if hasattr(os, "register_at_fork"):  # a child process does not inherit threads; Windows cannot fork
    os.register_at_fork(after_in_child=_pool.cache_clear)
