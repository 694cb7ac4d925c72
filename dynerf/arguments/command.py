"""Describes one command of the command line."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """Name, help page and function of a command. Help texts are at most 79 columns wide."""

    name: str
    summary: str  # one line, for the list of commands
    description: str
    examples: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]  # returns the exit status
    imports: tuple[str, ...] = ()  # large modules that it needs: see ``dynerf/entry.py``
