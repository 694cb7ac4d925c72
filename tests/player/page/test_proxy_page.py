"""The whole player in Chromium below a path of a real proxy, and what it says when one is set up wrongly."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import pytest

from dynerf_player.server.access_token import Access
from support.browser import new_picture, page_of, settled, wait_for_picture
from support.proxy import HOST, any_proxy, free_port, served_in_thread

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.long
NAME = "wall 50% ä#1"
ACCESS = Access("word & more")


@contextmanager
def below_a_path(place: Path, folder: Path, *, bare: bool = False, **settings: Any) -> Iterator[str]:
    """The root of a server behind a proxy that, unless bare, keeps Host and passes WebSockets on."""
    port = free_port()
    own = () if bare else (f"http://{HOST}:{port}",)
    with (
        served_in_thread(place, **{"origins": own, **settings}) as upstream,
        any_proxy(port, upstream, folder, bare),
    ):
        yield f"http://{HOST}:{port}/films/"


def test_everything_a_viewer_does_stays_below_the_path(
    browser: "Browser", clip: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in (NAME, "other"):
        shutil.copy(clip, folder / f"{name}.dnv")
    with below_a_path(folder, tmp_path, access=ACCESS) as base, page_of(browser) as page:
        asked = list[str]()
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url.replace("ws:", "http:")))
        _catalogue(page, base)
        link = _watch(page, base)
        _movie(page, tmp_path)
        _file(page, clip)
        page.click("#catalogue")
        page.wait_for_url(base)
        elsewhere = [url for url in asked if not url.startswith((base, "blob:", "data:"))]
        assert elsewhere == []
        assert any("/live/" in url for url in asked)
        (cookie,) = page.context.cookies()
        assert (cookie["path"], cookie["httpOnly"], cookie["sameSite"]) == ("/films", True, "Lax")
        _shared(browser, link)


def _catalogue(page: "Page", base: str) -> None:
    """Opened with the token, which the address loses; thumbnails are there."""
    page.goto(base + ACCESS.query())
    page.wait_for_function(
        "() => { const images = [...document.querySelectorAll('.card img')];"
        " return images.length === 2 && images.every((image) => image.naturalWidth > 0); }"
    )
    assert page.url == base


def _watch(page: "Page", base: str) -> str:
    """Live pictures, and the link to a view."""
    page.click(f".card:has-text('{NAME}')")
    wait_for_picture(page)
    new_picture(page, lambda: page.keyboard.press("Shift+ArrowUp"))
    settled(page)
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
    """The clip itself, by the browser's own means."""
    with page.expect_download() as download:
        page.evaluate("location.href = `../clips/${encodeURIComponent(document.title.split(' - ')[0])}.dnv`")
    assert Path(download.value.path()).read_bytes() == clip.read_bytes()


def _shared(browser: "Browser", link: str) -> None:
    """A copied link holds no token: it asks for it, and shows the view once it is there."""
    with page_of(browser) as page:
        answer = page.goto(link)
        assert answer is not None
        assert answer.status == 401
        page.goto(link.replace("#", f"{ACCESS.query()}#"))
        wait_for_picture(page)
        page.wait_for_url(link)


def test_a_proxy_that_replaces_host_is_answered_with_the_option_that_admits_it(
    browser: "Browser", clip: Path, tmp_path: Path
) -> None:
    with below_a_path(clip, tmp_path, bare=True) as base, page_of(browser) as page:
        page.goto(base)
        page.wait_for_selector(f"#state:has-text('--allow-origin {base.removesuffix('/films/')}')")


def test_a_proxy_that_passes_no_websockets_on_is_named(
    browser: "Browser", clip: Path, tmp_path: Path
) -> None:
    with below_a_path(clip, tmp_path, bare=True, origins=("*",)) as base, page_of(browser) as page:
        page.goto(base)
        page.wait_for_selector("#state:has-text('a proxy in between must pass their upgrade on')")


def test_a_page_whose_token_is_no_longer_valid_says_so(browser: "Browser", clip: Path) -> None:
    port = free_port()
    with page_of(browser) as page:
        with served_in_thread(clip, port=port, access=ACCESS):
            page.goto(f"http://127.0.0.1:{port}/{ACCESS.query()}")
            wait_for_picture(page)
        page.wait_for_selector("text=Connection lost")
        with served_in_thread(clip, port=port, access=Access("another")):
            page.wait_for_selector("#state:has-text('This server requires its token')")
