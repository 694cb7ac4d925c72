"""The command line's parser: all commands, with the conventions that hold for each of them."""

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from dynerf.commands import decode, encode, evaluate, info, play, repair, serve, splice, verify, web
from dynerf_format.version import __version__

COMMANDS = (
    encode.COMMAND,
    decode.COMMAND,
    evaluate.COMMAND,
    info.COMMAND,
    splice.CUT,
    splice.JOIN,
    verify.COMMAND,
    repair.COMMAND,
    serve.COMMAND,
    play.COMMAND,
    web.COMMAND,
)
_DESCRIPTION = """\
A codec and player for neural 3D video: encodes multi-view recordings into one
compact file and renders any viewpoint at any time.
"""
_EXIT_STATUS = """\
exit status:
  0 success, 1 internal error, 2 bad input, a bad option or a file that cannot
  be read or written, 130 interrupted

'dynerf COMMAND --help' describes a command.
"""
_SIZE_UNIT = re.compile(r"[KMG]i?B|bytes", re.IGNORECASE)
_MINUS = re.compile(r"-[0-9.:]")


class Parser(argparse.ArgumentParser):
    """Reports errors in one line, like all other errors of the command, and accepts no abbreviations."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"{self.prog}: error: {message}; see '{self.prog} --help'\n")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse one command line, without the program's name. SystemExit when it is invalid."""
    return make_parser().parse_args(_join_words(arguments))


def _join_words(arguments: Sequence[str]) -> list[str]:
    """Join values that argparse would split: ``--frames -1:3`` and ``--target-size 300 kB``.

    argparse would take ``-1:3`` for an option and ``kB`` for the capture, with a misleading error.
    """
    words: list[str] = []
    for word in arguments:
        if words and words[-1] in ("--frames", "--time") and _MINUS.match(word):
            words[-1] += f"={word}"
        elif words[-2:-1] == ["--target-size"] and _SIZE_UNIT.fullmatch(word):
            words[-1] += word
        else:
            words.append(word)
    return words


def make_parser() -> Parser:
    """The parser of all commands; the function of the chosen command is ``options.run``.

    ``options.imports`` are the large modules that it needs: see ``entry.py``.
    """
    parser = Parser(
        prog="dynerf",
        description=_DESCRIPTION,
        epilog=_EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"dynerf {__version__}", help="print the version and exit"
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            epilog=command.examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run, imports=command.imports)
    return parser
