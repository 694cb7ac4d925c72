"""How long numba has been compiling or loading kernels: time that is not training's.

A kernel is made ready when it is first called with arguments of new types, which can be in the middle of a
training: when bits begin to count, say. Loading one from the cache takes time, too.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event

_BUSY = "numba:compiler_lock"  # a thread makes a kernel ready, or waits for one that another makes
_COMPILING = "numba:compile"  # not found in the cache


class CompileClock(event.Listener):
    """The seconds during which at least one thread was not computing for want of a kernel."""

    def __init__(self, begun: Callable[[], None] = lambda: None) -> None:
        """``begun`` is called once, when the first kernel begins to be compiled."""
        self._begun = begun
        self._noticed = False
        self._lock = threading.Lock()
        self._busy = 0
        self._since = 0.0
        self._spent = 0.0

    @property
    def seconds(self) -> float:
        """The time until now; what is going on is included, so that training's own time never falls."""
        with self._lock:
            return self._spent + (time.monotonic() - self._since if self._busy else 0.0)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Listen while the block runs."""
        with event.install_listener(_BUSY, self), event.install_listener(_COMPILING, self):
            yield

    def on_start(self, event: event.Event) -> None:
        """In any thread; events of functions that a kernel calls lie within its own."""
        if event.kind == _COMPILING:
            if not self._noticed:
                self._noticed = True
                self._begun()
            return
        with self._lock:
            if self._busy == 0:
                self._since = time.monotonic()
            self._busy += 1

    def on_end(self, event: event.Event) -> None:
        """The kernel is ready, or cannot be compiled."""
        if event.kind == _COMPILING:
            return
        with self._lock:
            if self._busy > 0:  # else it began before this clock ran
                self._busy -= 1
                if self._busy == 0:
                    self._spent += time.monotonic() - self._since
