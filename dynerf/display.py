"""What the user sees: bars on a terminal, plain lines elsewhere, all on standard error.

Standard output belongs to results (``print_result``).
"""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from .log import JsonLog

if TYPE_CHECKING:
    from dynerf_encoder.train import Report

_PLAIN_SECONDS = 10.0  # between two lines of the same work when nobody watches a terminal
_LOG_SECONDS = 1.0


def say(text: str) -> None:
    """One line of message."""
    print(f"dynerf: {text}", file=sys.stderr, flush=True)  # noqa: T201


def print_result(text: str) -> None:
    """What was asked for, on standard output."""
    print(text, flush=True)  # noqa: T201


class Tasks:
    """Progress of work: a bar per kind of work on a terminal, else a line now and then."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars: Progress | None = None
        if console.is_terminal:
            columns = (
                TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
                TextColumn("{task.fields[detail]}"),
            )  # fmt: skip
            self._bars = Progress(*columns, console=console)
        self._ids: dict[str, TaskID] = {}
        self._told: dict[str, float] = {}

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Leave the terminal as it is now."""
        if self._bars is not None:
            self._bars.stop()

    def progress(self, what: str, done: float, total: float, detail: str = "") -> None:
        """``done`` of ``total`` units of some work."""
        if self._bars is not None:
            if what not in self._ids:
                self._ids[what] = self._bars.add_task(what, total=total, detail=detail)
            self._bars.update(self._ids[what], completed=done, total=total, detail=detail)
            return
        now = time.monotonic()
        if done < total and now - self._told.setdefault(what, now) < _PLAIN_SECONDS:
            return
        self._told[what] = now
        say(f"{what}: {100 * done / total:.0f} %" + (f", {detail}" if detail else ""))


class Messages:
    """Watches an encode: shows it and writes it to the log. Implements the encoder's ``Watcher``."""

    def __init__(self, tasks: Tasks, log: JsonLog) -> None:
        self._tasks = tasks
        self._log = log
        self._psnr: float | None = None
        self._held_out: float | None = None
        self._logged = 0.0
        self._first: tuple[int, float] | None = None

    def say(self, text: str) -> None:
        """A message."""
        say(text)
        self._log.write("message", text=text)

    def progress(self, what: str, done: int, total: int) -> None:
        """Work of known length."""
        self._tasks.progress(what, done, total)

    def trained(self, report: "Report") -> None:
        """A training step."""
        place = report.place
        self._psnr = report.psnr if self._psnr is None else 0.95 * self._psnr + 0.05 * report.psnr
        self._first = self._first or (place.step - 1, place.seconds)
        rate = (place.step - self._first[0]) * report.rays / max(place.seconds - self._first[1], 1e-3)
        left = place.seconds * (1 - place.position) / max(place.position, 1e-9)
        held_out = "" if self._held_out is None else f", held-out {self._held_out:.2f} dB"
        detail = f"{report.stage}, {rate:,.0f} rays/s, {left:.0f} s left, train {self._psnr:.2f} dB{held_out}"
        self._tasks.progress("training", place.position, 1.0, detail)
        if time.monotonic() - self._logged > _LOG_SECONDS or place.position >= 1:
            self._logged = time.monotonic()
            self._log.write(
                "step", step=place.step, position=round(place.position, 5), stage=report.stage,
                training_seconds=round(place.seconds, 2), loss=report.loss, psnr=round(report.psnr, 3),
                rays_per_second=round(rate),
            )  # fmt: skip

    def looked(self, report: "Report", held_out_psnr: float) -> None:
        """A held-out picture."""
        self._held_out = held_out_psnr
        self._log.write("held_out", step=report.place.step, psnr=round(held_out_psnr, 3))
