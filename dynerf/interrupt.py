"""Ctrl-C while modules are imported: the process ends at once, in one line.

A KeyboardInterrupt during an import prints a traceback through third-party modules, or one of them
suppresses it. While there is nothing to clean up, Ctrl-C therefore ends the process; ``dynerf.cli.main``
restores KeyboardInterrupt before the work starts. This module imports nothing heavy.
"""

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def end_on_interrupt() -> None:
    """From here on Ctrl-C ends the process at once, with one line and no traceback."""
    signal.signal(signal.SIGINT, _end)


def raise_on_interrupt() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt, if :func:`end_on_interrupt` was called before."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_number: int, _frame: "FrameType | None") -> None:
    os.write(2, b"dynerf: interrupted\n")
    os._exit(INTERRUPTED)
