"""Long play of the element in a page: looped, with seeks and changes of the clip; measures memory."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.range_host import RangeHost, hosting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

_WEB = Path(__file__).parents[2] / "player" / "dynerf_player" / "web"
# Counts what lives in the graphics context of the worker that renders.
_COUNTER = """
globalThis.alive = { Texture: 0, Framebuffer: 0, Buffer: 0, Program: 0 };
for (const kind of Object.keys(alive)) {
  const { [`create${kind}`]: create, [`delete${kind}`]: remove } = WebGL2RenderingContext.prototype;
  WebGL2RenderingContext.prototype[`create${kind}`] = function () {
    alive[kind] += 1;
    return create.call(this);
  };
  WebGL2RenderingContext.prototype[`delete${kind}`] = function (made) {
    alive[kind] -= 1;
    remove.call(this, made);
  };
}
"""
_PAGE = b"""<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="module" src="/web/element/dynerf_player.js"></script>
<body><dynerf-player id="picture" loop muted preload="auto" loading="eager"
 style="width: 96px; height: 72px"></dynerf-player></body>"""
# Chromium's switch to measure all heaps at once and not at the next collection.
EAGER = "--enable-blink-features=ForceEagerMeasureMemory"
# The measure of all heaps of the page and of its workers needs an isolated page.
_ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


@dataclass(frozen=True)
class Sample:
    """What a page holds: bytes of the page's heap, of all heaps with those of workers, and what is alive."""

    seconds: float
    heap: int
    heaps: int
    workers: int
    textures: int
    framebuffers: int
    buffers: int
    programs: int


def long_play_host(clips: list[bytes]) -> RangeHost:
    """Serves a page with the element, and clips as ``/0.dnv``, ``/1.dnv`` and so on."""
    entry = (_WEB / "worker" / "renderer_worker.js").read_bytes()
    files = {"/index.html": _PAGE, "/web/worker/renderer_worker.js": _COUNTER.encode() + entry}
    files |= {f"/{number}.dnv": data for number, data in enumerate(clips)}
    return RangeHost(files=files, folders={"/web/": _WEB}, headers=_ISOLATED)


def long_play(
    page: Page, clips: list[bytes], *, seconds: float, seeks: int, changes: int, samples: int
) -> Iterator[Sample]:
    """Play for so long, with that many seeks and changes of the clip, evenly spread.

    A sample is taken when the first clip has just been opened anew and all of it is decoded, so that samples
    can be compared: ``samples`` of them, evenly over the changes. Yields each as it is taken.
    """
    pick = random.Random(0)
    with hosting(long_play_host(clips)) as host:
        page.goto(f"{host.address}/index.html")
        devtools = page.context.new_cdp_session(page)
        start = time.monotonic()
        _show(page, 0)
        yield _sample(page, devtools, start)
        for change in range(1, changes + 1):
            for seek in range(seeks // changes):
                _wait_until(page, start + seconds * (change - 1 + (seek + 1) / (seeks // changes)) / changes)
                page.evaluate("share => { player.currentTime = share * player.duration; }", pick.random())
                page.wait_for_function("() => !player.seeking")
            _show(page, change % len(clips))
            if change * samples // changes > (change - 1) * samples // changes:
                _show(page, 0)
                yield _sample(page, devtools, start)


def _show(page: Page, number: int) -> None:
    """Play a clip from the beginning, and wait until all layers are shown."""
    page.evaluate(
        """async (src) => {
          await customElements.whenDefined('dynerf-player');
          window.player = document.getElementById('picture');
          player.src = '';
          player.src = src;
          await player.play();
        }""",
        f"/{number}.dnv",
    )
    page.wait_for_function(
        "() => player.buffered.length === 1 && player.buffered.end(0) >= player.duration - 1e-6"
    )
    page.wait_for_function(
        "async () => (await player.getStats()).layers === player.engine.description.layers"
    )


def _wait_until(page: Page, moment: float) -> None:
    page.wait_for_timeout(max(0, 1000 * (moment - time.monotonic())))


def _sample(page: Page, devtools: Any, start: float) -> Sample:
    devtools.send("HeapProfiler.collectGarbage")
    heap = devtools.send("Runtime.getHeapUsage")["usedSize"]
    heaps = page.evaluate("async () => (await performance.measureUserAgentSpecificMemory()).bytes")
    counts = [worker.evaluate("globalThis.alive ?? null") for worker in page.workers]
    alive = next(each for each in counts if each)
    return Sample(
        round(time.monotonic() - start, 1), heap, heaps, len(counts),
        alive["Texture"], alive["Framebuffer"], alive["Buffer"], alive["Program"],
    )  # fmt: skip
