"""The page in real Chromium with the real server: every action of a viewer, once.

The clip is tiny and trained for a few seconds. Pictures in the page are compared with those that
``dynerf decode`` renders of the same camera and moment.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

import dynerf
from dynerf_format import BytesSource, FileSource, Reader, encode_header
from support.browser import (
    canvas_image,
    chromium,
    missing_browser,
    new_picture,
    open_page,
    psnr,
    wait_for_picture,
    wait_until_settled,
)
from support.clips import ForgedChunk, forge
from support.encoding import tiny_encode, tiny_job, write_scene
from support.link import serving as serving_bytes
from support.tls import self_signed

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(missing_browser()), reason=missing_browser()),
]
FRAMES, WIDTH, HEIGHT = 10, 128, 96
_SAME = 33.0  # dB between a picture and what a video of it shows, chroma at half the size


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of the test scene in its own folder."""
    folder = tmp_path_factory.mktemp("clip")
    capture = write_scene(folder / "scene", frames=FRAMES, width=WIDTH, height=HEIGHT)
    tiny_encode(tiny_job(capture, folder / "wall.dnv", "schedule.isg_steps=60", "planes.scales=16,32"))
    return folder / "wall.dnv"


@pytest.fixture(scope="module")
def layered(clip: Path) -> bytes:
    """The same clip with 16 KiB of padding after its first layer, so that one request ends there."""
    with FileSource(clip) as source:
        reader = Reader(source)
        chunks = [
            ForgedChunk(e.kind, e.segment, e.layer, 0, e.first, e.count, reader.read_chunk(e))
            for e in reader.directory
        ]
        header = encode_header(reader.header)
    first = next(number for number, chunk in enumerate(chunks) if chunk.layer > 0)
    return forge(header, [*chunks[:first], ForgedChunk(kind=b"note", body=bytes(1 << 14)), *chunks[first:]])


@contextmanager
def serving(clip: Path, *options: str, port: int = 0) -> "Iterator[tuple[str, subprocess.Popen[str]]]":
    """``dynerf serve`` in its own process, and its address."""
    with running("serve", str(clip), "--port", str(port), *options) as running_server:
        yield running_server


@contextmanager
def running(*arguments: str) -> "Iterator[tuple[str, subprocess.Popen[str]]]":
    """A serving command in its own process, and the last address of the line that it prints."""
    command = [sys.executable, "-m", "dynerf", *arguments, "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    try:
        address = ""
        while not address:
            line = process.stderr.readline()
            assert line, "the server ended"
            address = "".join(re.findall(r"https?://\S+", line)[-1:]).rstrip("/")
        # Later output must not fill the pipe and block the process.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield address, process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)
        process.stderr.close()


@pytest.fixture(scope="module")
def address(clip: Path) -> Iterator[str]:
    """The address of the clip's player page."""
    with serving(clip) as (address, _):
        yield f"{address}/watch/wall"


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def watching(browser: "Browser", address: str) -> "Iterator[Page]":
    """The player page, showing its first full picture at the clip's own size."""
    with open_page(browser) as page:
        page.goto(address)
        wait_for_picture(page)
        yield page


def decoded(clip: Path, camera: int, frame: float, depth: bool = False) -> np.ndarray:
    """The picture that ``dynerf decode`` renders."""
    with dynerf.open(clip, device="cpu") as opened:
        picture = opened.render(opened.cameras[camera], frame=float(frame))
        if not depth:
            return picture.numpy()
        from dynerf_decoder.render.depth_colours import depth_image

        return depth_image(picture.depth, *opened.depth_range())


def test_the_page_shows_what_decode_renders(watching: "Page", clip: Path) -> None:
    assert psnr(canvas_image(watching), decoded(clip, 0, 0)) > _SAME
    watching.select_option("#camera", label="cam02")
    for _ in range(3):
        watching.keyboard.press(".")
    wait_until_settled(watching)
    wait_for_picture(watching, frame=3)
    there = decoded(clip, 2, 3)
    assert psnr(canvas_image(watching), there) > _SAME
    assert psnr(there, decoded(clip, 0, 0)) < 30  # so that the two can be distinguished


def test_jpeg_shows_the_same_without_webcodecs(browser: "Browser", address: str, clip: Path) -> None:
    with open_page(browser) as page:
        page.add_init_script("delete window.VideoDecoder")
        page.goto(address)
        wait_for_picture(page)
        page.keyboard.press("i")
        page.wait_for_selector("#stats >> text=JPEG")
        assert psnr(canvas_image(page), decoded(clip, 0, 0)) > _SAME


@pytest.mark.extensive
def test_the_page_plays_over_tls(browser: "Browser", clip: Path, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    with serving(clip, "--tls-cert", certificate, "--tls-key", key) as (address, _):
        assert address.startswith("https://")
        context = browser.new_context(ignore_https_errors=True)
        page = context.new_page()
        page.goto(f"{address}/watch/wall")
        wait_for_picture(page)
        page.keyboard.press("i")
        page.wait_for_selector("#stats >> text=H.264")
        assert psnr(canvas_image(page), decoded(clip, 0, 0)) > _SAME
        context.close()


def test_depth_is_shown(watching: "Page", clip: Path) -> None:
    new_picture(watching, lambda: watching.keyboard.press("d"))
    wait_until_settled(watching)
    assert psnr(canvas_image(watching), decoded(clip, 0, 0, depth=True)) > 30
    new_picture(watching, lambda: watching.keyboard.press("d"))


def test_a_copied_link_leads_to_the_same_view_after_an_orbit(watching: "Page") -> None:
    before = canvas_image(watching)
    watching.mouse.move(500, 300)
    watching.mouse.down()
    watching.mouse.move(560, 330, steps=4)
    watching.mouse.up()
    watching.fill("#seek", "4.5")
    wait_until_settled(watching)
    wait_for_picture(watching, frame=4.5)
    seen = canvas_image(watching)
    assert psnr(seen, before) < 30
    watching.keyboard.press("Escape")
    watching.click("#share")
    watching.wait_for_selector("text=Link copied")
    link = watching.evaluate("navigator.clipboard.readText()")
    watching.goto("about:blank")
    watching.goto(link)
    wait_for_picture(watching, frame=4.5)
    assert psnr(canvas_image(watching), seen) > _SAME


def test_slow_motion_shows_moments_between_frames_and_freezes(watching: "Page") -> None:
    watching.select_option("#speed", "0.1")
    watching.click("#play")
    watching.wait_for_function("() => document.getElementById('picture').dataset.frame % 1 > 0.01")
    watching.click("#freeze")
    wait_until_settled(watching)
    frozen = watching.get_attribute("#picture", "data-frame")
    new_picture(watching, lambda: watching.keyboard.press("Shift+ArrowUp"))
    assert watching.get_attribute("#picture", "data-frame") == frozen
    watching.click("#freeze")
    watching.wait_for_function("at => document.getElementById('picture').dataset.frame !== at", arg=frozen)


def test_a_path_is_rendered_and_downloaded(watching: "Page", clip: Path, tmp_path: Path) -> None:
    watching.keyboard.press("k")
    watching.select_option("#camera", label="cam01")
    watching.fill("#seek", "5")
    watching.evaluate("document.activeElement.blur()")
    watching.keyboard.press("k")
    watching.fill("#path-seconds", "0.5")
    watching.click("#render")
    with watching.expect_download() as download:
        watching.click("#movie")
    download.value.save_as(tmp_path / "path.mp4")
    with av.open(str(tmp_path / "path.mp4")) as movie:
        assert movie.streams.video[0].average_rate == 30
        pictures = [frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)]
    assert len(pictures) == 15
    assert psnr(pictures[0], decoded(clip, 0, 0)) > 30
    assert psnr(pictures[-1], decoded(clip, 1, 5)) > 30


def test_the_page_plays_on_a_phone(browser: "Browser", address: str) -> None:
    with open_page(browser, width=390, height=780, phone=True) as page:
        page.goto(address)
        wait_for_picture(page)
        page.tap("#play")
        page.wait_for_function("() => Number(document.getElementById('picture').dataset.frame) > 2")
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_other_sites_may_embed_the_player(browser: "Browser", address: str) -> None:
    with open_page(browser) as page:
        page.set_content(f'<iframe src="{address}?embed=1" width="320" height="240"></iframe>')
        page.frame_locator("iframe").locator('#picture[data-final="true"]').wait_for()
        assert page.frame_locator("iframe").locator(".bar").is_hidden()


@pytest.mark.extensive  # page/test_states.py loses connections to a fake server
def test_the_page_continues_after_its_server_was_killed_and_restarted(browser: "Browser", clip: Path) -> None:
    with open_page(browser) as page:
        with serving(clip) as (address, process):
            page.goto(f"{address}/watch/wall")
            wait_for_picture(page)
            page.keyboard.press(".")
            wait_for_picture(page, frame=1)
            process.kill()
            page.wait_for_selector("text=Connection lost")
        with serving(clip, port=int(address.rpartition(":")[2])):
            new_picture(page, lambda: None)
            assert page.is_hidden("#state")
            wait_for_picture(page, frame=1)


def test_the_remote_player_shows_the_first_quality_layer_and_then_refines(
    browser: "Browser", clip: Path, layered: bytes
) -> None:
    finer = next(entry.offset for entry in Reader(BytesSource(layered)).directory if entry.layer > 0)
    with dynerf.open(clip, layers=1, device="cpu") as first, dynerf.open(clip, device="cpu") as whole:
        coarse, fine = (opened.render(opened.cameras[0], frame=0.0).numpy() for opened in (first, whole))
    assert psnr(coarse, fine) < _SAME - 2  # so that the two can be distinguished
    with (
        serving_bytes(layered, stalled_from=finer) as link,
        running("play", link.address, "--no-browser") as (address, _),
        open_page(browser) as page,
    ):
        page.goto(address)
        page.wait_for_selector('#picture[data-view]:not([data-final="true"])')
        page.wait_for_timeout(500)
        assert psnr(canvas_image(page), coarse) > _SAME
        assert link.sent <= finer  # the rest was requested and has not arrived
        link.stalled_from = None
        wait_for_picture(page)
        assert psnr(canvas_image(page), fine) > _SAME
        page.keyboard.press("i")
        page.wait_for_selector(f"#stats >> text={len(link.data) / 1000:.1f} kB")
