"""Compares how fast two installations decode two clips, in one run, frame by frame in turn.

    python benchmarks/decoding_turns.py PYTHON CLIP PYTHON CLIP [--size 256x192] [--frames 120] [--threads 2]

A PYTHON is an interpreter that imports an installation of dynerf, for example an older commit's. Each
installation renders its clip's first camera in a process of its own; one waits while the other renders.
Prints, as JSON, the medians of a frame's processor time (of all threads) and of its duration, and the medians
of the ratios of successive frames, first installation over second.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

Cost = tuple[float, float]
"""Seconds of processor time, and of duration."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sides", nargs=4, metavar="PYTHON CLIP", help="interpreter and clip, twice")
    parser.add_argument("--size", default="256x192")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    pairs = list(zip(options.sides[::2], options.sides[1::2], strict=True))
    costs = in_turn(pairs, options.size, options.frames, options.threads)
    print(json.dumps(summary(costs, pairs), indent=1))


def in_turn(pairs: Sequence[tuple[str, str]], size: str, frames: int, threads: int) -> list[list[Cost]]:
    """The costs of ``frames`` frames of each pair of interpreter and clip; the first frame is not counted."""
    from dynerf.cli.environment import CPU_SETTINGS  # not by workers: their installation may be older

    environment = os.environ | CPU_SETTINGS | {"OMP_NUM_THREADS": str(threads)}
    workers = [
        subprocess.Popen(
            [python, __file__, "--worker", clip, size, str(threads)], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for python, clip in pairs
    ]  # fmt: skip
    try:
        for worker in workers:
            _next_cost(worker)
        turns = [[_next_cost(worker) for worker in workers] for _ in range(frames)]
        return [list(each) for each in zip(*turns, strict=True)]
    finally:
        for worker in workers:
            worker.communicate()  # the end of its input ends it


def summary(costs: Sequence[Sequence[Cost]], pairs: Sequence[tuple[str, str]]) -> dict[str, object]:
    """Medians of both sides and of the ratios of frames that were rendered one after the other."""
    kinds = ("processor", "duration")
    sides = [
        {"python": python, "clip": clip}
        | {f"{kind}_ms": 1e3 * statistics.median(cost[i] for cost in each) for i, kind in enumerate(kinds)}
        for (python, clip), each in zip(pairs, costs, strict=True)
    ]
    ratios = {
        f"{kind}_ratio": statistics.median(a[i] / b[i] for a, b in zip(*costs, strict=True))
        for i, kind in enumerate(kinds)
    }
    return {"sides": sides, "frames": len(costs[0]), **ratios}


def _next_cost(worker: "subprocess.Popen[str]") -> Cost:
    """Let a worker render a frame."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    print(file=worker.stdin, flush=True)
    processor, duration = map(float, worker.stdout.readline().split())
    return processor, duration


def work(path: str, size: str, threads: int) -> None:
    """Render a frame for each line of the standard input and print its cost."""
    import torch

    import dynerf

    torch.set_num_threads(threads)
    with dynerf.open(path, device="cpu") as clip:
        width, height = map(int, size.split("x"))
        camera = clip.cameras[0].with_size(width, height)
        for frame, _ in enumerate(sys.stdin):
            processor, duration = time.process_time(), time.perf_counter()
            clip.render(camera, frame=float(frame % clip.frames))
            print(time.process_time() - processor, time.perf_counter() - duration, flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
