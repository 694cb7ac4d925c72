"""Measures the main job on this machine: training time, held-out distortion, file size, decoding time.

    python benchmarks/main_job.py samples/candle
    python benchmarks/main_job.py CAPTURE --downscale 2 --time-limit 300s
    python benchmarks/main_job.py samples/candle --preset fast --device cuda

Runs the same commands as a user would, in a temporary folder, and prints one JSON object. Run it on an idle
machine: one busy core makes training on two threads many times slower.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_FRAMES = 12  # decoded in sequence; the first two are warm-up


def main() -> None:
    """Encode, evaluate, decode; print the measurements."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--device", default="auto")
    options, rest = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="dynerf-bench-") as folder:
        clip = Path(folder) / "clip.dnv"
        device = ["--device", options.device]
        started = time.monotonic()
        run("encode", options.capture, "-o", clip, *device, *rest)
        seconds = time.monotonic() - started
        scores = json.loads(run("eval", clip, options.capture, "--json", *device))
        done = json.loads(clip.with_name("clip.log.jsonl").read_text().splitlines()[-1])
        record = {
            "machine": machine(options.device),
            "command": ["dynerf", "encode", str(options.capture), *device, *rest],
            "encode_seconds": round(seconds, 1),
            "training_seconds": round(done["training_seconds"], 1),
            "steps": done["steps"],
            "views": scores["views"],
            "psnr": round(scores["psnr"], 3),
            "ssim": scores["ssim"],
            "bytes": clip.stat().st_size,
            **decode_seconds(clip, options.device),
        }
    print(json.dumps(record, indent=2))


def run(*arguments: object) -> str:
    """Run the command as a user would; return its standard output."""
    command = [sys.executable, "-m", "dynerf", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def decode_seconds(clip: Path, device: str) -> dict[str, Any]:
    """Seconds per frame of the first camera, including the fold, in a process with the command's settings."""
    script = (
        "import json, sys, time, dynerf\n"
        "with dynerf.open(sys.argv[1], device=sys.argv[2]) as clip:\n"
        "    times = []\n"
        f"    for number in range({_FRAMES}):\n"
        "        started = time.monotonic()\n"
        "        clip.render(clip.cameras[0], frame=number % clip.frames)\n"
        "        times.append(time.monotonic() - started)\n"
        "    camera = clip.cameras[0]\n"
        "    print(json.dumps([camera.width, camera.height, times[2:]]))\n"
    )
    from dynerf.cli.environment import CPU_SETTINGS

    environment = {**CPU_SETTINGS, **os.environ}
    command = [sys.executable, "-c", script, str(clip), device]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    width, height, times = json.loads(output)
    return {
        "picture": f"{width}x{height}",
        "decode_seconds_median": round(statistics.median(times), 4),
        "decode_seconds_range": [round(min(times), 4), round(max(times), 4)],
    }


def machine(device: str) -> str:
    """Describe the machine."""
    import torch

    cores = f"{len(os.sched_getaffinity(0))} cores {platform.machine()}"
    gpu = torch.cuda.is_available() and device != "cpu"
    return f"{torch.cuda.get_device_name()}, {cores}" if gpu else f"{cores}, no GPU"


if __name__ == "__main__":
    main()
