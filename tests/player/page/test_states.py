"""The page with a server that is busy, silent, unreachable, faulty, or has another file."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from support.browser import canvas_image, new_picture, psnr, wait_for_picture, wait_until_settled
from support.fake_pictures import chessboard, description
from support.fake_server import FakeServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.long


def test_a_picture_is_shown_as_sent_and_acknowledged(watching: "Page", server: FakeServer) -> None:
    wait_until_settled(watching)
    assert psnr(canvas_image(watching), chessboard(server.views[-1])) > 35
    assert sorted(server.acks) == [view["id"] for view in server.views]
    first = server.views[0]
    assert (first["frame"], first["width"], first["height"], first["moving"]) == (0, 64, 48, False)
    assert first["camera_to_world"] == description()["cameras"][0]["camera_to_world"]


def test_an_unknown_clip_is_reported(page: "Page", server: FakeServer) -> None:
    server.clip = None
    page.goto(f"{server.address}/watch/board")
    page.wait_for_selector("text=There is no clip of this name.")
    server.clip = description()
    page.click("text=Try again")
    wait_for_picture(page)


def test_the_page_retries_when_the_server_is_busy(page: "Page", server: FakeServer) -> None:
    server.busy = True
    page.goto(f"{server.address}/watch/board")
    page.wait_for_selector("text=All sessions are in use")
    server.busy = False
    page.click("text=Try again")
    wait_for_picture(page)
    assert page.is_hidden("#state")


def test_a_lost_connection_is_reopened(watching: "Page", server: FakeServer) -> None:
    watching.keyboard.press("Shift+ArrowRight")
    wait_until_settled(watching)
    before = canvas_image(watching)
    server.ignores_views = True
    server.drop()
    watching.wait_for_selector("text=Connection lost")
    np.testing.assert_array_equal(canvas_image(watching), before)  # the last picture stays
    server.ignores_views = False
    new_picture(watching, lambda: None)
    assert watching.is_hidden("#state")
    np.testing.assert_array_equal(canvas_image(watching), before)  # and so does the camera


def test_the_reason_for_closing_is_shown(watching: "Page", server: FakeServer) -> None:
    server.busy = True
    server.drop(1008, "view: fov is too wide")
    watching.wait_for_selector("#state:has-text('view: fov is too wide')")


def test_a_silent_connection_is_reopened(page: "Page", server: FakeServer) -> None:
    page.clock.install()
    page.goto(f"{server.address}/watch/board")
    wait_for_picture(page)
    server.ignores_views = True
    page.keyboard.press(".")
    page.wait_for_timeout(300)
    page.clock.fast_forward(5_000)  # the request is repeated
    page.wait_for_timeout(300)
    server.ignores_views = False
    assert len(server.hellos) == 1
    page.clock.fast_forward(20_000)
    wait_for_picture(page, frame=1)
    assert len(server.hellos) == 2


def test_a_connection_without_a_welcome_is_reopened(page: "Page", server: FakeServer) -> None:
    page.clock.install()
    server.ignores_hello = True
    page.goto(f"{server.address}/watch/board")
    page.wait_for_selector("text=Connecting")
    page.wait_for_timeout(300)
    server.ignores_hello = False
    page.clock.fast_forward(11_000)
    page.wait_for_selector("text=Connection lost")
    page.clock.fast_forward(2_000)
    wait_for_picture(page)


def test_messages_of_the_server_are_shown(watching: "Page", server: FakeServer) -> None:
    server.send_json({"type": "error", "message": "The file cannot be read."})
    watching.wait_for_selector("#notice.visible:has-text('The file cannot be read.')")
    new_picture(watching, lambda: watching.keyboard.press("."))


def test_invalid_messages_are_ignored(watching: "Page", server: FakeServer) -> None:
    for data in ("no json", "null", '"text"', '{"type": "later"}', b"", b"\1\0short", b"\2" + bytes(60)):
        server.send(data)
    new_picture(watching, lambda: watching.keyboard.press("."))


def test_a_picture_that_cannot_be_decoded_is_skipped(watching: "Page", server: FakeServer) -> None:
    before, acks = canvas_image(watching), len(server.acks)
    server.send(b"\1\0\3\1" + bytes(28) + b"no jpeg")
    new_picture(watching, lambda: watching.keyboard.press("Shift+ArrowUp"))
    assert len(server.acks) > acks  # acknowledged all the same, so that the server does not wait
    assert psnr(canvas_image(watching), before) < 35


def test_the_page_falls_back_to_jpeg_when_h264_fails(page: "Page", server: FakeServer) -> None:
    server.broken_avc = True
    page.goto(f"{server.address}/watch/board")
    wait_for_picture(page)
    assert server.hellos[-1] == ["jpeg"]
    assert psnr(canvas_image(page), chessboard(server.views[-1])) > 35


def test_h264_is_shown_and_restarts_with_another_size(page: "Page", server: FakeServer) -> None:
    server.avc = True
    page.goto(f"{server.address}/watch/board")
    wait_for_picture(page)
    assert server.hellos == [["avc", "jpeg"]]
    for _ in range(3):
        new_picture(page, lambda: page.keyboard.press("Shift+ArrowUp"))
    page.click("#quality summary")
    new_picture(page, lambda: page.select_option("#resolution", label="128 × 96"))
    wait_until_settled(page)
    seen, sent = canvas_image(page), chessboard(server.views[-1])
    assert seen.shape == sent.shape == (96, 128, 3)
    assert psnr(seen, sent) > 28  # a quarter of the colour samples, on a chessboard
    assert server.hellos == [["avc", "jpeg"]]  # it never fell back
    assert sorted(server.acks) == [view["id"] for view in server.views]


def test_coarse_pictures_are_scaled_up_and_refined(watching: "Page", server: FakeServer) -> None:
    server.coarse = True
    new_picture(watching, lambda: watching.keyboard.press("Shift+ArrowUp"))
    wait_until_settled(watching)
    assert canvas_image(watching).shape == (48, 64, 3)
    assert psnr(canvas_image(watching), chessboard(server.views[-1])) > 35
    moving = [view["id"] for view in server.views if view["moving"]]
    assert sorted(server.acks) == sorted([view["id"] for view in server.views] + moving)


def test_a_replaced_file_is_shown_without_mixing(watching: "Page", server: FakeServer) -> None:
    server.clip = description(frames=10) | {"layers": 1}
    old = max(view["id"] for view in server.views)
    server.send_json({"type": "changed"})
    watching.wait_for_function("() => document.getElementById('seek').max === '9'")
    watching.wait_for_function("n => document.getElementById('picture').dataset.view > n", arg=old)
    assert "0:00.33" in watching.inner_text("#time")


def test_a_replaced_file_is_noticed_after_a_reconnection(watching: "Page", server: FakeServer) -> None:
    server.clip = description(frames=10) | {"etag": '"b"'}
    server.drop()
    watching.wait_for_function("() => document.getElementById('seek').max === '9'")
    new_picture(watching, lambda: watching.keyboard.press("."))


def test_buffered_ranges_are_drawn_and_missing_data_is_awaited(watching: "Page", server: FakeServer) -> None:
    server.send_json(
        {"type": "buffer", "fetched": 1000, "total": 4000, "ranges": [[0, 9], [15, 22]], "layers": 1}
    )
    watching.wait_for_selector('#seek[data-buffered="0-9 15-22"]')
    server.ignores_views = True
    watching.fill("#seek", "12")
    watching.keyboard.press("Escape")
    watching.evaluate("document.activeElement.blur()")
    watching.keyboard.press("Space")
    watching.wait_for_selector("text=Buffering")
    stands = watching.input_value("#seek")
    watching.wait_for_timeout(500)
    assert watching.input_value("#seek") == stands
    server.ignores_views = False
    server.send_json({"type": "buffer", "fetched": 4000, "total": 4000, "ranges": [[0, 29]], "layers": 1})
    watching.wait_for_function("was => document.getElementById('seek').value !== was", arg=stands)


def test_a_silent_server_is_not_flooded(watching: "Page", server: FakeServer) -> None:
    wait_until_settled(watching)
    server.ignores_views, before = True, len(server.views)
    watching.keyboard.press("Space")
    watching.wait_for_timeout(1000)
    assert 1 <= len(server.views) - before <= 2
