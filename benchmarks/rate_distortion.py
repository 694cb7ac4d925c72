"""Bytes against picture quality: one training per quality, and the videos of all cameras beside them.

    python benchmarks/rate_distortion.py samples/candle --work out/rate
    python benchmarks/rate_distortion.py CAPTURE --work out/rate --qualities 4,6 -- --downscale 2

Prints a table and writes it and a plot into the work folder (``table.md``, ``plot.svg``). What was trained or
measured before is kept there, so a run that was stopped goes on. Options after ``--`` go to each ``dynerf
encode``. Every clip is compared with H.265 and AV1 (``video_baseline.py``) at its own mean PSNR on the
*training* views, the only ones that videos have; how well it shows a view that no camera filmed is the
held-out PSNR. Leave ``--downscale`` and ``--frames`` out when the videos are to be compared.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rate_plot import plot
from video_baseline import CODECS, Point, bytes_at, curve


@dataclass(frozen=True)
class Clip:
    """One finished file. PSNR in dB."""

    quality: str
    bytes: int
    held_out: float
    training: float


def main() -> None:
    """Train and measure what is missing, print the table."""
    os.environ["SVT_LOG"] = "1"  # errors only
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--qualities", default="1,3,5,7,9")
    parser.add_argument("--no-rate", action="store_true", help="add a training without the rate term")
    parser.add_argument(
        "--every", type=int, default=6, help="frames between those measured on training views"
    )
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options = parser.parse_args(sys.argv[1:end])
    options.work.mkdir(parents=True, exist_ok=True)
    rows = [(text, ["--quality", text]) for text in options.qualities.split(",")]
    if options.no_rate:
        rows.append(("none", ["--set", "rate.weight=0"]))
    clips = [_clip(options, name, more + sys.argv[end + 1 :]) for name, more in rows]
    videos = {name: _videos(options, name) for name in CODECS}
    table = _table(clips, videos)
    (options.work / "table.md").write_text(table)
    (options.work / "plot.svg").write_text(plot(_series(clips, videos)))
    print(table)


def _clip(options: argparse.Namespace, name: str, more: list[str]) -> Clip:
    """One clip, trained and measured unless it is there already."""
    path: Path = options.work / f"quality_{name}.dnv"
    cache = ["--cache", str(options.work / f"quality_{name}.work")]
    if not path.exists():
        _run("encode", options.capture, "-o", path, "--resume", *cache, *more)
    about = json.loads(_run("info", path, "--json"))
    views = [camera["name"] for camera in about["cameras"] if camera["role"] == "training"]
    score = _kept(
        path.with_suffix(".json"),
        lambda: json.loads(
            _run(
                "eval", path, options.capture, "--views", ",".join(views), "--every", options.every, "--json"
            )
        )["psnr"],
    )
    return Clip(name, path.stat().st_size, about["quality"]["held_out_psnr"], score)


def _videos(options: argparse.Namespace, name: str) -> list[Point]:
    """One codec's curve over all training cameras."""
    about = json.loads(_run("info", next(options.work.glob("quality_*.dnv")), "--json"))
    views = [camera["name"] for camera in about["cameras"] if camera["role"] == "training"]
    paths = [options.capture / f"{view}.mp4" for view in views]
    points = _kept(
        options.work / f"{name}.json",
        lambda: [asdict(point) for point in curve(paths, about["frames"], options.every, name)],
    )
    return [Point(**point) for point in points]


def _kept(path: Path, make: Any) -> Any:
    """What ``make`` returned, now or in an earlier run."""
    if not path.exists():
        path.write_text(json.dumps(make()))
    return json.loads(path.read_text())


def _table(clips: list[Clip], videos: dict[str, list[Point]]) -> str:
    heads = [
        "quality",
        "bytes",
        "held-out PSNR",
        "training views' PSNR",
        *(f"{name} at that" for name in videos),
    ]
    lines = [f"| {' | '.join(heads)} |", "|---" + "|--:" * (len(heads) - 1) + "|"]
    for clip in sorted(clips, key=lambda clip: clip.bytes):
        sizes = [bytes_at(points, clip.training) for points in videos.values()]
        others = ["-" if size is None else f"{size:,}" for size in sizes]
        figures = [f"{clip.bytes:,}", f"{clip.held_out:.2f}", f"{clip.training:.2f}", *others]
        lines.append(f"| {clip.quality} | {' | '.join(figures)} |")
    return "\n".join(lines) + "\n"


def _series(clips: list[Clip], videos: dict[str, list[Point]]) -> dict[str, list[tuple[float, float]]]:
    """Curves of (bytes, dB)."""
    return {
        "dynerf, held-out view": sorted(
            (clip.bytes, clip.held_out) for clip in clips if clip.quality != "none"
        ),
        "dynerf, training views": sorted(
            (clip.bytes, clip.training) for clip in clips if clip.quality != "none"
        ),
        **{
            f"{name}, training views": sorted((p.bytes, p.psnr) for p in points)
            for name, points in videos.items()
        },
    }


def _run(*arguments: object) -> str:
    """The command, as a user would run it; its standard output."""
    command = [sys.executable, "-m", "dynerf", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
