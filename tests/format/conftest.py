"""Counts the harmful files that the campaign of attacks tried, and says so at the end of the session."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

_TRIED = pytest.StashKey[Counter[str]]()


@pytest.fixture(scope="session")
def tried(pytestconfig: pytest.Config) -> Counter[str]:
    """How many files each kind of attack tried."""
    return pytestconfig.stash.setdefault(_TRIED, Counter())


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """One line, when there was a campaign."""
    counts = config.stash.get(_TRIED, Counter())
    if counts:
        each = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        terminalreporter.write_line(f"attacks: {counts.total():,} harmful files tried ({each})")
