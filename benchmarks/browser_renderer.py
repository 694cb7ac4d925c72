"""Measures the WebGL2 renderer in Chromium, on software implementations of WebGL: ratios and counts.

    python benchmarks/browser_renderer.py clip.dnv [--size 128x96] [--gl swiftshader llvmpipe] [--blocking]

For each implementation: PSNR (8-bit) of views of the clip's held-out camera against the reference, with
every sample, as shipped, and on simulated hardware; the mean samples, fetches and multiplications of a ray,
counted by the shader; and the CPU time of a picture in all processes of the browser, relative to that of
``clip.render``. With ``--blocking`` the longest task of the page's main thread while a worker decodes,
uploads and folds a segment of the sizes of ``fast`` (64 million parameters).
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / folder) for folder in ("format", "decoder", "encoder", "player", ".", "tests")]

import numpy as np  # noqa: E402

import dynerf  # noqa: E402
from dynerf_decoder.cameras.camera import Camera  # noqa: E402
from dynerf_decoder.clip.clip import Clip  # noqa: E402
from dynerf_encoder.config.presets import preset  # noqa: E402
from support.browser import chromium, open_page, psnr  # noqa: E402
from support.gl import ARGUMENTS, camera_record, missing_gl  # noqa: E402
from support.planes_clip import planes_clip  # noqa: E402
from support.render_lab import HARNESS, Lab, render_lab  # noqa: E402
from support.simulated_gl import HALF_NETWORK, TEXTURE_UNIT  # noqa: E402
from support.static_host import static_host  # noqa: E402

CASES: dict[str, dict[str, Any]] = {
    "every sample": {"minTransmittance": 0},
    "as shipped": {},
    "simulated hardware": {"prelude": TEXTURE_UNIT + HALF_NETWORK},
}


def main() -> None:
    """Measure and print one record per implementation."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--size", default="128x96", help="of the pictures")
    parser.add_argument("--gl", nargs="+", default=sorted(ARGUMENTS), choices=sorted(ARGUMENTS))
    parser.add_argument("--blocking", action="store_true")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    with dynerf.open(options.clip, device="cpu") as clip:
        for gl in options.gl:
            if reason := missing_gl(gl):
                print(f"{gl}: {reason}")
                continue
            with render_lab(gl) as lab:
                print(json.dumps({"gl": gl, **measure(lab, clip, width, height)}, indent=1))
    if options.blocking:
        print(json.dumps({"longest task, ms of CPU": longest_task()}, indent=1))


def measure(lab: Lab, clip: Clip, width: int, height: int) -> dict[str, Any]:
    """PSNR per case and view, cost of a ray, and CPU time relative to Python's."""
    views = views_of(clip, width, height)
    expected = {
        name: clip.render(camera, frame=frame, plain=True).numpy() for name, (camera, frame) in views.items()
    }
    record: dict[str, Any] = {"psnr": {}}
    for case, options in CASES.items():
        lab.open(clip, **options)
        record["psnr"][case] = {
            name: round(psnr(picture(lab, clip, camera, frame), expected[name]), 1)
            for name, (camera, frame) in views.items()
        }
    lab.open(clip)
    camera, frame = views["held out"]
    record["ray"] = lab.page.evaluate(
        "view => harness.cost(opened, view)", {**_view(clip, camera, frame), "output": "count"}
    )
    record["cpu_ratio"] = cpu_ratio(lab, clip, camera, frame)
    return record


def views_of(clip: Clip, width: int, height: int) -> dict[str, tuple[Camera, float]]:
    """Cameras and frames: the held-out camera at and between frames, and one that looks past the space."""
    header = clip.header
    name = next((each.name for each in header.cameras if each.role == "held_out"), header.cameras[0].name)
    camera = clip.cameras[name].with_size(width, height)
    pose = camera.camera_to_world.copy()
    pose[:, 3] += 2 * pose[:, 0] * np.linalg.norm(clip.cameras[0].origin - clip.cameras[-1].origin)
    middle = (header.segments[0].frames - 1) / 2
    return {
        "held out": (camera, 0.0),
        "between frames": (camera, np.floor(middle) + 0.5),
        "with misses": (replace(camera, camera_to_world=pose), 0.0),
    }


def picture(lab: Lab, clip: Clip, camera: Camera, frame: float) -> np.ndarray:
    """The renderer's picture."""
    view = _view(clip, camera, frame)
    return lab.picture(camera, view["segment"], tuple(view["mix"]))


def _view(clip: Clip, camera: Camera, frame: float) -> dict[str, Any]:
    before, share = clip.header.moment(frame)
    segment = clip.header.segment_at(before)
    first = clip.header.segments[segment].first_frame
    return {
        "camera": camera_record(camera),
        "width": camera.width,
        "height": camera.height,
        "segment": segment,
        "mix": [before - first, share],
    }


def cpu_ratio(lab: Lab, clip: Clip, camera: Camera, frame: float, pictures: int = 4) -> float:
    """CPU seconds of a picture in the browser over those of ``clip.render``."""
    picture(lab, clip, camera, frame)
    clip.render(camera, frame=frame)
    browser = _cpu_of(lambda: [picture(lab, clip, camera, frame) for _ in range(pictures)], _children_seconds)
    python = _cpu_of(lambda: [clip.render(camera, frame=frame) for _ in range(pictures)], time.process_time)
    return round(browser / python, 1)


def _cpu_of(action: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    action()
    return clock() - start


def _children_seconds() -> float:
    """CPU seconds of all processes below this one that are still there (Linux)."""
    parents, seconds = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[1])
        seconds[int(folder.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    family = {os.getpid()}
    while found := {child for child, parent in parents.items() if parent in family} - family:
        family |= found
    return sum(seconds[each] for each in family - {os.getpid()})


def longest_task() -> float:
    """The longest task of the page while a worker opens a large clip: milliseconds of CPU time."""
    settings = preset("fast").planes
    data = planes_clip(settings, segments=(1,), samples=(48, 24)).data
    with static_host() as host, chromium(*ARGUMENTS["swiftshader"]) as browser, open_page(browser) as page:
        host.add(HARNESS, "/tests")
        host.files["/clip.dnv"] = data
        page.goto(f"{host.address}/")
        page.evaluate("async () => { window.harness = await import('/tests/session_harness.js'); }")
        page.evaluate("harness.start()")
        page.set_default_timeout(300_000)
        trace = Path(tempfile.mkdtemp()) / "trace.json"
        browser.start_tracing(page=page, path=trace, categories=["toplevel", "__metadata"])
        page.evaluate("harness.openUrl('/clip.dnv')")
        page.evaluate("harness.wait({ type: 'layer', segment: 0, layer: 1 })")
        page.evaluate("harness.wait({ type: 'picture', segment: 0, layer: 1 })")
        browser.stop_tracing()
        return max_task(json.loads(trace.read_text(encoding="utf-8"))["traceEvents"])


def max_task(events: list[dict[str, Any]]) -> float:
    """The longest task (ms, CPU time) of the renderer process's main threads."""
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event.get("name") == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        e.get("tdur", e.get("dur", 0))
        for e in events
        if (e.get("pid"), e.get("tid")) in main and e.get("ph") == "X"
    ]
    return max(tasks, default=0) / 1000


if __name__ == "__main__":
    main()
