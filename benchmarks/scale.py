"""Measures long clips on this machine (segment borders, workers, Ray, memory) and computes plans.

    python benchmarks/scale.py borders samples/candle [options of dynerf encode]
    python benchmarks/scale.py workers samples/candle --workers 2
    python benchmarks/scale.py cluster samples/candle --workers 2
    python benchmarks/scale.py memory samples/candle
    python benchmarks/scale.py plan clip.dnv --seconds 60 --cameras 30 --size 1352x1014 --hours 1

Runs the same commands as a user would, in a temporary folder, and prints one JSON object. ``plan`` only
computes, from a finished clip and the seconds of training per segment. Run the others on an idle machine.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dynerf_format import FileSource, Reader

_LENGTH = 10  # frames of a segment


def main() -> None:
    """Run one measurement and print it."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("what", choices=("borders", "workers", "cluster", "memory", "plan"))
    parser.add_argument("input", type=Path, help="a capture, or a clip for plan")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds of training per segment")
    parser.add_argument("--cameras", type=int, default=30)
    parser.add_argument("--size", default="1352x1014")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--viewers", type=int, default=10_000)
    options, rest = parser.parse_known_args()
    if options.what == "plan":
        print(json.dumps(plan(options), indent=2))
        return
    measure = {"borders": borders, "workers": workers, "cluster": cluster, "memory": memory}[options.what]
    with tempfile.TemporaryDirectory(prefix="dynerf-scale-") as folder:
        print(json.dumps(measure(options.input, Path(folder), options.workers, rest), indent=2))


def borders(capture: Path, folder: Path, _workers: int, rest: Sequence[str]) -> dict[str, Any]:
    """Compare one segment with segments of ten frames, with and without overlap."""
    cases = {
        "one segment": ["--segment", "100000f"],
        "segments, no overlap": ["--segment", f"{_LENGTH}f", "--overlap", "0"],
        "segments": ["--segment", f"{_LENGTH}f"],
        "segments, warm start": ["--segment", f"{_LENGTH}f", "--warm-start"],
    }
    results = {}
    for name, options in cases.items():
        clip = folder / "clip.dnv"
        seconds, _ = encode(capture, clip, *options, *rest)
        scores = json.loads(run("eval", clip, capture, "--json"))
        results[name] = {
            "psnr": round(scores["psnr"], 3),
            "bytes": clip.stat().st_size,
            "encode_seconds": round(seconds, 1),
            "border_dips": dips(clip, {s["frame"]: s["psnr"] for s in scores["frames"]}),
        }
    return results


def dips(clip: Path, scores: dict[int, float]) -> list[list[float]]:
    """For each border, the PSNR of its two frames minus their segments' means, in dB."""
    with FileSource(clip) as source:
        segments = Reader(source).header.segments
    means = [sum(scores[s.first_frame + n] for n in range(s.frames)) / s.frames for s in segments]
    return [
        [
            round(scores[after.first_frame - 1] - means[number], 2),
            round(scores[after.first_frame] - means[number + 1], 2),
        ]
        for number, after in enumerate(segments[1:])
    ]  # fmt: skip


def workers(capture: Path, folder: Path, count: int, rest: Sequence[str]) -> dict[str, Any]:
    """Compare serial segments with ``count`` at once, one thread each."""
    common = ["--segment", f"{_LENGTH}f", "--threads", "1", *rest]
    one, _ = encode(capture, folder / "one.dnv", *common)
    many, _ = encode(capture, folder / "many.dnv", *common, "--workers", str(count))
    return {
        "serial_seconds": round(one, 1),
        f"{count}_workers_seconds": round(many, 1),
        "speedup": round(one / many, 2),
        "same_bytes": (folder / "one.dnv").read_bytes() == (folder / "many.dnv").read_bytes(),
    }


def cluster(capture: Path, folder: Path, count: int, rest: Sequence[str]) -> dict[str, Any]:
    """Compare ``--workers`` with a local Ray cluster of as many CPUs, started beforehand."""
    import ray

    common = ["--segment", f"{_LENGTH}f", "--threads", "1", *rest]
    local, _ = encode(capture, folder / "local.dnv", *common, "--workers", str(count))
    ray.init(num_cpus=count, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    address = ray.get_runtime_context().gcs_address
    on_ray, _ = encode(capture, folder / "ray.dnv", *common, "--cluster", address)
    ray.shutdown()
    with FileSource(folder / "ray.dnv") as source:
        segments = len(Reader(source).header.segments)
    return {
        "segments": segments,
        f"{count}_workers_seconds": round(local, 1),
        "ray_seconds": round(on_ray, 1),
        "overhead_seconds_per_segment": round((on_ray - local) / segments, 2),
        "same_bytes": (folder / "local.dnv").read_bytes() == (folder / "ray.dnv").read_bytes(),
    }


def memory(capture: Path, folder: Path, _workers: int, rest: Sequence[str]) -> dict[str, Any]:
    """Peak resident memory of one segment of three frames, and of ten such segments."""
    peaks = []
    for frames in (3, 30):
        options = ["--segment", "3f", "--overlap", "0", "--threads", "1", "--frames", f"0:{frames}"]
        peaks.append(encode(capture, folder / f"{frames}.dnv", *options, *rest)[1])
    return {"one_segment_MB": peaks[0], "ten_segments_MB": peaks[1], "ratio": round(peaks[1] / peaks[0], 3)}


def plan(options: argparse.Namespace) -> dict[str, Any]:
    """Cost of a recording of some hours with segments like the clip's: see docs/results/long-clips.md."""
    with FileSource(options.input) as source:
        reader = Reader(source)
        fps, length = float(reader.header.fps), 300
        bytes_by_kind, segment_count = reader.bytes_by_kind(), len(reader.header.segments)
        weights, latents = bytes_by_kind["WGHT"] / segment_count, bytes_by_kind["LATN"] / reader.header.frames
    width, height = (int(number) for number in options.size.split("x"))
    segments = options.hours * 3600 * fps / length
    segment_bytes = weights + length * latents
    pixels = options.cameras * (length + 4) * width * height
    rate = segment_bytes * fps / length
    return {
        "segments": round(segments),
        "training_hours": round(segments * options.seconds / 3600, 1),
        "file_MB": round(segments * segment_bytes / 1e6, 1),
        "pictures_GB_per_worker": round(3 * pixels / 1e9, 1),
        "importance_maps_GB_per_worker": round(2 * pixels / 1e9, 1),
        "viewer_kbit_per_second": round(8 * rate / 1e3, 1),
        "all_viewers_Gbit_per_second": round(8 * rate * options.viewers / 1e9, 2),
    }


def encode(capture: Path, output: Path, *options: str) -> tuple[float, int]:
    """Seconds and peak resident MB of ``dynerf encode``, of the largest of its processes."""
    command = [sys.executable, "-m", "dynerf", "encode", str(capture), "-o", str(output), *options]
    started = time.monotonic()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)}: failed with status {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - started, usage.ru_maxrss // 1024


def run(*arguments: object) -> str:
    """Run the command as a user would; return its standard output."""
    command = [sys.executable, "-m", "dynerf", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
