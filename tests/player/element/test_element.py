"""The element alone in a page: a media element whose pictures the browser renders."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from support.browser import canvas_image, open_page, psnr, wait_for_stats

from .conftest import Site, site_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.long
SHIPPED = 55  # dB PSNR against the reference, 8-bit
EVENTS = (
    "loadstart durationchange loadedmetadata loadeddata progress suspend canplay canplaythrough play playing "
    "pause waiting seeking seeked timeupdate ratechange volumechange ended error emptied abort resize load "
    "camera-change"
)

_CREATE = """async ([attributes, events]) => {
  await import('/films/web/element/dynerf_player.js');
  const player = document.createElement('dynerf-player');
  window.log = [];
  for (const type of events.split(' ')) player.addEventListener(type, () => window.log.push(type));
  Object.entries(attributes).forEach(([name, value]) => player.setAttribute(name, value));
  player.id = 'picture';
  player.style.width = '64px';
  document.getElementById('picture')?.remove();
  document.body.append(player);
  window.player = player;
}"""


@pytest.fixture(scope="module")
def bare(browser: "Browser", site: Site) -> "Iterator[Page]":
    """A page without a player."""
    with open_page(browser) as page:
        page.goto(f"{site.address}bare.html")
        yield page


def create(page: "Page", **attributes: str) -> None:
    """A player with these attributes, which shows the site's clip by default."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    page.evaluate(
        _CREATE, [{"src": "/films/clips/board.dnv", "loading": "eager", "preload": "auto", **named}, EVENTS]
    )


def wait(page: "Page", condition: str) -> None:
    """Wait until a condition on ``player`` holds."""
    page.wait_for_function(f"() => {condition}")


def settle(page: "Page") -> None:
    """Wait for the full picture with all layers."""
    wait(page, "player.dataset.final === 'true'")
    wait_for_stats(page, layers=2, final=True)


def log(page: "Page") -> list[str]:
    """The events so far, which are forgotten, without those of time and network."""
    found: list[str] = page.evaluate("window.log.splice(0)")
    return [each for each in found if each not in ("timeupdate", "progress", "suspend")]


def test_it_shows_the_reference_and_fires_the_events_of_a_media_element(bare: "Page", site: Site) -> None:
    create(bare)
    settle(bare)
    assert log(bare) == [
        "loadstart", "durationchange", "loadedmetadata", "resize",
        "load", "loadeddata", "canplay", "canplaythrough",
    ]  # fmt: skip
    clip = site.made.clip
    assert psnr(canvas_image(bare), clip.render(clip.cameras[0], frame=0, plain=True).numpy()) >= SHIPPED
    state = bare.evaluate(
        "[player.readyState, player.duration, player.paused, player.videoWidth, player.seekable.end(0)]"
    )
    assert state == [4, pytest.approx(5 / 30), True, 64, pytest.approx(5 / 30)]
    bare.evaluate("player.currentTime = 4 / 30")
    wait(bare, "!player.seeking")
    assert log(bare)[:2] == ["seeking", "seeked"]  # "canplay" follows when data was missing
    settle(bare)
    assert psnr(canvas_image(bare), clip.render(clip.cameras[0], frame=4, plain=True).numpy()) >= SHIPPED
    assert bare.evaluate("player.buffered.end(0)") == pytest.approx(5 / 30)


def test_it_plays_to_its_end_and_starts_again(bare: "Page") -> None:
    create(bare)
    wait(bare, "player.readyState === 4")
    log(bare)
    bare.evaluate("async () => { player.playbackRate = 0.5; await player.play(); }")
    wait(bare, "player.ended")
    assert bare.evaluate("[player.paused, player.currentTime === player.duration]") == [True, True]
    found = [each for each in log(bare) if each not in ("waiting", "canplay", "canplaythrough")]
    assert found[:3] == ["ratechange", "play", "playing"]
    assert found[-2:] == ["pause", "ended"]
    bare.evaluate("player.loop = true")
    bare.evaluate("player.play()")
    wait(bare, "!player.ended && player.currentTime < player.duration")
    bare.evaluate("player.pause()")


def test_play_is_interrupted_by_pause(bare: "Page") -> None:
    create(bare)
    name = bare.evaluate(
        "async () => { const p = player.play(); player.pause(); return p.catch((e) => e.name); }"
    )
    assert name == "AbortError"


def test_nothing_is_fetched_before_it_is_needed(bare: "Page", site: Site) -> None:
    def fetched() -> list[str]:
        return [path for path, _ in site.host.requests if path.endswith(".dnv")]

    site.host.requests.clear()
    create(bare, preload="none")
    bare.wait_for_timeout(300)
    assert fetched() == []
    assert bare.evaluate("[player.readyState, player.paused]") == [0, True]
    create(bare, preload="metadata", poster="/films/clips/board.jpg")
    wait(bare, "player.readyState === 1")
    bare.wait_for_timeout(300)
    assert len(fetched()) == 1
    assert bare.evaluate("player.find('poster-layer').hidden") is False
    bare.evaluate("player.play()")
    wait(bare, "player.readyState === 4 && player.find('poster-layer').hidden")
    site.host.requests.clear()
    create(bare, loading="auto", reveal="interaction", poster="/films/clips/board.jpg")
    bare.wait_for_timeout(300)
    assert fetched() == []
    assert bare.evaluate("[player.readyState, player.loaded]") == [0, False]
    bare.mouse.click(20, 20)
    wait(bare, "player.modelIsVisible")


def test_the_camera_follows_attributes_gestures_and_methods(bare: "Page") -> None:
    create(bare, camera_controls="")
    wait(bare, "player.loaded")
    auto = bare.evaluate("player.getCameraOrbit()")
    assert auto["theta"] == pytest.approx(0, abs=1e-9)
    bare.evaluate("player.cameraOrbit = '10deg auto 110%'; player.jumpCameraToGoal()")
    orbit = bare.evaluate("player.getCameraOrbit()")
    assert orbit["theta"] == pytest.approx(np.radians(10))
    assert orbit["radius"] == pytest.approx(1.1 * auto["radius"])
    wait(bare, "window.log.includes('camera-change')")
    bare.evaluate("player.fieldOfView = '30deg'; player.jumpCameraToGoal()")
    assert bare.evaluate("player.getFieldOfView()") == pytest.approx(30)
    bare.mouse.move(30, 30)
    bare.mouse.down()
    bare.mouse.move(45, 30, steps=3)
    bare.mouse.up()
    assert bare.evaluate("player.getCameraOrbit().theta") < orbit["theta"]
    bare.evaluate("player.view = 'front'; player.cameraOrbit = 'x'")
    with pytest.raises(Exception, match="twelve numbers"):
        bare.evaluate("player.setCamera({ cameraToWorld: [1] })")


def test_a_damaged_file_is_reported(bare: "Page", site: Site) -> None:
    data = bytearray(site.made.data)
    data[30] ^= 1
    address = site_file(site, "clips/damaged.dnv", bytes(data))
    create(bare, src=address)
    wait(bare, "player.error !== null")
    assert bare.is_visible("text=This clip cannot be shown")
    error: dict[str, Any] = bare.evaluate("({ code: player.error.code, message: player.error.message })")
    assert error["code"] == 4
    assert error["message"] in bare.inner_text("#state")
    assert bare.evaluate("player.play().catch((e) => e.name)") == "NotSupportedError"
    bare.evaluate("player.src = '/films/clips/board.dnv'")
    wait(bare, "player.loaded && player.error === null")


def test_a_device_that_cannot_render_gets_a_reason(bare: "Page") -> None:
    bare.evaluate(_CREATE, [{}, EVENTS])
    bare.evaluate("player.rendererOptions = { budget: 1000 }; player.src = '/films/clips/board.dnv'")
    bare.evaluate("player.loading = 'eager'")
    bare.wait_for_selector("#state:has-text('This device cannot render the clip')")
    assert "of graphics memory" in bare.inner_text("#state")
    assert "Another device or browser may." in bare.inner_text("#state")
    assert bare.evaluate("player.error.name") == "NotSupportedError"


def test_a_lost_context_is_survived(bare: "Page") -> None:
    bare.evaluate(
        "() => { window.transfer = HTMLCanvasElement.prototype.transferControlToOffscreen;"
        " delete HTMLCanvasElement.prototype.transferControlToOffscreen; }"
    )
    try:
        create(bare)
        settle(bare)
    finally:
        bare.evaluate("() => { HTMLCanvasElement.prototype.transferControlToOffscreen = window.transfer; }")
    before = canvas_image(bare)
    bare.evaluate(
        "() => { const gl = player.find('stage').querySelector('canvas').getContext('webgl2');"
        " const lose = gl.getExtension('WEBGL_lose_context'); player.dataset.final = 'false';"
        " lose.loseContext(); setTimeout(() => lose.restoreContext(), 100); }"
    )
    settle(bare)
    np.testing.assert_array_equal(canvas_image(bare), before)
    assert bare.is_hidden("#state")
