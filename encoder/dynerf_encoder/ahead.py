"""The next piece of work made by a thread while the present one is used."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import torch

_Key = TypeVar("_Key")
_Made = TypeVar("_Made")


class Ahead(Generic[_Key, _Made]):
    """What ``make`` makes of a key, begun before it is asked for.

    What comes of a key must depend on nothing else, so that it does not matter who makes it or when.
    """

    def __init__(self, make: Callable[[_Key], _Made]) -> None:
        self._make = make
        self._thread = ThreadPoolExecutor(1, "ahead", torch.set_num_threads, (1,))
        self._begun: tuple[_Key, Future[_Made]] | None = None

    def begin(self, key: _Key) -> None:
        """Have ``key``'s made meanwhile."""
        self._begun = key, self._thread.submit(self._make, key)

    def take(self, key: _Key) -> _Made:
        """What was begun, or is made now when that was something else; its error is raised here."""
        begun, self._begun = self._begun, None
        if begun is not None and begun[0] == key:
            return begun[1].result()
        if begun is not None and not begun[1].cancel():
            begun[1].exception()  # nothing else may draw at the same time
        return self._make(key)
