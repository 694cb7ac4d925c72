"""Sound in real Chromium: decoded as in Python, scheduled without gaps, in step with pictures, controlled."""

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dynerf_decoder.clip.clip import Clip
from dynerf_format import BytesSource, Chunk, Reader, clip_bytes
from dynerf_player.site.static_site import SiteOptions, write_site
from support.browser import open_context, page_of, wait_for_picture
from support.fake_pictures import description
from support.fake_server import POLICY, FakeServer
from support.planes_clip import SMALLEST, PlanesClip, planes_clip
from support.range_host import RangeHost, hosting
from support.sound import Signal, sweep, with_sound

from .conftest import Site, site_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

pytestmark = pytest.mark.long
FRAMES, FPS, RATE = 30, 30, 48_000
# Software renders it; in smaller ones Chromium throttles frames.
SMALL: "ViewportSize" = {"width": 160, "height": 120}
CLICK = 13  # a frame in the second of three chunks

# Records what the page schedules on the audio device, and the devices that it opens.
_RECORD = """
window.played = [];
window.devices = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when, ...rest) {
  const { numberOfChannels, length } = this.buffer;
  const planes = Array.from({ length: numberOfChannels }, (_, i) => this.buffer.getChannelData(i));
  const run = document.getElementById('picture')?.engine.sound?.sound?.run;
  window.played.push({ when, length, planes, origin: run ? run.start - run.from : 0 });
  return start.call(this, when, ...rest);
};
window.lastRun = () => window.played.slice(window.played.findLastIndex(({ when }, i, all) =>
  i === 0 || Math.abs(all[i - 1].when + all[i - 1].length / 48000 - when) > 1e-6));
window.inBase64 = (plane) => {
  const bytes = new Uint8Array(plane.buffer, plane.byteOffset, plane.byteLength);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
};
const Device = window.AudioContext;
window.AudioContext = class extends Device {
  constructor(...options) {
    super(...options);
    window.devices.push(this);
  }
};
"""
# Only real clicks count as actions of the viewer, not the scripts by which the browser is driven.
_NO_ACTION = """
window.acted = false;
addEventListener('pointerdown', () => { window.acted = true; }, { capture: true });
Object.defineProperty(navigator, 'userActivation', { get: () => ({ hasBeenActive: window.acted }) });
"""
_PLAYER = "document.getElementById('picture')"
_BARE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="module" src="web/element/dynerf_player.js"></script></head><body>
<dynerf-player id="picture" src="clips/board.dnv" loading="eager" preload="auto" resolution="1" %s>
</dynerf-player></body></html>"""


@pytest.fixture(scope="module")
def silent() -> PlanesClip:
    """A clip of a second, three groups of frames, without sound."""
    return planes_clip(SMALLEST, segments=(10, 10, 10), samples=(6, 4))


@pytest.fixture(scope="module")
def made(silent: PlanesClip) -> PlanesClip:
    """That clip with a click at a frame; replaces the clip of other tests."""
    return PlanesClip(sounding(silent.data, tone_and_click()), silent.clip)


def tone_and_click() -> Signal:
    """A second of a quiet tone of 440 Hz with a click of 1 ms, half as loud in the second channel."""
    samples = 0.05 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    start = round(CLICK / FPS * RATE)
    samples[start : start + 48] += 0.9
    return np.stack([samples, 0.5 * samples], axis=1).astype(np.float32)


def sounding(data: bytes, signal: Signal) -> bytes:
    """A clip with a signal as its sound."""
    reader = Reader(BytesSource(data))
    chunks = [
        Chunk(entry.kind, entry.segment, entry.layer, entry.first, entry.count, reader.read_chunk(entry))
        for entry in reader.directory
    ]
    return clip_bytes(reader.header, with_sound(reader.header, chunks, signal))


@pytest.fixture(scope="module")
def small(browser: "Browser") -> "Iterator[BrowserContext]":
    """What the pages that record share."""
    with open_context(browser, width=400, height=400) as context:
        yield context


@pytest.fixture
def recorded(small: "BrowserContext") -> "Iterator[Page]":
    """An empty page that records its sound."""
    with page_of(small) as page:
        page.add_init_script(_RECORD)
        yield page


def element(page: "Page", site: Site, attributes: str = "") -> None:
    """Open a page with nothing but an element, which shows its first picture; small, as software draws it."""
    page.set_viewport_size(SMALL)
    page.goto(site_file(site, "element.html", (_BARE % attributes).encode()))
    wait_for_picture(page)


def play(page: "Page", seconds: float) -> None:
    """Play until that much sound is scheduled from one start on."""
    page.evaluate(f"{_PLAYER}.loop = true; {_PLAYER}.play()")
    page.wait_for_function(
        "seconds => window.lastRun().reduce((sum, { length }) => sum + length / 48000, 0) > seconds",
        arg=seconds,
    )


def last_run(page: "Page") -> list[tuple[float, np.ndarray]]:
    """(first sample, samples (n, channels)) of what was scheduled without a gap since the last start."""
    return _last_run(page)[1]


def last_sound(page: "Page") -> tuple[float, float, np.ndarray]:
    """Of the last run: seconds of the device at the clip's start and at the first sample; all samples."""
    origin, blocks = _last_run(page)
    return origin / RATE, blocks[0][0] / RATE, np.concatenate([samples for _, samples in blocks])


def _last_run(page: "Page") -> tuple[float, list[tuple[float, np.ndarray]]]:
    entries = page.evaluate(
        "window.lastRun().map(({ when, planes, origin }) =>"
        " ({ at: when * 48000, planes: planes.map(window.inBase64), origin }))"
    )
    return entries[0]["origin"], [(entry["at"], samples_of(entry["planes"])) for entry in entries]


def samples_of(planes: list[str]) -> np.ndarray:
    """Channels in base64 as samples (n, channels)."""
    return np.stack([np.frombuffer(base64.b64decode(plane), np.float32) for plane in planes], axis=1)


def state(page: "Page", expression: str) -> Any:
    """Evaluate an expression on ``player``."""
    return page.evaluate(f"() => {{ const player = {_PLAYER}; return {expression}; }}")


def wait(page: "Page", condition: str) -> None:
    """Wait until a condition on ``player`` holds."""
    page.wait_for_function(f"() => {{ const player = {_PLAYER}; return {condition}; }}")


def signal_to_noise(found: np.ndarray, expected: np.ndarray) -> float:
    """In dB."""
    return float(10 * np.log10(np.square(expected).sum() / max(np.square(found - expected).sum(), 1e-20)))


@pytest.mark.parametrize(("decoder", "channels"), [("WebCodecs", 2), ("decodeAudioData", 1)])
def test_sound_is_decoded_as_in_python(
    recorded: "Page", site: Site, silent: PlanesClip, decoder: str, channels: int
) -> None:
    data = sounding(silent.data, sweep(1.0, channels))
    site_file(site, "clips/sweep.dnv", data)
    if decoder != "WebCodecs":
        recorded.add_init_script("delete window.AudioDecoder;")
    page = _BARE.replace("board.dnv", "sweep.dnv") % ""
    recorded.set_viewport_size(SMALL)
    recorded.goto(site_file(site, "sweep.html", page.encode()))
    wait_for_picture(recorded)
    play(recorded, 0.9)
    assert state(recorded, "player.engine.sound.stats()")["decoder"] == decoder
    origin, start, sound = last_sound(recorded)
    found = sound[: round(0.9 * RATE)]
    assert found.shape[1] == channels
    whole = Clip(Reader(BytesSource(data))).sound()
    expected = np.roll(whole, -round((start - origin) * RATE), axis=0)[: len(found)]
    assert signal_to_noise(found, expected) > 70


_RENDER = """async (blocks) => {
  const first = blocks[0].when;
  const length = blocks.reduce((sum, { length }) => sum + length, 0);
  const context = new OfflineAudioContext(2, length, 48000);
  for (const { when, planes } of blocks) {
    const buffer = context.createBuffer(planes.length, planes[0].length, 48000);
    planes.forEach((plane, index) => buffer.copyToChannel(plane, index));
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(context.destination);
    source.start(when - first + 1e-9);
  }
  const rendered = await context.startRendering();
  return [0, 1].map((channel) => window.inBase64(rendered.getChannelData(channel)));
}"""


def test_chunks_and_passes_of_a_loop_follow_each_other_sample_by_sample(recorded: "Page", site: Site) -> None:
    element(recorded, site)
    play(recorded, 2.2)
    recorded.evaluate(f"{_PLAYER}.pause()")
    blocks = last_run(recorded)
    assert len(blocks) > 6
    assert all(at == pytest.approx(round(at), abs=1e-3) for at, _ in blocks)
    sound = np.concatenate([samples for _, samples in blocks])
    rendered = samples_of(recorded.evaluate(f"() => ({_RENDER})(window.lastRun())"))
    assert signal_to_noise(rendered[: len(sound)], sound) > 100
    border = [abs(float(sound[at, 0] - sound[at - 1, 0])) for at in range(16_000, len(sound), 16_000)]
    assert max(border) < 0.02  # a tone of 440 Hz and amplitude 0.05 has steps of 0.003


def test_a_click_is_heard_with_its_frame(recorded: "Page", site: Site) -> None:
    element(recorded, site)
    recorded.evaluate(
        f"""() => {{
          window.shown = [];
          {_PLAYER}.addEventListener('picture', ({{ detail }}) => {{
            const run = {_PLAYER}.engine.sound?.sound?.run;
            if (!run || run.audible === 0) return;
            const {{ contextTime, performanceTime }} = window.devices[0].getOutputTimestamp();
            const audible = contextTime + (performance.now() - performanceTime) / 1000;
            window.shown.push([detail.frame, audible - (run.start - run.from) / 48000]);
          }});
        }}"""
    )
    play(recorded, 1.2)
    wait(recorded, "window.shown.length > 20")
    shown = np.array(recorded.evaluate("window.shown"))
    origin, start, sound = last_sound(recorded)
    found = start + np.argmax(np.abs(sound[:, 0])) / RATE - origin
    assert found % 1 == pytest.approx(CLICK / FPS, abs=0.002)
    error = (shown[:, 0] / FPS - shown[:, 1] + 0.5) % 1 - 0.5
    assert abs(np.median(error)) < 0.1  # the figure is measured by benchmarks/sound_drift.py


def test_seeking_pausing_and_speed(recorded: "Page", site: Site) -> None:
    element(recorded, site)
    play(recorded, 0.5)
    recorded.evaluate(f"{_PLAYER}.pause()")
    wait(recorded, "player.engine.sound.sound.run === null")
    at = state(recorded, "player.currentTime")
    recorded.wait_for_timeout(150)
    assert state(recorded, "player.currentTime") == at
    recorded.evaluate("window.played.length = 0")
    recorded.evaluate(f"{_PLAYER}.currentTime = 0.5; {_PLAYER}.play()")
    wait(recorded, "window.played.length > 2")
    _, samples = last_run(recorded)[0]
    assert len(samples) == 8000  # from the middle of the second chunk
    recorded.evaluate(f"window.played.length = 0; {_PLAYER}.playbackRate = 2")
    wait(recorded, "window.played.length > 4")
    sound = np.concatenate([samples[:, 0] for _, samples in last_run(recorded)])[:9600]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert np.argmax(spectrum[20:]) + 20 == pytest.approx(440 * len(sound) / RATE, abs=2)  # the pitch is kept
    recorded.evaluate(f"{_PLAYER}.playbackRate = 0.25")
    wait(recorded, "player.engine.sound.sound.run === null")
    recorded.evaluate(f"{_PLAYER}.playbackRate = 1")
    wait(recorded, "player.engine.sound.sound.run !== null")
    recorded.evaluate(f"{_PLAYER}.frozen = true")
    wait(recorded, "player.engine.sound.sound.run === null")


def test_a_clip_that_does_not_loop_ends_with_its_sound(recorded: "Page", site: Site) -> None:
    element(recorded, site)
    recorded.evaluate(f"{_PLAYER}.currentTime = 0.5; {_PLAYER}.play()")
    wait(recorded, "player.ended && player.engine.sound.sound.run === null")
    origin, start, sound = last_sound(recorded)  # from later on if pictures were waited for
    assert 0.499 < start - origin < 1
    assert start - origin + len(sound) / RATE == pytest.approx(1)


def test_the_button_the_slider_and_keys(recorded: "Page", site: Site) -> None:
    page = recorded
    page.set_viewport_size({"width": 1000, "height": 700})
    page.goto(site.page)
    wait_for_picture(page)
    assert page.is_visible("#mute")
    assert page.is_visible("#volume")
    assert page.evaluate("window.devices.length") == 0  # no device before there is something to hear
    page.keyboard.press("Space")
    wait(page, "player.engine.sound.sound?.run")
    page.keyboard.press("m")
    page.wait_for_selector("#mute[aria-label=Unmute]")
    wait(page, "player.engine.sound.sound.run === null")
    assert state(page, "player.muted") is True
    page.click("#mute")
    wait(page, "!player.muted && player.engine.sound.sound?.run")
    for _ in range(2):
        page.keyboard.press("-")
    assert state(page, "player.volume") == pytest.approx(0.9)
    page.keyboard.press("+")
    page.focus("#mute")
    page.keyboard.press("ArrowDown")
    assert state(page, "player.volume") == pytest.approx(0.9)
    camera = state(page, "player.cameras.camera.position")
    page.fill("#volume", "0.3")
    page.focus("#volume")
    page.keyboard.press("ArrowUp")
    assert state(page, "player.volume") == pytest.approx(0.35)
    assert state(page, "player.cameras.camera.position") == camera
    wait(page, "Math.abs(player.engine.sound.sound.output.gain.gain.value - 0.35) < 0.01")
    page.fill("#volume", "0")
    assert state(page, "[player.muted, player.volume]") == [True, pytest.approx(0.35)]
    page.keyboard.press("i")
    page.wait_for_selector("#stats >> text=/Opus stereo, WebCodecs, muted/")
    page.keyboard.press("?")
    assert "Quieter, louder" in page.inner_text("#help-dialog")


def test_the_elements_own_controls(recorded: "Page", site: Site) -> None:
    element(recorded, site, "controls")
    recorded.set_viewport_size({"width": 600, "height": 600})
    events = "window.changes = 0; player.addEventListener('volumechange', () => { window.changes += 1; })"
    recorded.evaluate(events.replace("player", _PLAYER))
    recorded.click("#picture >> [aria-label=Mute]")
    assert state(recorded, "player.muted") is True
    recorded.fill("#picture >> [aria-label=Volume]", "0.5")
    assert state(recorded, "[player.muted, player.volume]") == [False, 0.5]
    wait(recorded, "window.changes === 3")
    assert state(recorded, "[player.defaultMuted, player.hasSound]") == [False, True]
    recorded.evaluate(f"{_PLAYER}.defaultMuted = true")
    assert state(recorded, "[player.muted, player.hasAttribute('muted')]") == [False, True]
    with pytest.raises(Exception, match="expected 0 to 1"):
        recorded.evaluate(f"{_PLAYER}.volume = 2")


def test_a_clip_without_sound_opens_no_device_and_shows_no_control(
    recorded: "Page", silent: PlanesClip, tmp_path: "Path"
) -> None:
    (tmp_path / "quiet.dnv").write_bytes(silent.data)
    write_site([tmp_path / "quiet.dnv"], tmp_path / "site", SiteOptions(), lambda _: None)
    host = RangeHost(folders={"/": tmp_path / "site"}, headers={"Content-Security-Policy": POLICY})
    with hosting(host):
        recorded.goto(f"{host.address}/index.html")
        wait_for_picture(recorded)
        recorded.keyboard.press("Space")
        wait(recorded, "player.frame > 1")
        recorded.keyboard.press("m")
        recorded.keyboard.press("-")
        recorded.keyboard.press("i")
        recorded.wait_for_selector("#stats >> text=Rendered by")
        assert "Sound" not in recorded.inner_text("#stats")
    assert state(recorded, "[player.muted, player.volume, player.hasSound]") == [False, 1, False]
    assert recorded.is_hidden("#mute")
    assert recorded.evaluate("window.devices.length") == 0
    assert [path for path, _ in host.requests if "/web/sound/" in path] == []


def test_autoplay_starts_muted_with_a_button_to_unmute(recorded: "Page", site: Site) -> None:
    page = recorded
    page.add_init_script(_NO_ACTION)
    page.goto(site_file(site, "autoplay.html", (_BARE % "autoplay loop").encode()))
    page.wait_for_selector("#picture >> #unmute")
    assert state(page, "[player.muted, player.paused, window.devices.length]") == [True, False, 0]
    box = page.locator("#picture >> #unmute").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    page.wait_for_selector("#picture >> #unmute", state="hidden")
    assert state(page, "[player.muted, player.paused, window.devices.length]") == [False, False, 1]
    wait(page, "player.engine.sound.sound.run")


def test_an_embedded_page_starts_muted_and_keys_unmute_it(recorded: "Page", site: Site) -> None:
    recorded.emulate_media(reduced_motion="no-preference")
    recorded.goto(f"{site.page}?embed=1")
    recorded.wait_for_selector("#picture >> #unmute")
    assert state(recorded, "[player.muted, player.paused, window.devices.length]") == [True, False, 0]
    recorded.keyboard.press("m")
    recorded.wait_for_selector("#picture >> #unmute", state="hidden")
    wait(recorded, "!player.muted && player.engine.sound.sound?.run")


def test_a_muted_attribute_offers_no_button_and_fetches_no_sound(recorded: "Page", site: Site) -> None:
    recorded.goto(site_file(site, "element.html", (_BARE % "autoplay muted loop").encode()))
    wait(recorded, "player.loaded && player.frame > 1")
    assert state(recorded, "[player.find('unmute').hidden, player.muted]") == [True, True]
    assert state(recorded, "player.engine.sound.stats()?.fetched ?? 0") == 0
    assert recorded.evaluate("window.devices.length") == 0


def test_a_catalogue_leads_to_a_clip_with_sound(
    recorded: "Page", made: PlanesClip, silent: PlanesClip, tmp_path: "Path"
) -> None:
    for name, clip in (("loud", made), ("quiet", silent)):
        (tmp_path / f"{name}.dnv").write_bytes(clip.data)
    clips = [tmp_path / "loud.dnv", tmp_path / "quiet.dnv"]
    write_site(clips, tmp_path / "site", SiteOptions(), lambda _: None)
    host = RangeHost(folders={"/a/": tmp_path / "site"}, headers={"Content-Security-Policy": POLICY})
    with hosting(host):
        recorded.goto(f"{host.address}/a/index.html")
        recorded.click("text=loud")
        wait_for_picture(recorded)
        recorded.keyboard.press("Space")
        play(recorded, 0.5)


def test_pictures_of_a_server_follow_the_sound_of_its_file(recorded: "Page", made: PlanesClip) -> None:
    with FakeServer() as server:
        server.file = made.data
        server.clip = description(frames=FRAMES) | {"sound": True, "bytes": len(made.data)}
        recorded.goto(f"{server.address}/watch/board")
        wait_for_picture(recorded)
        assert state(recorded, "player.renderer") == "server"
        recorded.keyboard.press("Space")
        play(recorded, 1.5)
        origin, start, sound = last_sound(recorded)
        found = start + np.argmax(np.abs(sound[:, 0])) / RATE - origin
        assert found % 1 == pytest.approx(CLICK / FPS, abs=0.002)
        recorded.click("#mute")
        wait(recorded, "player.muted && player.engine.sound.sound.run === null")


def test_a_browser_that_cannot_decode_plays_without_sound(recorded: "Page", site: Site) -> None:
    recorded.add_init_script("delete window.AudioDecoder; delete window.OfflineAudioContext;")
    recorded.goto(site.page)
    wait_for_picture(recorded)
    recorded.keyboard.press("i")
    recorded.wait_for_selector("#stats >> text=Sound is not supported here: this browser has no Web Audio")
    recorded.keyboard.press("Space")
    wait(recorded, "player.frame > 1")


def test_a_server_without_the_file_plays_without_sound(recorded: "Page") -> None:
    with FakeServer() as server:
        server.clip = description(frames=FRAMES) | {"sound": True}
        recorded.goto(f"{server.address}/watch/board")
        wait_for_picture(recorded)
        recorded.wait_for_selector("#notice:has-text('No sound')")
        recorded.keyboard.press("Space")
        wait(recorded, "player.frame > 3")
