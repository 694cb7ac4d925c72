"""Fixtures of the element's tests: a static site below a path, and Chromium that renders with SwiftShader."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from dynerf_player.site.static_site import SiteOptions, write_site
from support.browser import chromium, missing_browser
from support.fake_server import POLICY
from support.gl import ARGUMENTS
from support.planes_clip import SMALLEST, PlanesClip, planes_clip
from support.range_host import RangeHost, hosting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PREFIX = "/films/"
BARE = b'<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body></body>'


@dataclass(frozen=True)
class Site:
    """A static site of one clip, and the clip."""

    host: RangeHost
    made: PlanesClip

    @property
    def address(self) -> str:
        """Its root."""
        return f"{self.host.address}{PREFIX}"

    @property
    def page(self) -> str:
        """Its page."""
        return f"{self.address}index.html"


@pytest.fixture(scope="module")
def made() -> PlanesClip:
    """Two segments of two layers, with grids."""
    return planes_clip(SMALLEST, segments=(3, 2), samples=(6, 4), grid=12)


@pytest.fixture(scope="module")
def site(made: PlanesClip, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """What ``dynerf web`` writes, below a path, under the policy of the player's server."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "board.dnv").write_bytes(made.data)
    write_site([folder / "board.dnv"], folder / "site", SiteOptions(), lambda _: None)
    host = RangeHost(
        files={f"{PREFIX}bare.html": BARE},
        folders={PREFIX: folder / "site"},
        headers={"Content-Security-Policy": POLICY},
    )
    with hosting(host):
        yield Site(host, made)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium with SwiftShader, or the test is skipped."""
    if missing_browser():
        pytest.skip(missing_browser())
    with chromium(*ARGUMENTS["swiftshader"]) as browser:
        yield browser


def site_file(site: Site, name: str, data: bytes) -> str:
    """Add a file to the site; returns its address."""
    site.host.files[f"{PREFIX}{name}"] = data
    return f"{site.host.address}{PREFIX}{name}"
