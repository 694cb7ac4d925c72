"""Fixtures of the page's tests: one browser per file, and a fake server."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from support.browser import chromium, missing_browser, open_page, wait_for_picture
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


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A fake server, without faults."""
    with FakeServer() as server:
        yield server


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    """An empty page. The test fails if it logs errors."""
    with open_page(browser) as page:
        yield page


@pytest.fixture
def watching(page: "Page", server: FakeServer) -> "Page":
    """The player page, showing its first picture."""
    page.goto(f"{server.address}/watch/board")
    wait_for_picture(page)
    return page
