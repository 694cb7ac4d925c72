"""Fixtures of the page's tests: one browser per file, and a fake server."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from support.browser import chromium, missing_browser, wait_for_picture
from support.fake_server import FakeServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium, or the test is skipped."""
    if missing_browser():
        pytest.skip(missing_browser())
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def running_server() -> Iterator[FakeServer]:
    """One address for all tests of a file: browsers keep its modules."""
    with FakeServer() as server:
        yield server


@pytest.fixture
def server(running_server: FakeServer) -> FakeServer:
    """A fake server, without faults."""
    running_server.reset()
    return running_server


@pytest.fixture
def watching(page: "Page", server: FakeServer) -> "Page":
    """The player page, showing its first picture."""
    page.goto(f"{server.address}/watch/board")
    wait_for_picture(page)
    return page
