"""What all tests share: shapes are checked, files are not flushed to the disk, harmful files are counted.

With pytest-xdist several processes test: each computes on one thread, and their counts are added up.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import shapes
from support.no_flush import no_flush

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

_TRIED = pytest.StashKey[Counter[str]]()

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is loaded; the processes share the cores
    os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")

shapes.install()  # before a test imports one of the packages
os.fsync = no_flush
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a shell's background job; children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Check the first calls of each test."""
    shapes.start_test()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First a file that compiles the kernels; beside it tests that need none, not to compile them twice."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.path.match("encoder/jobs/test_encode_segment.py"):
        return 0
    return 1 if item.path.is_relative_to(Path(__file__).parent / "format") else 2


@pytest.fixture(scope="session")
def tried(pytestconfig: pytest.Config) -> Counter[str]:
    """How many files each kind of attack tried."""
    return _counts(pytestconfig)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of pytest-xdist reports its counts."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["attacks"] = dict(_counts(session.config))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """And the process that shows them adds them up."""
    counts = getattr(node, "workeroutput", {}).get("attacks", {})
    _counts(node.config).update(counts)  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """One line, when there was a campaign."""
    counts = _counts(config)
    if counts:
        each = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        terminalreporter.write_line(f"attacks: {counts.total():,} harmful files tried ({each})")


def _counts(config: pytest.Config) -> Counter[str]:
    return config.stash.setdefault(_TRIED, Counter())
