"""The next piece of work made by a thread while the present one is used."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

import torch

_Key = TypeVar("_Key")
_Made = TypeVar("_Made")


class Prefetcher(Generic[_Key, _Made]):
    """What ``make`` makes of a key, begun before it is asked for.

    What comes of a key must depend on nothing else, so that it does not matter who makes it or when. One is
    made at a time. The thread starts with the first ``begin`` and ends with ``close``.
    """

    def __init__(self, make: Callable[[_Key], _Made]) -> None:
        self._make = make
        self._thread = ThreadPoolExecutor(1, "ahead", torch.set_num_threads, (1,))
        self._begun: tuple[_Key, Future[_Made]] | None = None

    def begin(self, key: _Key) -> None:
        """Have ``key``'s made meanwhile; what was begun before and not taken is dropped."""
        self._drop()
        self._begun = key, self._thread.submit(self._make, key)

    def take(self, key: _Key) -> _Made:
        """What was begun, or is made now when that was something else; its error is raised here."""
        if self._begun is None or self._begun[0] != key:
            self._drop()
            return self._make(key)
        begun = self._begun[1]
        wait([begun])  # whoever interrupts this may ask again
        self._begun = None
        return begun.result()

    def close(self) -> None:
        """End the thread, once what it is at is done; what was begun and not taken is dropped."""
        self._begun = None
        self._thread.shutdown(cancel_futures=True)

    def _drop(self) -> None:
        """Forget what was begun, as soon as nobody makes it any more."""
        if self._begun is not None:
            if not self._begun[1].cancel():
                wait([self._begun[1]])
            self._begun = None
