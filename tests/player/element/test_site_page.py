"""The page of a static site, in which the browser renders: every button once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pytest

from support.browser import canvas_image, open_page, psnr, wait_for_picture, wait_for_stats
from support.range_host import RangeHost, hosting

from .conftest import BARE, PREFIX, Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.long


@pytest.fixture
def watching(page: "Page", site: Site) -> "Page":
    """The page, showing its first full picture."""
    page.goto(site.page)
    wait_for_picture(page)
    return page


def stats(page: "Page") -> str:
    """The statistics over the picture, once they are there."""
    page.wait_for_selector("#stats >> text=Rendered by")
    return page.inner_text("#stats")


def test_the_page_plays_below_a_path_without_other_requests(page: "Page", site: Site) -> None:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.goto(site.page)
    wait_for_picture(page)
    assert page.get_attribute("#picture", "data-renderer") == "browser"
    page.keyboard.press("i")
    text = stats(page)
    assert "there is no server that renders" in text
    assert "64 × 48" in text
    assert {urlsplit(each).netloc for each in addresses} == {urlsplit(site.address).netloc}
    assert all(urlsplit(each).path.startswith(PREFIX) for each in addresses)
    assert page.inner_text("#name") == "board"


def test_every_button_of_the_page(watching: "Page", site: Site, tmp_path: Path) -> None:
    page, clip = watching, site.made.clip
    page.keyboard.press(".")
    wait_for_picture(page, frame=1)
    page.click("#depth")
    page.wait_for_selector("#depth[aria-pressed=true]")
    page.click("#depth")
    page.click("#quality summary")
    page.select_option("#layers", label="first 1 of 2")
    page.select_option("#resolution", label="128 × 96")
    wait_for_stats(page, width=128, layers=1)
    page.select_option("#layers", value="0")
    page.select_option("#resolution", value="1")
    page.click("#back")
    wait_for_picture(page, frame=0)
    wait_for_stats(page, width=64, layers=2, final=True)
    assert psnr(canvas_image(page), clip.render(clip.cameras[0], frame=0, plain=True).numpy()) > 50
    with page.expect_download() as saved:
        page.click("#screenshot")
    assert saved.value.suggested_filename == "board_0.000s.png"
    page.keyboard.press("k")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("k")
    page.fill("#path-seconds", "0.5")
    page.click("#preview")
    page.wait_for_selector("#preview >> text=Preview")
    assert page.is_hidden("#render")
    assert page.is_visible("#render-nowhere")
    with page.expect_download() as exported:
        page.click("#path-export")
    exported.value.save_as(tmp_path / "path.json")
    assert len(json.loads((tmp_path / "path.json").read_text())["keyframes"]) == 2
    page.click("#path-close")
    page.click("#share")
    page.wait_for_selector("text=Link copied")
    page.click("#reset")
    page.click("#fly")
    page.click("#freeze")
    page.click("#play")
    page.wait_for_selector("#play[aria-label=Pause]")
    assert page.evaluate("document.getElementById('picture').frame") == 0
    page.click("#freeze")
    page.wait_for_function("() => document.getElementById('picture').frame > 0")
    page.click("#loop")
    page.wait_for_selector("#play[aria-label=Play]")  # it has reached the end


def test_a_link_opens_its_view(page: "Page", site: Site) -> None:
    page.goto(f"{site.page}#t=0.067&at=0.4,-0.2,2.4&turn=0,0,0,1&fov=40")
    wait_for_picture(page, frame=2.01)
    camera = page.evaluate("document.getElementById('picture').cameras.camera")
    np.testing.assert_allclose(camera["position"], [0.4, -0.2, 2.4])
    assert camera["fov"] == 40


def test_the_hint_does_not_cover_the_statistics(browser: "Browser", site: Site) -> None:
    with open_page(browser, width=360, height=640, phone=True) as page:
        page.goto(f"{site.page}#t=0&at=9,9,9&turn=0,0,0,1&fov=40")
        wait_for_picture(page)
        page.keyboard.press("i")
        stats(page)
        hint, table = page.evaluate(
            """() => {
              document.getElementById('hint').hidden = false; // the page hides it in its next frame
              return ['hint', 'stats'].map((id) => {
                const { top, bottom } = document.getElementById(id).getBoundingClientRect();
                return { top, bottom };
              });
            }"""
        )
        assert hint["bottom"] > hint["top"]
        assert table["bottom"] <= hint["top"] or hint["bottom"] <= table["top"]


@pytest.fixture(scope="module")
def embedder() -> Iterator[str]:
    """A page of another origin."""
    with hosting(RangeHost(files={"/page.html": BARE})) as host:
        yield f"{host.address}/page.html"


def test_a_frame_is_driven_by_the_page_around_it(page: "Page", site: Site, embedder: str) -> None:
    page.goto(embedder)
    page.evaluate(
        """address => {
          window.received = [];
          addEventListener('message', ({ data }) => window.received.push(data));
          const frame = document.createElement('iframe');
          frame.src = address;
          document.body.append(frame);
          window.send = (message) => frame.contentWindow.postMessage({ dynerf: 1, ...message }, '*');
        }""",
        f"{site.page}?embed=1",
    )
    frame = page.frame_locator("iframe")
    frame.locator('#picture[data-final="true"]').wait_for()
    assert page.evaluate("window.received") == []  # nothing before the first command
    page.evaluate("send({ command: 'listen' })")
    page.wait_for_function("() => window.received.some(({ event }) => event === 'listening')")
    page.evaluate("send({ command: 'seek', time: 0.1 })")
    page.wait_for_function("() => window.received.some(({ event }) => event === 'seeked')")
    assert page.evaluate("window.received.at(-1).currentTime") == pytest.approx(0.1)
    page.evaluate("send({ command: 'setCamera', view: 'nowhere' })")
    page.wait_for_function("() => window.received.some(({ event }) => event === 'error')")
    page.evaluate(
        "send({ command: 'setCamera', cameraToWorld: [1,0,0,.2, 0,1,0,0, 0,0,1,2.5], fieldOfView: 50 })"
    )
    page.wait_for_function(
        "() => received.some(({ event, fieldOfView }) => event === 'camera-change' && fieldOfView === 50)"
    )
    page.evaluate("send({ command: 'play' })")
    page.wait_for_function("() => window.received.some(({ event }) => event === 'playing')")


def test_commands_of_other_origins_are_refused(page: "Page", site: Site, embedder: str) -> None:
    page.goto(embedder)
    page.evaluate(
        """async address => {
          const frame = document.createElement('iframe');
          frame.src = address;
          window.received = [];
          addEventListener('message', ({ data }) => window.received.push(data));
          document.body.append(frame);
          await new Promise((resolve) => { frame.onload = resolve; });
          frame.contentWindow.postMessage({ dynerf: 1, command: 'listen' }, '*');
        }""",
        f"{site.page}?embed=1&origin=https://other.example",
    )
    page.frame_locator("iframe").locator('#picture[data-final="true"]').wait_for()
    assert page.evaluate("window.received") == []


def test_the_bench_reports_what_it_measured(page: "Page", site: Site) -> None:
    page.goto(f"{site.page}?bench")
    page.wait_for_selector("#bench-text:has-text('Graphics memory')", timeout=60_000)
    text = page.inner_text("#bench-text")
    assert "Rendered by: browser" in text
    assert "pictures per second" in text
    assert "requests" in text
    box, size = page.locator("#bench-dialog").bounding_box(), page.viewport_size
    assert box is not None
    assert size is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= size["height"]
    assert page.evaluate("scrollY") == 0
    page.click("#bench-copy")
    page.wait_for_selector("text=Result copied")


def test_the_bench_of_a_damaged_clip_ends_with_the_reason(page: "Page", site: Site) -> None:
    data = bytearray(site.made.data)
    chunk = next(each for each in site.made.clip.reader.directory if each.kind == b"WGHT")
    data[chunk.offset + chunk.stored_length] ^= 1
    page.route("**/*.dnv", lambda route: route.fulfill(body=bytes(data)))
    page.goto(f"{site.page}?bench")
    page.wait_for_selector("#bench-text:has-text('Nothing was measured: ')")
    assert "checksum" in page.inner_text("#bench-text")
    assert "checksum" in page.inner_text("#state")
