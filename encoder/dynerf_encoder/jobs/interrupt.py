"""Ctrl-C between two training steps instead of within one."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """While the block runs, Ctrl-C only sets a flag that the block asks for; a second one interrupts at once.

    The flag stays unset where Ctrl-C is ignored, and outside the main thread, which gets no signals.
    """
    asked: list[int] = []

    def note(number: int, _frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # `nohup`, or a background job of a shell script
        yield lambda: False
        return
    try:
        previous = signal.signal(signal.SIGINT, note)
    except ValueError:
        yield lambda: False
        return
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, previous)
