"""Measures file size against PSNR: one training per quality, beside videos of all cameras.

    python benchmarks/rate_distortion.py samples/candle --work out/rate --no-rate
    python benchmarks/rate_distortion.py CAPTURE --work out/rate --qualities 4,6 -- --downscale 2

Prints a table and writes it and a plot into the work folder (``table.md``, ``plot.svg``) after every clip.
Finished trainings and measurements are kept there: the same command continues where it was interrupted, also
within a training. Options after ``--`` are passed to each ``dynerf encode``; clips made with other options
are refused.

Every clip is compared with H.265 and AV1 (``video_baseline.py``) at its own mean PSNR on the *training*
views, the only ones that videos have. The quality of new views is the held-out PSNR. The videos hold the
frames that were trained on, at the same resolution.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_format.frame_range import FrameRange
from plot import Axis, plot
from video_baseline import CODECS, Point, bytes_at, curve

_NO_RATE = "none"


@dataclass(frozen=True)
class Clip:
    """One finished file. PSNR in dB; ``held_out`` is None if no view was held out."""

    quality: str
    bytes: int
    held_out: float | None
    training: float


def main() -> None:
    """Train and measure what is missing and print the table."""
    os.environ["SVT_LOG"] = "1"  # errors only
    options, extra = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    _check_same(options, extra)
    names = [*options.qualities.split(","), *([_NO_RATE] if options.no_rate else [])]
    clips: list[Clip] = []
    videos: dict[str, list[Point]] = {}
    for name in names:
        clips.append(_clip(options, name, extra))
        videos = videos or {codec: _video_curve(options, codec, name) for codec in CODECS}
        _write(options.work, clips, videos)
    print(_table(clips, videos))


def _options() -> tuple[argparse.Namespace, list[str]]:
    """The script's own options, and those for ``dynerf encode``."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--qualities", default="1,3,5,7,10")
    parser.add_argument("--no-rate", action="store_true", help="add a training without the rate term")
    parser.add_argument("--every", type=int, default=6, help="measure every N-th frame of the training views")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    return parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]


def _check_same(options: argparse.Namespace, extra: list[str]) -> None:
    """Exit if the work folder holds clips made with other options."""
    requested = {"capture": str(options.capture.resolve()), "every": options.every, "encode": extra}
    kept = _cached(options.work / "options.json", lambda: requested)
    if kept != requested:
        sys.exit(f"{options.work}: holds clips made with {kept}, requested: {requested}")


def _clip(options: argparse.Namespace, name: str, extra: list[str]) -> Clip:
    """One clip, trained and measured unless it exists already."""
    path = _path(options, name)
    work = path.with_suffix(".work")
    if not path.exists():
        setting = ["--set", "rate.weight=0"] if name == _NO_RATE else ["--quality", name]
        _run("encode", options.capture, "-o", path, "--resume", "--cache", work, *setting, *extra)
    shutil.rmtree(work, ignore_errors=True)  # decoded frames, as large as the capture
    info = _clip_info(path)
    every = ["--every", options.every]
    views = ",".join(camera["name"] for camera in info["cameras"] if camera["role"] == "training")
    score = _cached(
        path.with_suffix(".json"),
        lambda: json.loads(_run("eval", path, options.capture, "--views", views, *every, "--json"))["psnr"],
    )
    return Clip(name, path.stat().st_size, info["quality"].get("held_out_psnr"), score)


def _video_curve(options: argparse.Namespace, codec: str, name: str) -> list[Point]:
    """One codec's rate-distortion curve of the training views of the clip ``name``."""
    info = _clip_info(_path(options, name))

    def measure() -> list[dict[str, Any]]:
        first = info["first_source_frame"]
        folder = options.work / "pictures"
        store = FrameStore.build(
            read_n3v(options.capture, frames := FrameRange(first, first + info["frames"])),
            folder,
            frames=frames,
            downscale=info["config"]["job"]["downscale"],
        )
        roles = {camera["name"]: camera["role"] for camera in info["cameras"]}
        cameras = [store.view(i) for i, view in enumerate(store.names) if roles[view] == "training"]
        points = curve(cameras, store.fps, options.every, codec)
        shutil.rmtree(folder)
        return [asdict(point) for point in points]

    return [Point(**point) for point in _cached(options.work / f"{codec}.json", measure)]


def _path(options: argparse.Namespace, name: str) -> Path:
    return Path(options.work / f"quality_{name}.dnv")


def _clip_info(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_run("info", path, "--json"))
    return found


def _cached(path: Path, make: Callable[[], Any]) -> Any:
    """The result of ``make``, computed now or in an earlier run."""
    if not path.exists():
        text = json.dumps(make())
        new = path.with_suffix(".new")
        new.write_text(text)
        new.replace(path)
    return json.loads(path.read_text())


def _write(folder: Path, clips: list[Clip], videos: dict[str, list[Point]]) -> None:
    (folder / "table.md").write_text(_table(clips, videos))
    (folder / "plot.svg").write_text(plot(_series(clips, videos), Axis("bytes", log=True), Axis("PSNR, dB")))


def _table(clips: list[Clip], videos: dict[str, list[Point]]) -> str:
    heads = ["quality", "bytes", "held-out PSNR", "training views' PSNR"]
    heads += [f"{codec}'s bytes at that" for codec in videos]
    lines = [f"| {' | '.join(heads)} |", "|---" + "|--:" * (len(heads) - 1) + "|"]
    for clip in sorted(clips, key=lambda clip: clip.bytes):
        held_out = "-" if clip.held_out is None else f"{clip.held_out:.2f} dB"
        others = [bytes_at(points, clip.training) for points in videos.values()]
        cells = [f"{clip.bytes:,}", held_out, f"{clip.training:.2f} dB", *others]
        lines.append(f"| {clip.quality} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _series(clips: list[Clip], videos: dict[str, list[Point]]) -> dict[str, list[tuple[float, float]]]:
    """Curves of (bytes, dB)."""
    rated = sorted((clip for clip in clips if clip.quality != _NO_RATE), key=lambda clip: clip.bytes)
    series = {
        "dynerf, held-out view": [(float(c.bytes), c.held_out) for c in rated if c.held_out is not None],
        "dynerf, training views": [(float(c.bytes), c.training) for c in rated],
        **{f"{codec}, training views": [(float(p.bytes), p.psnr) for p in videos[codec]] for codec in videos},
    }
    return {name: points for name, points in series.items() if points}


def _run(*arguments: object) -> str:
    """Run the command as a user would; return its standard output."""
    command = [sys.executable, "-m", "dynerf", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
