"""Compares how long trainings with different settings take to reach a PSNR.

    python benchmarks/time_to_quality.py samples/candle --work out/time --until 28.35 \
        --run preview= --run short="--set schedule.scale=0.5"

Each ``--run NAME=OPTIONS`` is one training with these options of ``dynerf encode``. During training, frames
of the first held-out view are rendered as the file would show them and compared with the video; this does not
count as training time. Prints a table and writes it, all measurements and a plot into the work folder
(``table.md``, ``results.json``, ``plot.svg``). Decoded frames are kept there and shared by all runs. Run it
on an idle machine.
"""

import argparse
import json
import os
import shlex
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from plot import Axis, plot


@dataclass(frozen=True)
class Validation:
    """Seconds of training, steps and mean PSNR of the held-out frames in dB."""

    seconds: float
    steps: int
    psnr: float


@dataclass(frozen=True)
class Trained:
    """One training: its validations, and the PSNR and size of its file."""

    name: str
    options: str
    validations: list[Validation]
    seconds: float
    steps: int
    psnr: float
    bytes: int

    def seconds_until(self, psnr: float) -> float | None:
        """Seconds of training until a PSNR was first reached, interpolated linearly; None if never."""
        before = Validation(0.0, 0, float("-inf"))
        for validation in self.validations:
            if validation.psnr >= psnr:
                if before.psnr == float("-inf"):
                    return validation.seconds
                share = (psnr - before.psnr) / (validation.psnr - before.psnr)
                return before.seconds + share * (validation.seconds - before.seconds)
            before = validation
        return None


class Validations:
    """A watcher of an encode that records the PSNR of held-out frames."""

    def __init__(self) -> None:
        self.found: list[Validation] = []

    def message(self, text: str) -> None:
        """Print messages on standard error."""
        print(text, file=sys.stderr)

    def progress(self, what: str, done: int, total: int) -> None:
        """Not shown."""

    def trained(self, report: Any) -> None:
        """Not recorded."""

    def validated(self, report: Any, held_out_psnr: float) -> None:
        """Record a validation."""
        self.found.append(Validation(report.progress.seconds, report.progress.step, held_out_psnr))


def main() -> None:
    """Train all runs and print the table."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    trained: list[Trained] = []
    for run in options.run:
        name, _, settings = run.partition("=")
        with _torch_alone() if name in options.plain else nullcontext():
            trained.append(_train(options, name, settings))
        _write(options, trained)
    print(_table(trained, options.until))


def _options() -> argparse.Namespace:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--run", action="append", metavar="NAME=OPTIONS", help="a training")
    parser.add_argument(
        "--plain",
        action="append",
        default=[],
        metavar="NAME",
        help="train this run with torch alone, without kernels",
    )
    parser.add_argument("--until", type=float, default=28.35, metavar="DB")
    parser.add_argument("--validations", type=int, default=20, help="validations during a training")
    parser.add_argument("--frames-per-validation", type=int, default=5, help="held-out frames of each")
    options = parser.parse_args()
    options.run = options.run or ["preview="]
    for run in options.run:
        if "=" not in run:
            parser.error(f"--run: found {run!r}, expected NAME=OPTIONS")
    if unknown := set(options.plain) - {run.partition("=")[0] for run in options.run}:
        parser.error(f"--plain: found {', '.join(sorted(unknown))}, expected the name of a --run")
    return options


def _torch_alone() -> AbstractContextManager[object]:
    """Train with the reference step instead of kernels within the block."""
    from dynerf_encoder.step.reference import TorchStep
    from dynerf_encoder.training.trainer import Trainer

    return patch("dynerf_encoder.jobs.encode_segment.Trainer", partial(Trainer, make_step=TorchStep))


def _train(options: argparse.Namespace, name: str, settings: str) -> Trained:
    from dynerf.api.encoding import cpu_threads
    from dynerf.cli.parser import parse_arguments
    from dynerf.commands.encode import encode_options
    from dynerf_encoder.jobs.encode_segment import encode_segment

    output = options.work / f"{name}.dnv"
    words = ["encode", str(options.capture), "-o", str(output), *shlex.split(settings)]
    request, validations = encode_options(parse_arguments(words)), Validations()
    job = replace(request.job(), cache=options.work / "pictures")
    patches = {"_VALIDATIONS": options.validations, "_VALIDATION_FRAMES": options.frames_per_validation}
    with (
        cpu_threads(request.thread_count() if job.device == "cpu" else None),
        patch.multiple("dynerf_encoder.jobs.training_run", **patches),
    ):
        result = encode_segment(job, validations)
    if result.psnr is None:
        raise SystemExit(f"{name}: no view was held out, there is nothing to compare with")
    return Trained(
        name, settings, validations.found, result.training_seconds, result.steps, result.psnr, result.bytes
    )


def _write(options: argparse.Namespace, trained: list[Trained]) -> None:
    options.work.joinpath("table.md").write_text(_table(trained, options.until))
    records = [asdict(each) for each in trained]
    options.work.joinpath("results.json").write_text(json.dumps(records, indent=1) + "\n")
    series = {
        each.name: [(validation.seconds, validation.psnr) for validation in each.validations]
        for each in trained
    }
    axes = Axis("seconds of training", zero=True), Axis("held-out PSNR, dB")
    options.work.joinpath("plot.svg").write_text(plot(series, *axes))


def _table(trained: list[Trained], until: float) -> str:
    lines = [
        f"| training | steps | seconds | held-out PSNR | file | seconds until {until:g} dB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for each in trained:
        reached = each.seconds_until(until)
        lines.append(
            f"| `{each.name}` {each.options} | {each.steps:,} | {each.seconds:.0f} | {each.psnr:.2f} dB | "
            f"{each.bytes / 1e3:,.0f} kB | {'never' if reached is None else f'{reached:.0f}'} |"
        )
    return "\n".join(lines) + "\n"


def _set_environment() -> None:
    """Re-execute with the environment that the command sets, if it is missing."""
    from dynerf.cli.environment import CPU_SETTINGS

    if any(os.environ.get(name) is None for name in CPU_SETTINGS):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**CPU_SETTINGS, **os.environ})


if __name__ == "__main__":
    _set_environment()
    main()
