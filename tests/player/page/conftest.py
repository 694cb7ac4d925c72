"""One browser and one stand-in server for each module of page tests."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from support.browser import chromium, page_of, wait_for_picture, why_no_browser
from support.fake_server import FakeServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium, or the test is skipped."""
    if why_no_browser():
        pytest.skip(why_no_browser())
    with chromium() as browser:
        yield browser


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A well-behaved stand-in server."""
    with FakeServer() as server:
        yield server


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    """An empty page; it must not log errors."""
    with page_of(browser) as page:
        yield page


@pytest.fixture
def watching(page: "Page", server: FakeServer) -> "Page":
    """The player page, its first picture shown."""
    page.goto(f"{server.address}/watch/board")
    wait_for_picture(page)
    return page


@pytest.fixture(scope="module")
def modules(browser: "Browser") -> "Iterator[Page]":
    """A page that can import the player's modules; the tests of a file share it and leave nothing there."""
    with FakeServer() as server, page_of(browser) as page:
        page.goto(server.address)
        yield page
