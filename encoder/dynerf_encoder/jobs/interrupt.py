"""Defer Ctrl-C from the middle of a training step to its end."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """While the block runs, Ctrl-C only sets a flag, which the block polls; a second one interrupts at once.

    The flag stays unset where Ctrl-C is ignored, and outside the main thread, which receives no signals.
    """
    received: list[int] = []

    def handle(number: int, _frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # `nohup`, or a background job of a shell script
        yield lambda: False
        return
    try:
        previous = signal.signal(signal.SIGINT, handle)
    except ValueError:
        yield lambda: False
        return
    try:
        yield lambda: bool(received)
    finally:
        signal.signal(signal.SIGINT, previous)
