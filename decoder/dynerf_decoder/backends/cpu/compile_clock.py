"""Measures how long numba compiles or loads kernels, which does not count as training time.

A kernel is compiled, or loaded from the cache, when it is first called with arguments of new types. That can
happen in the middle of a training, for example when the rate term is switched on.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event

_BUSY = "numba:compiler_lock"  # a thread compiles or loads a kernel, or waits for another thread's
_COMPILING = "numba:compile"  # not found in the cache


class CompileClock(event.Listener):
    """Counts the seconds during which at least one thread was waiting for a kernel."""

    def __init__(self, on_compile: Callable[[], None] = lambda: None) -> None:
        """``on_compile`` is called once, when the first compilation starts."""
        self._on_compile = on_compile
        self._compiled = False
        self._lock = threading.Lock()
        self._busy = 0
        self._since = 0.0
        self._spent = 0.0

    @property
    def seconds(self) -> float:
        """The time so far, including a wait in progress, so that the training time never decreases."""
        with self._lock:
            return self._spent + (time.monotonic() - self._since if self._busy else 0.0)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Listen while the block runs."""
        with event.install_listener(_BUSY, self), event.install_listener(_COMPILING, self):
            yield

    def on_start(self, event: event.Event) -> None:
        """Called in any thread; events of functions that a kernel calls are nested in its own."""
        if event.kind == _COMPILING:
            if not self._compiled:
                self._compiled = True
                self._on_compile()
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
            if self._busy > 0:  # else it started before this clock
                self._busy -= 1
                if self._busy == 0:
                    self._spent += time.monotonic() - self._since
