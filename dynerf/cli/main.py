"""Runs the ``dynerf`` command: parses, runs one command, turns errors into one line and an exit status.

Exit status: 0 success, 1 internal error, 2 bad input, a bad option or a file that cannot be read or written,
130 interrupted.
"""

import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence

from dynerf.console.progress import say
from dynerf.interrupt import INTERRUPTED, raise_on_signals
from dynerf_format.errors import DynerfError, describe

from .environment import prepare_environment
from .parser import parse_arguments


def run() -> None:
    """Run the console script; ``dynerf.entry`` has installed the handlers of signals."""
    prepare_environment(sys.argv)
    logging.basicConfig(level=logging.WARNING, format="dynerf: %(message)s")
    status = main(sys.argv[1:])
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done; only the interpreter shuts down
    if sys.stdout is not None:  # closed by the shell: >&-
        sys.stdout.flush()
    sys.exit(status)


def main(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name); return the exit status."""
    try:
        options = parse_arguments(arguments)
        for module in options.imports:
            importlib.import_module(module)
        raise_on_signals()
        status: int = options.run(options)
        return status
    except DynerfError as error:
        return _fail(str(error))
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        return _fail(
            "out of memory: use smaller images (--size, --downscale) or, to encode, fewer rays "
            "(--set schedule.rays=N)"
        )
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(describe(error))


def _fail(reason: str) -> int:
    say(f"error: {reason}")
    return 2


def _is_out_of_memory(error: Exception) -> bool:
    """Whether an error is MemoryError or one of torch's two equivalents, without importing torch."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in str(error)
    )
