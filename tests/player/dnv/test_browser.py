"""The decoder in Chromium: a module worker under a strict policy; hosts of own and foreign origin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.browser import chromium, missing_browser, open_page
from support.clips import repository
from support.fake_server import POLICY
from support.range_host import RangeHost, hosting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

ROOT = repository(Path(__file__))
VECTORS = ROOT / "format" / "vectors"
CLIP = (VECTORS / "cut_waves.dnv").read_bytes()  # longer than what opening fetches
OPENING = 16 * 1024
EXPOSED = "ETag, Content-Range"


class ReplacedHost(RangeHost):
    """Serves another clip from the request for ``/replace`` on."""

    def content(self, path: str) -> bytes | None:
        if path == "/replace":
            self.etag = '"two"'
            self.files["/clip.dnv"] = bytes(len(CLIP))
            return b""
        return super().content(path)


@pytest.fixture(scope="module")
def tab() -> Iterator[tuple[Page, RangeHost]]:
    """A page with the worker, and the host that it comes from. Violations of its policy fail the tests."""
    if missing_browser():
        pytest.skip(missing_browser())
    folders = {
        "/web/": ROOT / "player/dynerf_player/web",
        "/vectors/": VECTORS,
        "/test/": Path(__file__).parent / "modules",
    }
    host = ReplacedHost({"/clip.dnv": CLIP}, folders, etag='"one"')
    policy = POLICY.replace("connect-src 'self'", "connect-src 'self' http://127.0.0.1:*")
    host.headers = {"Content-Security-Policy": policy}
    with hosting(host), chromium() as browser, open_page(browser) as page:
        page.goto(f"{host.address}/test/browser.html")
        yield page, host
        assert page.evaluate("violations") == []


def test_all_vectors_decode_in_a_module_worker_without_a_violation_of_the_policy(
    tab: tuple[Page, RangeHost],
) -> None:
    page, _ = tab
    found = page.evaluate("run('vectors')")
    assert found["wrong"] == {}
    assert found["counts"]["good"] + found["counts"]["bad"] == len(list(VECTORS.glob("*.dnv")))
    assert found["counts"]["compared"] > 50


def test_the_first_picture_takes_three_requests(tab: tuple[Page, RangeHost]) -> None:
    page, host = tab
    host.requests.clear()
    found = page.evaluate("run('firstPicture', '/clip.dnv')")
    ranges = [requested for path, requested in host.requests if path == "/clip.dnv"]
    assert ranges[0] == f"bytes=0-{OPENING - 1}"
    assert found["requests"] == len(ranges) == 3
    assert found["received"] < len(CLIP)
    assert (found["version"], found["size"]) == ('"one"', len(CLIP))


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("exposed", [True, False])
def test_a_clip_of_another_origin(tab: tuple[Page, RangeHost], ranges: bool, exposed: bool) -> None:
    page, _ = tab
    headers = {"Access-Control-Allow-Origin": "*"}
    if exposed:
        headers["Access-Control-Expose-Headers"] = EXPOSED
    with hosting(RangeHost({"/clip.dnv": CLIP}, {}, ranges, '"one"', headers)) as host:
        found = page.evaluate("address => run('firstPicture', address)", f"{host.address}/clip.dnv")
        methods = [path for path, _ in host.requests]
    assert found["size"] == len(CLIP)
    assert found["version"] == ('"one"' if exposed else None)
    assert found["requests"] == len(methods) == (3 if ranges else 1)


def test_a_clip_of_an_origin_that_does_not_allow_it_is_refused_with_the_reason(
    tab: tuple[Page, RangeHost],
) -> None:
    page, _ = tab
    with hosting(RangeHost({"/clip.dnv": CLIP})) as host:
        found = page.evaluate("address => run('failure', address)", f"{host.address}/clip.dnv")
    assert found.startswith(
        f"RemoteError: {host.address}/clip.dnv: the server cannot be reached, or its host"
    )


@pytest.mark.parametrize(
    ("exposed", "error"), [(True, "ChangedError"), (False, "ChecksumError")], ids=["exposed", "hidden"]
)
def test_a_clip_that_is_replaced_meanwhile(tab: tuple[Page, RangeHost], exposed: bool, error: str) -> None:
    page, _ = tab
    headers = {"Access-Control-Allow-Origin": "*"}
    if exposed:
        headers["Access-Control-Expose-Headers"] = EXPOSED
    with hosting(ReplacedHost({"/clip.dnv": CLIP}, {}, True, '"one"', headers)) as host:
        addresses = [f"{host.address}/clip.dnv", f"{host.address}/replace"]
        found = page.evaluate("addresses => run('failure', ...addresses)", addresses)
    assert found.startswith(f"{error}: {host.address}/clip.dnv: ")
