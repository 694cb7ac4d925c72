"""Ctrl-C and SIGTERM while modules are imported: the process ends at once, in at most one line.

An exception during an import prints a traceback through third-party modules, or one of them suppresses it.
While there is nothing to clean up, both signals therefore end the process; ``dynerf.cli.main`` lets them
raise exceptions before the work starts. This module imports nothing heavy.
"""

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def end_on_signals() -> None:
    """From here on Ctrl-C and SIGTERM end the process at once; where they are ignored they remain so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)


def raise_on_signals() -> None:
    """From here on they raise KeyboardInterrupt and SystemExit, so that temporary files are removed.

    Without an effect unless :func:`end_on_signals` was called before.
    """
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGTERM) is _end:
        signal.signal(signal.SIGTERM, _exit)


def _end(number: int, _frame: "FrameType | None") -> None:
    if number == signal.SIGINT:
        os.write(2, b"dynerf: interrupted\n")
    os._exit(128 + number)


def _exit(number: int, _frame: "FrameType | None") -> None:
    sys.exit(128 + number)
