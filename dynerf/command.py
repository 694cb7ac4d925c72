"""The ``dynerf`` command: parse, run one subcommand, turn errors into one line and an exit status.

Exit status: 0 done, 1 a bug or an error nobody foresaw, 2 bad input or a bad option, 130 interrupted.
"""

import logging
import os
import signal
import sys
from collections.abc import Sequence

from dynerf_format.errors import DynerfError

from .arguments import parse_arguments
from .environment import prepare_environment


def run() -> None:
    """Entry point of the console script."""
    prepare_environment(sys.argv)
    # A polite kill unwinds the stack like Ctrl-C: temporary files are removed.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    logging.basicConfig(level=logging.WARNING, format="dynerf: %(message)s")
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.exit(status)


def main(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name); return the exit status."""
    try:
        options = parse_arguments(arguments)
        status: int = options.run(options)
        return status
    except DynerfError as error:
        print(f"dynerf: error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        print(  # noqa: T201
            "dynerf: error: out of memory: ask for smaller pictures (--size, --downscale) or, to encode, "
            "for fewer rays (--set schedule.rays=N)",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("dynerf: interrupted", file=sys.stderr)  # noqa: T201
        return 130
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _is_out_of_memory(error: Exception) -> bool:
    """Also torch's two ways to say so, without importing it."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in str(error)
    )
