"""Loads the next value in a thread while the current one is used."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

import torch

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Prefetcher(Generic[_Key, _Value]):
    """Computes ``load(key)`` ahead of its use.

    The value must depend on the key only, not on the thread or the time. Values are loaded one at a time. The
    thread starts with the first ``submit`` and ends with ``close``.
    """

    def __init__(self, load: Callable[[_Key], _Value]) -> None:
        self._load = load
        self._thread = ThreadPoolExecutor(1, "prefetch", torch.set_num_threads, (1,))
        self._pending: tuple[_Key, Future[_Value]] | None = None

    def submit(self, key: _Key) -> None:
        """Start loading the value of ``key`` in the thread; an earlier value not yet fetched is dropped."""
        self._drop()
        self._pending = key, self._thread.submit(self._load, key)

    def get(self, key: _Key) -> _Value:
        """The value of ``key``, loaded now unless it was submitted; an error while loading is raised here."""
        if self._pending is None or self._pending[0] != key:
            self._drop()
            return self._load(key)
        pending = self._pending[1]
        wait([pending])  # after an interrupt here the value can still be fetched
        self._pending = None
        return pending.result()

    def close(self) -> None:
        """End the thread after its current load; a value not yet fetched is dropped."""
        self._pending = None
        self._thread.shutdown(cancel_futures=True)

    def _drop(self) -> None:
        """Drop the pending value, waiting for a load in progress."""
        if self._pending is not None:
            if not self._pending[1].cancel():
                wait([self._pending[1]])
            self._pending = None
