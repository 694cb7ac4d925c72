"""A clip played by a session: decoder, renderer and canvas, in a worker or in the page."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.render.depth_colours import depth_image
from dynerf_format import FieldRecord, clip_bytes
from support.browser import chromium, missing_browser, open_page, psnr
from support.clips import smallest
from support.gl import ARGUMENTS, camera_record
from support.planes_clip import PlanesClip, planes_clip
from support.render_lab import HARNESS
from support.static_host import StaticHost, static_host

if TYPE_CHECKING:
    from playwright.sync_api import Page

SHIPPED = 55  # dB PSNR against the reference, 8-bit


@dataclass
class Player:
    """Sends messages to a session in the page and waits for its messages."""

    page: "Page"
    host: StaticHost
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def start(self, **options: Any) -> bool:
        """A new session; whether it runs in a worker."""
        return bool(self.page.evaluate("options => harness.start(options)", options))

    def open(self, data: bytes, **options: Any) -> None:
        """Open a file."""
        self.host.files["/clip.dnv"] = data
        self.page.evaluate("options => harness.open('/clip.dnv', options)", options)

    def send(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        self.page.evaluate("message => harness.send(message)", {"type": kind, **fields})

    def wait(self, kind: str, **fields: Any) -> dict[str, Any]:
        """A message with these fields, or an error."""
        found: dict[str, Any] = self.page.evaluate("fields => harness.wait(fields)", {"type": kind, **fields})
        assert found["type"] == kind, found
        return found

    def messages(self) -> list[dict[str, Any]]:
        """All messages since the last ``forget``."""
        found: list[dict[str, Any]] = self.page.evaluate("harness.messages()")
        return found

    def forget(self) -> None:
        """Forget the messages so far."""
        self.page.evaluate("harness.forget()")

    def settle(self, segment: int, layer: int) -> None:
        """Wait for a full picture of a segment with a layer."""
        self.wait("picture", full=True, segment=segment, layer=layer)

    def capture(self) -> np.ndarray:
        """The view at full size, uint8 (height, width, 3)."""
        pixels = self.page.evaluate("id => harness.capture(id)", next(self.ids))
        return np.array(pixels, np.uint8).reshape(48, 64, 4)[..., :3]

    def stats(self) -> dict[str, Any]:
        """The session's statistics."""
        found: dict[str, Any] = self.page.evaluate("id => harness.stats(id)", next(self.ids))
        return found


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    """A page with the harness, on SwiftShader, under the policy of the player's server."""
    if missing_browser():
        pytest.skip(missing_browser())
    with (
        static_host() as host,
        chromium(*ARGUMENTS["swiftshader"]) as browser,
        open_page(browser) as page,
    ):
        host.add(HARNESS, "/tests")
        page.goto(f"{host.address}/")
        page.evaluate("async () => { window.harness = await import('/tests/session_harness.js'); }")
        yield Player(page, host)


@pytest.fixture(scope="module")
def made() -> PlanesClip:
    """Three segments of two layers, with grids."""
    return planes_clip(segments=(2, 2, 2), grid=16)


def expected(clip: Clip, frame: float, camera: Camera | None = None) -> np.ndarray:
    """The reference's picture."""
    return clip.render(camera or clip.cameras[0], frame=frame, plain=True).numpy()


def test_a_clip_is_opened_shown_and_sharpened(player: Player, made: PlanesClip) -> None:
    """In a worker: a picture of the first layer, then of the second; the next segment is loaded ahead."""
    assert player.start() is True
    player.open(made.data)
    opened = player.wait("opened")
    assert opened["clip"]["frameCount"] == 6
    assert opened["render"]["fold"] == "gpu"
    player.settle(0, 1)
    player.wait("layer", segment=1, layer=1)
    kinds = [(each["type"], each.get("segment"), each.get("layer")) for each in player.messages()]
    layers = [each[1:] for each in kinds if each[0] == "layer"]
    assert layers == [(0, 0), (0, 1), (1, 0), (1, 1)], "the next segment ahead, but not the one after it"
    assert kinds.index(("picture", 0, 0)) < kinds.index(("picture", 0, 1))
    assert psnr(player.capture(), expected(made.clip, 0)) >= SHIPPED


def test_messages_change_what_is_shown(player: Player, made: PlanesClip) -> None:
    player.start()
    player.open(made.data)
    player.settle(0, 1)
    clip, camera = made.clip, made.clip.cameras[0]
    assert psnr(_shown_after(player, "time", frame=0.5), expected(clip, 0.5)) >= SHIPPED
    pose = camera.camera_to_world + np.array([[0, 0, 0, 0.2], [0, 0, 0, 0.1], [0, 0, 0, -0.4]])
    moved = replace(camera, camera_to_world=pose)
    assert (
        psnr(_shown_after(player, "camera", camera=camera_record(moved)), expected(clip, 0.5, moved))
        >= SHIPPED
    )
    angle = float(np.degrees(2 * np.arctan(camera.height / 2 / camera.focal_y)))
    record = {"cameraToWorld": pose.reshape(-1).tolist(), "fieldOfView": angle}
    assert psnr(_shown_after(player, "camera", camera=record), expected(clip, 0.5, moved)) >= SHIPPED
    depth = clip.render(moved, frame=0.5, plain=True).depth
    assert psnr(_shown_after(player, "depth", on=True), depth_image(depth, *clip.depth_range())) >= 40


def _shown_after(player: Player, message: str, **fields: Any) -> np.ndarray:
    """The view that a message changes, once it is still."""
    player.forget()  # before the message: its picture may arrive at once
    player.send(message, **fields)
    player.wait("picture", full=True)
    return player.capture()


def test_a_moment_of_another_segment_is_loaded_when_it_is_shown(player: Player, made: PlanesClip) -> None:
    player.start()
    player.open(made.data)
    player.send("time", frame=5)
    player.settle(2, 1)
    assert psnr(player.capture(), expected(made.clip, 5)) >= SHIPPED
    player.wait("layer", segment=0, layer=1)
    assert {each["segment"] for each in player.messages() if each["type"] == "layer"} <= {0, 1, 2}


def test_moving_pictures_are_coarse_until_the_view_is_still(player: Player, made: PlanesClip) -> None:
    player.start()
    player.open(made.data)
    player.settle(0, 1)
    player.send("size", width=160, height=120)
    player.forget()
    player.send("time", frame=0.25, playing=True)
    moving = player.wait("picture", frame=0.25)
    assert (moving["width"], moving["full"]) < (160, True)
    player.send("time", frame=0.25, playing=False)
    assert player.wait("picture", frame=0.25, full=True)["width"] == 160


def test_fewer_layers_on_request(player: Player, made: PlanesClip) -> None:
    player.start()
    player.open(made.data, layers=1)
    player.wait("layer", segment=1, layer=0)
    player.settle(0, 0)
    assert not [each for each in player.messages() if each["type"] == "layer" and each["layer"] > 0]
    coarse = Clip(made.clip.reader, layers=1)
    assert psnr(player.capture(), expected(coarse, 0)) >= SHIPPED
    player.send("layers", layers=2)
    player.settle(0, 1)


def test_without_a_canvas_for_workers_the_page_renders(player: Player, made: PlanesClip) -> None:
    player.page.evaluate(
        "() => { window.transfer = HTMLCanvasElement.prototype.transferControlToOffscreen;"
        " delete HTMLCanvasElement.prototype.transferControlToOffscreen; }"
    )
    try:
        assert player.start() is False
    finally:
        player.page.evaluate(
            "() => { HTMLCanvasElement.prototype.transferControlToOffscreen = window.transfer; }"
        )
    player.open(made.data)
    player.settle(0, 1)
    assert psnr(player.capture(), expected(made.clip, 0)) >= SHIPPED


def test_a_lost_context_is_survived(player: Player, made: PlanesClip) -> None:
    player.page.evaluate("harness.startHere()")
    player.open(made.data)
    player.settle(0, 1)
    before = player.capture()
    player.forget()
    player.page.evaluate("window.loseContext()")
    player.wait("lost")
    player.wait("restored")
    player.settle(0, 1)
    np.testing.assert_array_equal(player.capture(), before)


def test_another_clip_replaces_the_first(player: Player, made: PlanesClip) -> None:
    other = planes_clip(segments=(1,), samples=(6, 5))
    player.start()
    player.open(made.data)
    player.settle(0, 1)
    player.forget()
    player.open(other.data)
    player.wait("opened")
    player.settle(0, 1)
    assert psnr(player.capture(), expected(other.clip, 0)) >= SHIPPED
    used = player.stats()["bytes"]
    for _ in range(3):
        player.forget()
        player.open(other.data)
        player.settle(0, 1)
    assert player.stats()["bytes"] == used
    player.send("dispose")
    player.wait("disposed")


def _damaged(clip: PlanesClip, layer: int) -> bytes:
    """The clip with a changed byte in the weights of segment 0."""
    entries = [each for each in clip.clip.reader.directory if each.kind == b"WGHT" and each.segment == 0]
    entry = next(each for each in entries if each.layer == layer)
    data = bytearray(clip.data)
    data[entry.offset + 40] ^= 1
    return bytes(data)


def test_a_damaged_file_is_an_error_and_shows_nothing(player: Player, made: PlanesClip) -> None:
    player.start()
    player.open(_damaged(made, 0))
    error = player.page.evaluate("harness.wait({ type: 'picture' })")
    assert (error["type"], error["name"], error["fatal"]) == ("error", "ChecksumError", True)


def test_a_damaged_finer_layer_leaves_the_coarser_picture(player: Player, made: PlanesClip) -> None:
    player.start()
    player.open(_damaged(made, 1))
    error = player.page.evaluate("harness.wait({ type: 'error' })")
    assert (error["name"], error["fatal"]) == ("ChecksumError", False)
    player.page.evaluate("harness.wait({ type: 'picture', full: true, layer: 0 }, [])")
    assert psnr(player.capture(), expected(Clip(made.clip.reader, layers=1), 0)) >= SHIPPED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"field": FieldRecord("mlp", {"width": 8})}, 'field is "mlp"'),
        ({"sampling": {"coarse": 8, "fine": 8, "union": True}}, "union"),
    ],
    ids=["mlp", "union"],
)
def test_clips_for_the_server_say_so(player: Player, change: dict[str, Any], reason: str) -> None:
    header, chunks = smallest()
    player.start()
    player.open(clip_bytes(replace(header, **change), chunks))
    assert reason in player.wait("unsupported")["reason"]


def test_a_small_budget_holds_less_and_a_smaller_one_refuses(player: Player, made: PlanesClip) -> None:
    player.start()
    player.open(made.data)
    player.settle(0, 1)
    symbols = _symbols(made)
    folded = player.stats()["bytes"] - 2 * symbols - 64 * 48 * 4
    player.start(budget=symbols + folded + 1000)
    player.open(made.data)
    player.settle(0, 0)
    assert player.stats()["bytes"] <= symbols + folded + 64 * 48 * 4
    player.start(budget=symbols)
    player.open(made.data)
    assert "of graphics memory" in player.wait("unsupported")["reason"]


def _symbols(made: PlanesClip) -> int:
    """Bytes of a segment's symbols of 8 bits, channels in groups of four."""
    total = 0
    for name, tensor in made.clip.reader.weights(0).items():
        if name.split(".")[1] in ("static", "basis"):
            *_, channels, rows, columns = tensor.symbols.shape
            total += int(np.prod(tensor.symbols.shape[:-3])) * -(-channels // 4) * 4 * rows * columns
    return total
