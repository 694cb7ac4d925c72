"""The ``dynerf`` command: parse, run one subcommand, turn errors into one line and an exit status.

Exit status: 0 done, 1 a bug or an error nobody foresaw, 2 bad input, a bad option or a place that cannot be
read or written, 130 interrupted.
"""

import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence

from dynerf.console.progress import say
from dynerf.entry import INTERRUPTED, end_on_interrupt, raise_on_interrupt
from dynerf_format.errors import DynerfError, describe

from .arguments import parse_arguments
from .environment import prepare_environment


def run() -> None:
    """What the console script does once Ctrl-C is provided for."""
    prepare_environment(sys.argv)
    logging.basicConfig(level=logging.WARNING, format="dynerf: %(message)s")
    # A polite kill unwinds the stack like Ctrl-C: temporary files are removed.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    status = main(sys.argv[1:])
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        end_on_interrupt()  # the interpreter has its own cleaning up to do, which nobody need see fail
    if sys.stdout is not None:  # closed by the shell: >&-
        sys.stdout.flush()
    sys.exit(status)


def main(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name); return the exit status."""
    try:
        options = parse_arguments(arguments)
        for module in options.imports:
            importlib.import_module(module)
        raise_on_interrupt()
        status: int = options.run(options)
        return status
    except DynerfError as error:
        return _refused(str(error))
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        return _refused(
            "out of memory: ask for smaller pictures (--size, --downscale) or, to encode, for fewer rays "
            "(--set schedule.rays=N)"
        )
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _refused(describe(error))


def _refused(reason: str) -> int:
    say(f"error: {reason}")
    return 2


def _is_out_of_memory(error: Exception) -> bool:
    """Also torch's two ways to say so, without importing it."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in str(error)
    )
