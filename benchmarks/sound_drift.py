"""Measures in Chromium how far pictures are from the sound audible when they appear, while a clip loops.

    python benchmarks/sound_drift.py clip.dnv [--minutes 10] [--size 64]

The clip has sound. It is played by the element on a page that a local host serves, in a box of ``--size`` CSS
pixels, rendered by SwiftShader. What is scheduled on the audio device is recorded by the page's
``AudioBufferSourceNode``; each shown picture is compared with the second of the clip that is audible by the
device's output timestamp. So the results do not rest on the player's own clock. Printed as Markdown: the
median by minute, and how far medians of ten seconds move.
"""

import argparse
import json
import statistics
import sys
from bisect import bisect
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from dynerf_player.site.static_site import SiteOptions, write_site
from support.browser import chromium
from support.gl import ARGUMENTS
from support.range_host import RangeHost, hosting

if TYPE_CHECKING:
    from playwright.sync_api import Page

_PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="module" src="web/element/dynerf_player.js"></script>
<dynerf-player id="picture" src="clips/%s.dnv" style="width: %dpx" loading="eager" preload="auto" loop>
</dynerf-player>"""
_RECORD = """
window.starts = []; // [context second, samples, second of the clip at which time stands] of what is scheduled
window.shown = []; // [frame, context second audible]
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when, ...rest) {
  window.starts.push([when, this.buffer.length, document.getElementById('picture').currentTime]);
  window.device = this.context;
  return start.call(this, when, ...rest);
};
"""
_LISTEN = """() => {
  const player = document.getElementById('picture');
  player.addEventListener('picture', ({ detail }) => {
    if (!window.device) return;
    const { contextTime, performanceTime } = window.device.getOutputTimestamp();
    window.shown.push([detail.frame, contextTime + (performance.now() - performanceTime) / 1000]);
  });
  player.play();
}"""
_TAKE = "({ starts: window.starts.splice(0), shown: window.shown.splice(0) })"
_RATE = 48_000
_POLL_MS = 10_000
_SETTLING = 0.5  # seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--json", type=Path, help="also write the measured pairs there")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = measure(options.clip, Path(folder) / "site", options.minutes, options.size)
    if options.json:
        options.json.write_text(json.dumps(found), encoding="utf-8")
    print(table(found))


def measure(clip: Path, site: Path, minutes: float, size: int) -> dict[str, Any]:
    """Play a clip for so many minutes: its length, what was scheduled and what was shown."""
    name = write_site([clip], site, SiteOptions(), lambda _: None)[0]
    host = RangeHost(files={"/page.html": (_PAGE % (name, size)).encode()}, folders={"/": site})
    with hosting(host), chromium(*ARGUMENTS["swiftshader"]) as browser:
        page = browser.new_page()
        page.add_init_script(_RECORD)
        page.goto(f"{host.address}/page.html")
        page.wait_for_selector('#picture[data-final="true"]')
        clip_record = page.evaluate("(({ fps, seconds }) => ({ fps, seconds }))(picture.description)")
        page.evaluate(_LISTEN)
        starts, shown = collect(page, minutes)
        stats = page.evaluate("picture.getStats()")
    return {**clip_record, "starts": starts, "shown": shown, "stats": stats}


def collect(page: "Page", minutes: float) -> tuple[list[list[float]], list[list[float]]]:
    """What the page recorded, taken from it every few seconds."""
    starts: list[list[float]] = []
    shown: list[list[float]] = []
    for _ in range(round(minutes * 60_000 / _POLL_MS)):
        page.wait_for_timeout(_POLL_MS)
        record = page.evaluate(_TAKE)
        starts += record["starts"]
        shown += record["shown"]
    return starts, shown


def errors(found: dict[str, Any]) -> list[tuple[float, float]]:
    """(seconds since the first start of the sound, milliseconds by which it is early) of each picture.

    Each is compared with the last start of the sound before it, when the clip's time stood where the sound
    starts. Pictures of the half second behind a start are left out: some were requested before it.
    """
    starts = [row for index, row in enumerate(found["starts"]) if is_start(found["starts"], index)]
    times = [when for when, _, _ in starts]
    length = found["seconds"]
    pairs = []
    for frame, audible in found["shown"]:
        index = bisect(times, audible - _SETTLING) - 1
        if index < 0 or bisect(times, audible) - 1 != index:
            continue
        when, _, second = starts[index]
        error = (frame / found["fps"] - second - (audible - when) + length / 2) % length - length / 2
        pairs.append((audible - times[0], 1000 * error))
    return pairs


def is_start(starts: list[list[float]], index: int) -> bool:
    """Whether the sound does not follow what was scheduled before."""
    if index == 0:
        return True
    when, samples, _ = starts[index - 1]
    return abs(when + samples / _RATE - starts[index][0]) > 1 / _RATE


def medians(pairs: list[tuple[float, float]], seconds: float) -> list[float]:
    """Of each stretch of so many seconds that has pictures."""
    groups: dict[int, list[float]] = {}
    for time, error in pairs:
        groups.setdefault(int(time // seconds), []).append(error)
    return [statistics.median(groups[key]) for key in sorted(groups)]


def table(found: dict[str, Any]) -> str:
    """Markdown."""
    pairs = errors(found)
    starts = sum(is_start(found["starts"], index) for index in range(len(found["starts"])))
    short = medians(pairs, 10)
    size = sorted(abs(error) for _, error in pairs)
    lines = [
        f"{pairs[-1][0]:.0f} s, {pairs[-1][0] / found['seconds']:.0f} passes, {len(pairs)} pictures; "
        f"the sound started {starts} times",
        "",
        "| minute | median, ms |",
        "|--:|--:|",
        *(f"| {minute + 1} | {value:+.1f} |" for minute, value in enumerate(medians(pairs, 60))),
        "",
        f"median {statistics.median(error for _, error in pairs):+.1f} ms; absolute: median "
        f"{size[len(size) // 2]:.1f}, 95 % {size[int(0.95 * len(size))]:.1f} ms; medians of 10 s from "
        f"{min(short):+.1f} to {max(short):+.1f} ms",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
