"""The page in a small frame of another page, without ``embed=1``."""

from typing import TYPE_CHECKING

import pytest

from support.browser import open_page, wait_for_picture

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from support.fake_server import FakeServer


@pytest.mark.parametrize(
    ("width", "height"), [(320, 240), pytest.param(780, 360, marks=pytest.mark.extensive)]
)
def test_a_small_frame_leaves_its_whole_area_to_the_picture(
    browser: "Browser", server: "FakeServer", width: int, height: int
) -> None:
    """The controls lie on the picture, cover less than half of it, and are hidden while it plays."""
    with open_page(browser, width=width, height=height) as page:
        page.goto(f"{server.address}/watch/board")
        wait_for_picture(page)
        viewport = page.locator(".viewport").bounding_box()
        assert viewport == {"x": 0, "y": 0, "width": width, "height": height}
        boxes = [page.locator(part).bounding_box() for part in (".top", ".bar")]
        assert sum(box["height"] for box in boxes if box) < height / 2
        for control in page.locator(".bar button:visible, .bar summary:visible").all():
            box = control.bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= width
        page.click("#play")
        page.wait_for_selector(".player.idle")
        page.wait_for_function("() => getComputedStyle(document.querySelector('.bar')).opacity === '0'")


def test_an_embedded_page_of_a_small_frame_shows_the_picture_alone(
    browser: "Browser", server: "FakeServer"
) -> None:
    with open_page(browser, width=320, height=240) as page:
        page.goto(f"{server.address}/watch/board?embed")
        wait_for_picture(page)
        assert page.is_hidden(".bar")
        assert page.locator("#picture").bounding_box() == {"x": 0, "y": 0, "width": 320, "height": 240}
