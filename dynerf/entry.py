"""Where the command begins: before anything heavy is imported, Ctrl-C already ends it in one line.

A KeyboardInterrupt in the middle of an import is a traceback through other people's modules, or one of them
swallows it. While there is nothing to clean up, Ctrl-C therefore ends the process at once; ``command.main``
turns that off before the work begins.
"""

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130  # the exit status of shells for SIGINT


def run() -> None:
    """Entry point of the console script and of ``python -m dynerf``."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as nohup does
        end_on_interrupt()
    from dynerf.cli.main import run

    run()


def end_on_interrupt() -> None:
    """From here on Ctrl-C ends the process, without a word from what is being imported."""
    signal.signal(signal.SIGINT, _end)


def raise_on_interrupt() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt, if :func:`end_on_interrupt` was called before."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_number: int, _frame: "FrameType | None") -> None:
    os.write(2, b"dynerf: interrupted\n")
    os._exit(INTERRUPTED)
