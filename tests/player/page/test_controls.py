"""The page's controls, one by one, with the fake server."""

import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from support.browser import open_page, wait_for_picture, wait_until_settled
from support.fake_server import FakeServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.long


def last_view(page: "Page", server: FakeServer) -> dict[str, Any]:
    """The newest view requested, once the page has settled."""
    wait_until_settled(page)
    return server.views[-1]


CONTROLS = {
    "button",
    "combobox",
    "slider",
    "spinbutton",
    "link",
    "textbox",
    "DisclosureTriangle",
    "progressbar",
}


def test_every_control_has_a_name(watching: "Page") -> None:
    watching.keyboard.press("k")
    watching.click("#quality summary")
    nodes = watching.context.new_cdp_session(watching).send("Accessibility.getFullAXTree")["nodes"]
    controls = [node for node in nodes if not node["ignored"] and node["role"]["value"] in CONTROLS]
    names = [node["name"]["value"] for node in controls]
    assert len(names) > 30
    assert {"Play", "Time", "Speed", "Capture camera", "Quality", "Layers", "Remove keyframe 1"} <= set(names)
    assert "" not in names


def test_ids_in_the_script_are_in_the_page(watching: "Page") -> None:
    web = Path(__file__).parents[3] / "player" / "dynerf_player" / "web"
    used = {
        name for path in web.rglob("*.js") for name in re.findall(r'find\("([a-z-]+)"\)', path.read_text())
    }
    assert len(used) > 40
    assert [name for name in used if watching.query_selector(f"#{name}") is None] == []


def test_space_plays_and_pauses(watching: "Page", server: FakeServer) -> None:
    watching.keyboard.press("Space")
    watching.wait_for_selector("#play[aria-label=Pause]")
    watching.wait_for_function("() => Number(document.getElementById('seek').value) > 3")
    watching.keyboard.press("Space")
    view = last_view(watching, server)
    assert view["frame"] > 3
    assert not view["moving"]
    assert any(earlier["moving"] for earlier in server.views)


def test_frozen_time_lets_the_camera_move(watching: "Page", server: FakeServer) -> None:
    watching.keyboard.press("Space")
    watching.wait_for_function("() => Number(document.getElementById('seek').value) > 2")
    watching.click("#freeze")
    frozen = last_view(watching, server)
    watching.mouse.move(500, 300)
    watching.mouse.down()
    watching.mouse.move(560, 320, steps=3)
    watching.mouse.up()
    moved = last_view(watching, server)
    assert moved["frame"] == frozen["frame"]
    assert moved["camera_to_world"] != frozen["camera_to_world"]
    assert (
        moved["camera_to_world"][3] < frozen["camera_to_world"][3]
    )  # scene to the right, camera to the left
    assert moved["camera_to_world"][7] > frozen["camera_to_world"][7]  # scene down, camera up
    watching.click("#freeze")
    watching.wait_for_function(
        "at => Number(document.getElementById('seek').value) !== at", arg=frozen["frame"]
    )


def test_steps_speed_loop_and_seeking_by_keys(watching: "Page", server: FakeServer) -> None:
    for key in (".", ".", ","):
        watching.keyboard.press(key)
    assert last_view(watching, server)["frame"] == pytest.approx(1)
    watching.keyboard.press("ArrowRight")
    assert last_view(watching, server)["frame"] == pytest.approx(4)
    watching.keyboard.press("[")
    watching.wait_for_function("() => document.getElementById('speed').value === '0.75'")
    watching.keyboard.press("l")
    watching.wait_for_selector("#loop[aria-pressed=false]")
    watching.focus("#seek")
    watching.keyboard.press("ArrowLeft")
    assert last_view(watching, server)["frame"] == pytest.approx(3)


def test_wheel_and_flight_move_the_camera(watching: "Page", server: FakeServer) -> None:
    start = last_view(watching, server)["camera_to_world"]
    watching.mouse.move(500, 300)
    watching.mouse.wheel(0, -300)
    closer = last_view(watching, server)["camera_to_world"]
    assert closer[11] < start[11]
    watching.keyboard.press("o")
    watching.keyboard.press("ArrowRight")
    aside = last_view(watching, server)["camera_to_world"]
    assert aside[3] > closer[3]
    watching.mouse.down()
    watching.mouse.move(400, 300, steps=2)
    watching.mouse.up()
    turned = last_view(watching, server)["camera_to_world"]
    assert [turned[i] for i in (3, 7, 11)] == pytest.approx([aside[i] for i in (3, 7, 11)])
    assert turned[2] < aside[2]  # dragged left: the camera turned right
    watching.keyboard.press("r")
    assert last_view(watching, server)["camera_to_world"] == start


def test_capture_cameras_can_be_selected(watching: "Page", server: FakeServer) -> None:
    watching.select_option("#camera", label="cam03")
    assert last_view(watching, server)["camera_to_world"][3] == 0.5
    watching.wait_for_url(re.compile("#t=0.000&camera=cam03$"))


def test_depth_layers_and_resolution_are_requested(watching: "Page", server: FakeServer) -> None:
    watching.keyboard.press("d")
    assert last_view(watching, server)["depth"]
    watching.click("#quality summary")
    watching.select_option("#layers", label="first 2 of 3")
    watching.select_option("#resolution", label="128 × 96")
    view = last_view(watching, server)
    assert (view["layers"], view["width"], view["height"]) == (2, 128, 96)
    watching.mouse.click(100, 120)
    assert watching.get_attribute("#quality", "open") is None


def test_focused_elements_take_precedence_over_shortcuts(watching: "Page", server: FakeServer) -> None:
    watching.keyboard.press("p")
    watching.focus("#path-seconds")
    watching.keyboard.type("2.5dk")
    watching.focus("#loop")
    watching.keyboard.press("Space")
    view = last_view(watching, server)
    assert not view["depth"]
    assert watching.locator("#keyframes li").count() == 0
    assert watching.get_attribute("#loop", "aria-pressed") == "false"
    assert watching.get_attribute("#play", "aria-label") == "Play"
    watching.keyboard.press("Control+d")
    assert not last_view(watching, server)["depth"]


def test_a_hint_is_shown_outside_the_captured_viewpoints(watching: "Page") -> None:
    assert watching.is_hidden("#hint")
    for _ in range(14):
        watching.keyboard.press("Shift+ArrowRight")
    watching.wait_for_selector("#hint", state="visible")
    watching.keyboard.press("r")
    watching.wait_for_selector("#hint", state="hidden")


def test_statistics_help_and_screenshot(watching: "Page") -> None:
    watching.keyboard.press("i")
    watching.wait_for_selector("#stats >> text=64 × 48")
    assert "99.0 kB" in watching.inner_text("#stats")
    watching.keyboard.press("?")
    assert watching.is_visible("#shortcuts")
    assert watching.is_hidden("#gestures")
    watching.keyboard.press("Escape")
    with watching.expect_download() as saved:
        watching.keyboard.press("s")
    assert saved.value.suggested_filename == "board_0.000s.png"
    assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")


def test_the_link_is_copied_or_shown(watching: "Page", server: FakeServer) -> None:
    watching.keyboard.press("Shift+ArrowLeft")
    view = last_view(watching, server)
    watching.click("#share")
    watching.wait_for_selector("text=Link copied")
    link = watching.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{server.address}/watch/board#t=0.000&at=")
    watching.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('none')); }")
    watching.evaluate("() => { document.execCommand = () => false; }")
    watching.click("#share")
    assert watching.input_value("#link") == link
    watching.goto("about:blank")
    watching.goto(link)
    wait_for_picture(watching)
    assert last_view(watching, server)["camera_to_world"] == pytest.approx(view["camera_to_world"], abs=1e-4)


def test_a_path_is_recorded_previewed_saved_loaded_and_rendered(
    watching: "Page", server: FakeServer, tmp_path: Path
) -> None:
    watching.keyboard.press("k")
    watching.select_option("#camera", label="cam03")
    watching.keyboard.press("ArrowRight")
    watching.click("#keyframe")
    assert watching.locator("#keyframes li").all_inner_texts() == ["1 · 0:00.00", "2 · 0:00.10"]
    watching.fill("#path-seconds", "1")
    watching.click("#preview")
    watching.wait_for_selector("#preview >> text=Stop")
    watching.wait_for_selector("#preview >> text=Preview")
    assert last_view(watching, server)["camera_to_world"][3] == pytest.approx(0.5)
    with watching.expect_download() as saved:
        watching.click("#path-export")
    file = tmp_path / "path.json"
    saved.value.save_as(file)
    assert len(json.loads(file.read_text())["camera_path"]) == 30
    watching.click("[aria-label='Remove keyframe 1']")
    assert watching.is_disabled("#render")
    watching.set_input_files("#path-file", file)
    watching.wait_for_function("() => document.querySelectorAll('#keyframes li').length === 2")
    watching.click("#render")
    with watching.expect_download() as movie:
        watching.click("#movie")
    assert Path(movie.value.path()).read_bytes() == b"a movie"
    assert movie.value.suggested_filename == "board.mp4"
    sent = server.paths[-1]
    assert (sent["render_width"], sent["render_height"], sent["fps"], len(sent["camera_path"])) == (
        64,
        48,
        30,
        30,
    )


def test_errors_of_paths_and_movies_are_shown(watching: "Page", server: FakeServer, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}")
    watching.keyboard.press("k")
    watching.keyboard.press("k")
    watching.set_input_files("#path-file", wrong)
    watching.wait_for_selector("#path-error:has-text('0 cameras')")
    server.movie_error = "All sessions are in use."
    watching.click("#render")
    watching.wait_for_selector("#path-error:has-text('All sessions are in use.')")
    assert watching.is_enabled("#render")


def test_an_embedded_player_plays_without_controls(page: "Page", server: FakeServer) -> None:
    page.emulate_media(reduced_motion="no-preference")
    page.goto(f"{server.address}/watch/board?embed=1#t=0.2&camera=cam02")
    wait_for_picture(page)
    assert page.is_hidden(".bar")
    assert page.is_hidden(".top")
    page.wait_for_function("() => Number(document.getElementById('picture').dataset.frame) > 8")
    assert server.views[0]["camera_to_world"][3] == -0.5


def test_a_phone_shows_all_controls_and_dollies_by_pinching(browser: "Browser", server: FakeServer) -> None:
    with open_page(browser, width=360, height=640, phone=True) as page:
        page.goto(f"{server.address}/watch/board")
        wait_for_picture(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        for control in page.locator(".bar button:visible, .bar select, .bar summary").all():
            box = control.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 360
            assert box["width"] >= 30
            assert box["y"] + box["height"] <= 640
        page.keyboard.press("p")
        panel = page.locator("#path-panel").bounding_box()
        bar = page.locator(".bar").bounding_box()
        assert panel is not None
        assert bar is not None
        assert panel["y"] + panel["height"] <= bar["y"]
        page.keyboard.press("p")
        start = last_view(page, server)["camera_to_world"]
        session = page.context.new_cdp_session(page)
        for kind, points in (
            ("touchStart", [(150, 200), (210, 200)]),
            ("touchMove", [(110, 200), (250, 200)]),
            ("touchMove", [(90, 200), (270, 200)]),
            ("touchEnd", []),
        ):
            touches = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(points)]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
        assert last_view(page, server)["camera_to_world"][11] < start[11]
        assert_that_the_help_is_for_fingers(page)


def assert_that_the_help_is_for_fingers(page: "Page") -> None:
    """It lists gestures, which do what it says, and the buttons that are visible; no keys."""
    page.tap("#help")
    page.wait_for_selector("#gestures", state="visible")
    assert page.is_hidden("#shortcuts")
    terms = page.locator("#gestures dt").all_inner_texts()
    assert terms[:4] == ["One finger", "Two fingers", "Tap", "Double tap"]
    names = page.locator("#gestures dd").all_inner_texts()[4:]
    assert {"Play", "Depth", "Quality"} < set(names)
    assert "Mute" not in names  # the clip has no sound
    assert page.locator("#gestures dt svg").count() == len(names)
    page.tap("[aria-label='Close the help']")
    page.tap("#picture")
    page.wait_for_selector("#play[aria-label=Pause]")
    page.locator("#picture").dblclick()
    page.wait_for_function("() => document.fullscreenElement !== null")


def test_a_card_shows_a_placeholder_until_its_poster_is_there(page: "Page", server: FakeServer) -> None:
    waiting: list[Any] = []
    page.route("**/*.jpg", lambda route: waiting.append(route))
    page.goto(server.address)
    page.locator(".card img").wait_for()
    card = np.asarray(Image.open(io.BytesIO(page.locator(".card").screenshot())).convert("L"), int)
    assert card[len(card) // 3, card.shape[1] // 2] > card[-8, card.shape[1] // 2] + 10  # beside its text
    for route in waiting:
        route.continue_()
    page.wait_for_function("() => document.querySelector('.card img').naturalWidth === 64")


def test_the_catalogue_links_to_the_player(page: "Page", server: FakeServer) -> None:
    page.goto(server.address)
    page.wait_for_selector("text=0:01.00 · 64 × 48 · 123.5 kB")
    page.wait_for_function("() => document.querySelector('.card img').naturalWidth === 64")
    page.click("text=board")
    wait_for_picture(page)
