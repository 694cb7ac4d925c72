"""Which side renders: the browser, or a server where the browser cannot or is not to."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dynerf_format import FieldRecord, clip_bytes
from support.browser import canvas_image, psnr, wait_for_picture, wait_for_stats
from support.clips import smallest
from support.fake_pictures import description
from support.fake_server import FakeServer
from support.planes_clip import PlanesClip

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.long


@pytest.fixture
def server(made: PlanesClip) -> Iterator[FakeServer]:
    """A server that has a clip's file, and describes it; its pictures are a chessboard."""
    with FakeServer() as server:
        server.render_mode = "auto"
        server.file = made.data
        server.clip = description(frames=5) | _camera(made) | {"layers": 2, "bytes": len(made.data)}
        yield server


def _camera(made: PlanesClip) -> dict[str, Any]:
    pose = made.clip.cameras[0].camera_to_world.reshape(-1).tolist()
    return {
        "cameras": [
            {
                "name": "front",
                "role": "training",
                "width": 64,
                "height": 48,
                "fov": 43.6,
                "camera_to_world": pose,
            }
        ],
        "volume": {"points": [], "margin": 0},
    }


def test_a_device_without_acceleration_uses_the_server_and_the_menu_selects_a_side(
    page: "Page", server: FakeServer, made: PlanesClip
) -> None:
    page.goto(f"{server.address}/watch/board")
    wait_for_picture(page)
    assert page.get_attribute("#picture", "data-renderer") == "server"
    page.keyboard.press("i")
    page.wait_for_selector("#stats >> text=/the server: this .* no .*(accelerated|acceleration)/")
    page.keyboard.press(".")
    wait_for_picture(page, frame=1)
    board = canvas_image(page)
    page.click("#quality summary")
    page.select_option("#renderer", label="this browser")
    page.wait_for_selector("#stats >> text=this browser: selected")
    wait_for_stats(page, layers=2, final=True)
    page.wait_for_selector('#picture[data-final="true"][data-frame="1.000"]')  # the moment is kept
    clip = made.clip
    assert psnr(canvas_image(page), clip.render(clip.cameras[0], frame=1, plain=True).numpy()) > 25
    page.select_option("#renderer", label="auto")  # decides as at first
    page.wait_for_selector("#stats >> text=/the server: this .* no .*(accelerated|acceleration)/")
    page.select_option("#renderer", label="the server")
    page.wait_for_selector("#stats >> text=the server: selected")
    page.wait_for_selector("#stats >> text=Stream")
    page.wait_for_selector('#picture[data-final="true"]')
    np.testing.assert_array_equal(canvas_image(page), board)


def test_a_clip_that_browsers_cannot_render_is_left_to_the_server(page: "Page", server: FakeServer) -> None:
    header, chunks = smallest()
    server.file = clip_bytes(replace(header, field=FieldRecord("mlp", {"width": 8})), chunks)
    page.goto(f"{server.address}/watch/board?render=browser")
    page.wait_for_selector("#state:has-text('only \"planes\" can be rendered in a browser')")
    page.click("text=Let the server render")
    wait_for_picture(page)
    assert page.get_attribute("#picture", "data-renderer") == "server"
    assert page.is_hidden("#state")


def test_a_device_that_renders_requests_only_the_file_of_the_server(page: "Page", server: FakeServer) -> None:
    """The context counts as accelerated, and its pictures as fast."""
    page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, options = {}) {"
        "  return get.call(this, kind, { ...options, failIfMajorPerformanceCaveat: false }); };"
    )
    page.route("**/web/backend/choice.js", _without_software)
    page.route("**/web/element/engine.js", _without_software)
    page.goto(f"{server.address}/watch/board")
    wait_for_picture(page)
    assert page.get_attribute("#picture", "data-renderer") == "browser"
    assert server.hellos == []
    stats = page.evaluate("document.getElementById('picture').getStats()")
    assert stats["why"] == "this device can render", json.dumps(stats)


def _without_software(route: Any) -> None:
    """The module without the test for software, and with patience for its pictures."""
    response = route.fetch()
    body = (
        response.text()
        .replace("render?.device.software", "false")
        .replace("SLOWEST_MS = 100", "SLOWEST_MS = 1e6")
    )
    route.fulfill(response=response, body=body)
