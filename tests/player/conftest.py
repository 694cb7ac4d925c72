"""A tiny clip for all tests of the player, which work on copies to change it; pages; events to wait for."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dynerf_format.edit.splice import cut_clip
from dynerf_player.session import websocket
from support.browser import open_context, page_of
from support.encoding import shared_clip
from support.player import Aborts

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of a few frames, read-only."""
    return shared_clip(tmp_path_factory)


@pytest.fixture(scope="session")
def other_clip(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another clip of the same scene, read-only."""
    path = tmp_path_factory.mktemp("other") / "other.dnv"
    cut_clip(clip, 0, 3, path)
    return path


@pytest.fixture
def next_check(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Awaitable[None]]:
    """Sessions check often whether their clip's file has changed; awaits the end of a later check."""
    ended, original = [0], websocket._update_version

    async def counted(*arguments: Any) -> None:
        try:
            await original(*arguments)
        finally:
            ended[0] += 1

    async def wait() -> None:
        before = ended[0]
        while ended[0] < before + 2:  # the first one may have started already
            await asyncio.sleep(0.005)

    monkeypatch.setattr(websocket, "_update_version", counted)
    monkeypatch.setattr(websocket, "_POLL_SECONDS", 0.01)
    return wait


@pytest.fixture
def aborts(monkeypatch: pytest.MonkeyPatch) -> Aborts:
    """Connections that a server aborts."""
    transports = importlib.import_module("asyncio.selector_events")._SelectorTransport
    found, original = Aborts(), transports.abort

    def abort(transport: object) -> None:
        found.add(transport)
        original(transport)

    monkeypatch.setattr(transports, "abort", abort)
    return found


@pytest.fixture(scope="module")
def context(browser: "Browser") -> "Iterator[BrowserContext]":
    """What the pages of a file share: its modules are fetched and compiled once."""
    with open_context(browser) as context:
        yield context


@pytest.fixture
def page(context: "BrowserContext") -> "Iterator[Page]":
    """An empty page. The test fails if it logs errors, violations of a policy among them."""
    with page_of(context) as page:
        yield page
