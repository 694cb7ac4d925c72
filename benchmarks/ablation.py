"""Trains the applicable rows of the paper's Table 1 with equal step counts and seeds, and compares them.

    python benchmarks/ablation.py samples/candle --work out/ablation
    python benchmarks/ablation.py CAPTURE --work out/mlp --field mlp --scale 0.05 -- --downscale 4

Prints one Markdown table and writes it and a strip of images (truth, then each row's first seed) into the
work folder. Finished trainings and measurements are kept there, so an interrupted run continues with the
next row. Options after ``--`` are passed to each ``dynerf encode``.
"""

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

METRICS = ("psnr", "psnr_moving", "dssim", "flip")


@dataclass(frozen=True)
class Row:
    """One configuration; with ``several_seeds`` it is trained several times to measure the spread."""

    key: str
    title: str
    options: tuple[str, ...]
    several_seeds: bool = False


NEITHER = ("--no-hierarchical", "--importance", "uniform")
ROWS = (
    Row("nerft", "NeRF-T: time, neither", ("--conditioning", "time", *NEITHER), several_seeds=True),
    Row("plain", "latent, neither", NEITHER, several_seeds=True),
    Row("hier", "hierarchical", ("--importance", "uniform")),
    Row("isg", "hierarchical, ISG", ("--importance", "isg")),
    Row("ist", "hierarchical, IST", ("--importance", "ist")),
    Row("flat", "IS*, not hierarchical", ("--no-hierarchical",)),
    Row("full", "hierarchical, IS* (the paper's method)", (), several_seeds=True),
    Row("auto", "the same, adaptive keyframes", ("--keyframes", "auto")),
)


def main() -> None:
    """Train and measure what is missing, print the table."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--field", default="planes", choices=("planes", "mlp"))
    parser.add_argument("--scale", default="0.3", help="share of the preset's schedule")
    parser.add_argument(
        "--seeds", type=int, default=3, help="seeds of the rows that are trained several times"
    )
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options = parser.parse_args(sys.argv[1:end])
    options.more = sys.argv[end + 1 :]
    options.work.mkdir(parents=True, exist_ok=True)
    lines = [f"| {' | '.join(['row', 'seeds', *METRICS])} |", "|---|--:" + "|--:" * len(METRICS) + "|"]
    for row in ROWS:
        seeds = range(options.seeds if row.several_seeds else 1)
        lines.append(table_line(row, [measure(options, row, seed) for seed in seeds]))
    table = "\n".join(lines)
    print(table)
    (options.work / f"table-{options.field}.md").write_text(f"{table}\n", encoding="utf-8")
    write_strip(options)


def measure(options: argparse.Namespace, row: Row, seed: int) -> dict[str, float]:
    """The mean metrics of one clip, trained and measured unless they are in the work folder."""
    clip = clip_path(options, row, seed)
    scores = clip.with_suffix(".json")
    if not clip.exists():
        run(
            "encode", options.capture, "-o", clip, "--cache", options.work / "work", "--preset", "preview",
            "--field", options.field, "--seed", seed, "--set", f"schedule.scale={options.scale}",
            *row.options, *options.more,
        )  # fmt: skip
    if not scores.exists():
        scores.write_text(run("eval", clip, options.capture, "--json"), encoding="utf-8")
    return {name: json.loads(scores.read_text(encoding="utf-8"))[name] for name in METRICS}


def clip_path(options: argparse.Namespace, row: Row, seed: int) -> Path:
    """Where a row's clip is kept."""
    path: Path = options.work / f"{options.field}-{row.key}-{seed}.dnv"
    return path


def table_line(row: Row, results: list[dict[str, float]]) -> str:
    """A table row: mean over seeds, and the sample standard deviation if there are several."""
    cells = []
    for name in METRICS:
        values = [result[name] for result in results]
        digits = 2 if name.startswith("psnr") else 4
        spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
        cells.append(f"{statistics.mean(values):.{digits}f}{spread}")
    return f"| {' | '.join([row.title, str(len(results)), *cells])} |"


def run(*arguments: object) -> str:
    """Run the command as a user would; return its standard output."""
    command = [sys.executable, "-m", "dynerf", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def write_strip(options: argparse.Namespace) -> None:
    """Write the middle frame of the first camera: the truth, then every row."""
    import dynerf
    from dynerf_decoder.video.frame_writer import png_bytes
    from dynerf_encoder.captures.layouts.n3v import read_n3v
    from dynerf_encoder.captures.video import decode
    from dynerf_encoder.ingest.box_average import box_average
    from dynerf_format.frame_range import FrameRange

    images = []
    for row in ROWS:
        with dynerf.open(clip_path(options, row, 0)) as clip:
            camera, frame = clip.cameras[0], clip.frames // 2
            images.append(clip.render(camera, frame=float(frame)).numpy())
            source = clip.header.first_source_frame + frame
    view = read_n3v(options.capture, FrameRange(source, source + 1)).view(camera.name)
    truth = next(decode(view.video, view.in_video(range(source, source + 1))))
    truth = box_average(truth, max(1, truth.shape[1] // camera.width))
    half = -(-(len(images) + 1) // 2)
    tiles = [truth, *images]
    tiles += [np.zeros_like(truth)] * (2 * half - len(tiles))
    lines = [np.concatenate(tiles[start : start + half], axis=1) for start in (0, half)]
    (options.work / f"strip-{options.field}.png").write_bytes(png_bytes(np.concatenate(lines)))


if __name__ == "__main__":
    main()
