"""What the page does when the server is busy, silent, gone, wrong, or has another file."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from support.browser import new_picture, psnr, settled, shown, wait_for_picture
from support.fake_pictures import chessboard, description
from support.fake_server import FakeServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.long


def test_a_picture_is_shown_as_it_was_sent_and_acknowledged(watching: "Page", server: FakeServer) -> None:
    settled(watching)
    assert psnr(shown(watching), chessboard(server.views[-1])) > 35
    assert sorted(server.acks) == [view["id"] for view in server.views]
    first = server.views[0]
    assert (first["frame"], first["width"], first["height"], first["moving"]) == (0, 64, 48, False)
    assert first["camera_to_world"] == description()["cameras"][0]["camera_to_world"]


def test_an_unknown_clip_is_said_to_be_unknown(page: "Page", server: FakeServer) -> None:
    server.clip = None
    page.goto(f"{server.address}/watch/board")
    page.wait_for_selector("text=There is no clip of this name.")
    server.clip = description()
    page.click("text=Try again")
    wait_for_picture(page)


def test_a_busy_server_is_asked_again(page: "Page", server: FakeServer) -> None:
    server.busy = True
    page.goto(f"{server.address}/watch/board")
    page.wait_for_selector("text=All places are taken")
    server.busy = False
    page.click("text=Try again")
    wait_for_picture(page)
    assert page.is_hidden("#state")


def test_a_lost_connection_is_made_again_by_itself(watching: "Page", server: FakeServer) -> None:
    watching.keyboard.press("Shift+ArrowRight")
    settled(watching)
    before = shown(watching)
    server.ignores_views = True
    server.drop()
    watching.wait_for_selector("text=Connection lost")
    np.testing.assert_array_equal(shown(watching), before)  # the last picture stays
    server.ignores_views = False
    new_picture(watching, lambda: None)
    assert watching.is_hidden("#state")
    np.testing.assert_array_equal(shown(watching), before)  # and so does the camera


def test_why_the_server_closed_is_said(watching: "Page", server: FakeServer) -> None:
    server.busy = True
    server.drop(1008, "view: fov is too wide")
    watching.wait_for_selector("#state:has-text('view: fov is too wide')")


def test_a_line_that_fell_silent_is_made_anew(page: "Page", server: FakeServer) -> None:
    page.clock.install()
    page.goto(f"{server.address}/watch/board")
    wait_for_picture(page)
    server.ignores_views = True
    page.keyboard.press(".")
    page.wait_for_timeout(300)
    page.clock.fast_forward(5_000)  # the wish is repeated
    page.wait_for_timeout(300)
    server.ignores_views = False
    assert len(server.hellos) == 1
    page.clock.fast_forward(20_000)
    wait_for_picture(page, frame=1)
    assert len(server.hellos) == 2


def test_a_server_that_does_not_greet_is_left_and_tried_again(page: "Page", server: FakeServer) -> None:
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
    watching.wait_for_selector("#notice.shown:has-text('The file cannot be read.')")
    new_picture(watching, lambda: watching.keyboard.press("."))


def test_what_is_no_message_is_passed_over(watching: "Page", server: FakeServer) -> None:
    for data in ("no json", "null", '"text"', '{"type": "later"}', b"", b"\1\0short", b"\2" + bytes(60)):
        server.send(data)
    new_picture(watching, lambda: watching.keyboard.press("."))


def test_a_picture_that_cannot_be_decoded_is_passed_over(watching: "Page", server: FakeServer) -> None:
    before, acks = shown(watching), len(server.acks)
    server.send(b"\1\0\3\1" + bytes(28) + b"no jpeg")
    new_picture(watching, lambda: watching.keyboard.press("Shift+ArrowUp"))
    assert len(server.acks) > acks  # it was acknowledged all the same: the server does not wait for it
    assert psnr(shown(watching), before) < 35


def test_h264_that_does_not_decode_gives_way_to_jpeg(page: "Page", server: FakeServer) -> None:
    server.broken_avc = True
    page.goto(f"{server.address}/watch/board")
    wait_for_picture(page)
    assert server.hellos[-1] == ["jpeg"]
    assert psnr(shown(page), chessboard(server.views[-1])) > 35


def test_h264_is_shown_and_starts_anew_with_another_size(page: "Page", server: FakeServer) -> None:
    server.avc = True
    page.goto(f"{server.address}/watch/board")
    wait_for_picture(page)
    assert server.hellos == [["avc", "jpeg"]]
    for _ in range(3):
        new_picture(page, lambda: page.keyboard.press("Shift+ArrowUp"))
    page.click("#quality summary")
    new_picture(page, lambda: page.select_option("#resolution", label="128 × 96"))
    settled(page)
    seen, sent = shown(page), chessboard(server.views[-1])
    assert seen.shape == sent.shape == (96, 128, 3)
    assert psnr(seen, sent) > 28  # a quarter of the colour samples, on a chessboard
    assert server.hellos == [["avc", "jpeg"]]  # it never fell back
    assert sorted(server.acks) == [view["id"] for view in server.views]


def test_coarse_pictures_are_enlarged_and_refined_ones_follow(watching: "Page", server: FakeServer) -> None:
    server.coarse = True
    sizes = "() => { const { width, height } = document.getElementById('picture'); return [width, height]; }"
    new_picture(watching, lambda: watching.keyboard.press("Shift+ArrowUp"))
    settled(watching)
    assert watching.evaluate(sizes) == [64, 48]
    assert psnr(shown(watching), chessboard(server.views[-1])) > 35
    moving = [view["id"] for view in server.views if view["moving"]]
    assert sorted(server.acks) == sorted([view["id"] for view in server.views] + moving)


def test_another_file_is_taken_on_without_mixing(watching: "Page", server: FakeServer) -> None:
    server.clip = description(frames=10) | {"layers": 1}
    old = max(view["id"] for view in server.views)
    server.send_json({"type": "changed"})
    watching.wait_for_function("() => document.getElementById('seek').max === '9'")
    watching.wait_for_function("n => document.getElementById('picture').dataset.view > n", arg=old)
    assert "0:00.33" in watching.inner_text("#time")


def test_another_file_is_noticed_when_the_server_comes_back(watching: "Page", server: FakeServer) -> None:
    server.clip = description(frames=10) | {"etag": '"b"'}
    server.drop()
    watching.wait_for_function("() => document.getElementById('seek').max === '9'")
    new_picture(watching, lambda: watching.keyboard.press("."))


def test_what_is_here_is_drawn_and_what_is_not_is_waited_for(watching: "Page", server: FakeServer) -> None:
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
    settled(watching)
    server.ignores_views, before = True, len(server.views)
    watching.keyboard.press("Space")
    watching.wait_for_timeout(1000)
    assert 1 <= len(server.views) - before <= 2
