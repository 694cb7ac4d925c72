"""How long numba has been compiling: time that is not training's.

A kernel is compiled when it is first called with arguments of new types, which can be in the middle of a
training: when bits begin to count, say. What is loaded from the cache is not compiled.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event


class CompileClock(event.Listener):
    """The seconds during which at least one kernel was being compiled, in any thread."""

    def __init__(self, begun: Callable[[], None] = lambda: None) -> None:
        """``begun`` is called once, when the first kernel begins to be compiled."""
        self.seconds = 0.0
        self._begun = begun
        self._noticed = False
        self._open = 0
        self._since = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Listen while the block runs."""
        with event.install_listener("numba:compile", self):
            yield

    def on_start(self, event: event.Event) -> None:
        """A kernel, or one that it calls: numba compiles in one thread at a time."""
        if self._open == 0:
            self._since = time.monotonic()
        self._open += 1
        if not self._noticed:
            self._noticed = True
            self._begun()

    def on_end(self, event: event.Event) -> None:
        """The kernel is ready, or cannot be compiled."""
        self._open -= 1
        if self._open == 0:
            self.seconds += time.monotonic() - self._since
