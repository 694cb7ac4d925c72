"""Measures a GPU in one run of less than eight minutes: tests, decoding, training, video coding.

    python benchmarks/gpu.py out/gpu                          # on an idle machine with a GPU
    python benchmarks/gpu.py out/gpu --device cpu --quick     # a dry run of a minute or two on any machine

Writes ``gpu.json`` and ``gpu.md`` into the folder after each part, so that an interrupted run loses at most
one part. A part that has no time left, or fails, is recorded as such and the next one starts.

Needs ``samples/candle``, the dependencies of dynerf with a CUDA build of torch, and for the tests pytest,
pytest-timeout and beartype. Triton comes with such a torch and needs a C compiler; without it that column
stays empty.
"""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

_SECONDS = 470.0  # for all parts together; a part that has started may use its own share
ROOT = Path(__file__).resolve().parents[1]


class Budget:
    """The time left for all parts, and for the current one."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._part_end = self._end

    def begin(self, seconds: float) -> float:
        """Start a part that may take ``seconds``; return the time it has, 0 if none is left."""
        self._part_end = min(self._end, time.monotonic() + seconds)
        return self.left

    @property
    def left(self) -> float:
        """Seconds left for the current part."""
        return max(0.0, self._part_end - time.monotonic())


def main() -> None:
    """Run the parts and write the results after each."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    sys.path[:0] = [str(ROOT / folder) for folder in ("format", "decoder", "encoder", "player", ".")]
    from dynerf.cli.environment import prepare_environment

    prepare_environment(sys.argv)  # re-executes with CPU settings if there is no GPU
    record: dict[str, Any] = {"device": options.device, "quick": options.quick, "parts": {}}
    budget = Budget(_SECONDS)
    for name, seconds, work in _parts(options):
        started = time.monotonic()
        record["parts"][name] = _run_part(name, seconds, work, budget)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        _write(options.folder, record)
    print((options.folder / "gpu.md").read_text())


def _options() -> argparse.Namespace:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("folder", type=Path, help="folder for gpu.json and gpu.md")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to check that everything runs")
    return parser.parse_args()


def _parts(options: argparse.Namespace) -> list[tuple[str, float, Callable[[Budget], dict[str, Any]]]]:
    """Name, time limit in seconds and function of each part, in order of dependency."""
    import gpu_parts
    import gpu_training
    from gpu_parts import Bench

    bench = Bench(options.device, options.quick, options.folder)
    return [
        ("machine", 30, lambda _budget: gpu_parts.machine(bench)),
        ("tests", 120, lambda budget: gpu_parts.tests(bench, budget.left)),
        ("quality", 170, lambda budget: gpu_parts.quality(bench, lambda: budget.left)),
        ("planes", 60, lambda budget: gpu_parts.planes(bench, lambda: budget.left)),
        ("stages", 25, lambda _budget: gpu_parts.stages(bench)),
        ("movie", 25, lambda _budget: gpu_parts.movie(bench)),
        ("steps", 90, lambda budget: gpu_training.steps(bench, lambda: budget.left)),
        ("mlp", 60, lambda budget: gpu_parts.mlp(bench, lambda: budget.left)),
        ("memory", 5, lambda _budget: gpu_parts.memory(bench)),
    ]


def _run_part(
    name: str, seconds: float, work: Callable[[Budget], dict[str, Any]], budget: Budget
) -> dict[str, Any]:
    if budget.begin(seconds) < seconds / 4:
        print(f"{name}: no time left", file=sys.stderr)
        return {"skipped": "no time left"}
    try:
        return work(budget)
    except Exception as error:  # a failed part must not lose the results of the others
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"}


def _write(folder: Path, record: dict[str, Any]) -> None:
    (folder / "gpu.json").write_text(json.dumps(record, indent=2, default=str) + "\n")
    lines = [f"# {record['parts'].get('machine', {}).get('machine', record['device'])}", ""]
    for name, part in record["parts"].items():
        lines += [f"## {name}", "", "| | |", "|---|---|"]
        lines += [f"| {key} | {_text(value)} |" for key, value in _flat("", part)] + [""]
    (folder / "gpu.md").write_text("\n".join(lines))


def _flat(prefix: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(prefix, value)]
    return [
        row for key, each in value.items() for row in _flat(f"{prefix}, {key}" if prefix else str(key), each)
    ]


def _text(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value).replace("|", "/")


if __name__ == "__main__":
    main()
