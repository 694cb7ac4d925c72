"""The player in Chromium behind a real proxy with a path prefix, and its messages about wrong proxies."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import pytest

from dynerf_player.server.access_token import Access
from support.browser import new_picture, open_page, wait_for_picture, wait_until_settled
from support.proxy import HOST, any_proxy, free_port, served_in_thread

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.long
NAME = "wall 50% ä#1"
ACCESS = Access("word & more")


@contextmanager
def behind_proxy(clips: Path, folder: Path, *, bare: bool = False, **settings: Any) -> Iterator[str]:
    """The root of a server behind a proxy. Unless ``bare``, it keeps Host and passes WebSockets on."""
    port = free_port()
    own = () if bare else (f"http://{HOST}:{port}",)
    with (
        served_in_thread(clips, **{"origins": own, **settings}) as upstream,
        any_proxy(port, upstream, folder, bare),
    ):
        yield f"http://{HOST}:{port}/films/"


def test_all_requests_of_the_page_stay_below_the_prefix(
    browser: "Browser", clip: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in (NAME, "other"):
        shutil.copy(clip, folder / f"{name}.dnv")
    with behind_proxy(folder, tmp_path, access=ACCESS) as base, open_page(browser) as page:
        requested = list[str]()
        page.on("request", lambda request: requested.append(request.url))
        page.on("websocket", lambda socket: requested.append(socket.url.replace("ws:", "http:")))
        _catalogue(page, base)
        link = _watch(page, base)
        _movie(page, tmp_path)
        _file(page, clip)
        page.click("#catalogue")
        page.wait_for_url(base)
        elsewhere = [url for url in requested if not url.startswith((base, "blob:", "data:"))]
        assert elsewhere == []
        assert any("/live/" in url for url in requested)
        (cookie,) = page.context.cookies()
        assert (cookie["path"], cookie["httpOnly"], cookie["sameSite"]) == ("/films", True, "Lax")
        _shared(browser, link)


def _catalogue(page: "Page", base: str) -> None:
    """The catalogue, opened with the token, which is removed from the address; thumbnails are loaded."""
    page.goto(base + ACCESS.query())
    page.wait_for_function(
        "() => { const images = [...document.querySelectorAll('.card img')];"
        " return images.length === 2 && images.every((image) => image.naturalWidth > 0); }"
    )
    assert page.url == base


def _watch(page: "Page", base: str) -> str:
    """Watch a clip; returns the link to a view."""
    page.click(f".card:has-text('{NAME}')")
    wait_for_picture(page)
    new_picture(page, lambda: page.keyboard.press("Shift+ArrowUp"))
    wait_until_settled(page)
    page.click("#share")
    page.wait_for_selector("text=Link copied")
    link = str(page.evaluate("navigator.clipboard.readText()"))
    assert link.startswith(f"{base}watch/wall%2050%25%20%C3%A4%231#t=")
    return link


def _movie(page: "Page", folder: Path) -> None:
    for _ in range(2):
        page.keyboard.press("k")
        page.keyboard.press("Shift+ArrowUp")
    page.fill("#path-seconds", "0.5")
    page.click("#render")
    with page.expect_download() as download:
        page.click("#movie")
    download.value.save_as(folder / "path.mp4")
    with av.open(str(folder / "path.mp4")) as movie:
        assert len(list(movie.decode(video=0))) > 2


def _file(page: "Page", clip: Path) -> None:
    """Download the clip by the browser."""
    with page.expect_download() as download:
        page.evaluate("location.href = `../clips/${encodeURIComponent(document.title.split(' - ')[0])}.dnv`")
    assert Path(download.value.path()).read_bytes() == clip.read_bytes()


def _shared(browser: "Browser", link: str) -> None:
    """A copied link has no token: the server requires it, and with it the page shows the view."""
    with open_page(browser) as page:
        answer = page.goto(link)
        assert answer is not None
        assert answer.status == 401
        page.goto(link.replace("#", f"{ACCESS.query()}#"))
        wait_for_picture(page)
        page.wait_for_url(link)


def test_for_a_proxy_that_replaces_host_the_page_names_the_option_that_admits_it(
    browser: "Browser", clip: Path, tmp_path: Path
) -> None:
    with behind_proxy(clip, tmp_path, bare=True) as base, open_page(browser) as page:
        page.goto(base)
        page.wait_for_selector(f"#state:has-text('--allow-origin {base.removesuffix('/films/')}')")


def test_a_proxy_that_does_not_pass_on_websockets_is_reported(
    browser: "Browser", clip: Path, tmp_path: Path
) -> None:
    with behind_proxy(clip, tmp_path, bare=True, origins=("*",)) as base, open_page(browser) as page:
        page.goto(base)
        page.wait_for_selector("#state:has-text('a proxy in between must pass on the upgrade')")


def test_an_invalid_token_is_reported(browser: "Browser", clip: Path) -> None:
    port = free_port()
    with open_page(browser) as page:
        with served_in_thread(clip, port=port, access=ACCESS):
            page.goto(f"http://127.0.0.1:{port}/{ACCESS.query()}")
            wait_for_picture(page)
        page.wait_for_selector("text=Connection lost")
        with served_in_thread(clip, port=port, access=Access("another")):
            page.wait_for_selector("#state:has-text('This server requires its token')")
