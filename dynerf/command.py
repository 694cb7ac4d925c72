"""The ``dynerf`` command: parse, run one subcommand, turn errors into one line and an exit status.

Exit status: 0 done, 1 a bug or an error nobody foresaw, 2 bad input or a bad option, 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence

from dynerf_format.errors import DynerfError

from .arguments import make_parser
from .environment import prepare_environment


def run() -> None:
    """Entry point of the console script."""
    prepare_environment(sys.argv)
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.exit(status)


def main(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name); return the exit status."""
    options = make_parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        return status
    except DynerfError as error:
        print(f"dynerf: error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        print("dynerf: interrupted", file=sys.stderr)  # noqa: T201
        return 130
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
