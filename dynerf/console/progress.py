"""Terminal output: progress bars on a terminal and plain lines elsewhere, on standard error.

Standard output is reserved for results (``print_result``).
"""

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column

from dynerf_format.errors import OutputError

from .log import JsonLog

if TYPE_CHECKING:
    from dynerf_decoder.progress import Progress as WorkProgress
    from dynerf_encoder.training.trainer import StepReport

_PLAIN_SECONDS = 10.0  # least interval between two lines of one task when there is no terminal
_LOG_SECONDS = 1.0  # least interval between two logged training steps


def say(text: str) -> None:
    """Print one line of message. It is dropped if it cannot be written, for example on a full disk.

    Characters that a terminal would obey, of the names of hostile files, are shown as escapes.
    """
    shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
    try:
        print(f"dynerf: {shown}", file=sys.stderr, flush=True)  # noqa: T201
    except BrokenPipeError:
        raise
    except OSError:
        _discard(sys.stderr)


def print_result(text: str) -> None:
    """Print a result on standard output. Raises OutputError if it cannot be written."""
    try:
        print(text, flush=True)  # noqa: T201
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard(sys.stdout)
        raise OutputError(f"standard output: cannot be written: {error.strerror}") from error


def _discard(stream: TextIO) -> None:
    """Redirect a stream to the null device: Python would fail again flushing the rest at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class ProgressDisplay:
    """Shows progress: one bar per task on a terminal, otherwise a line every few seconds."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars: Progress | None = None
        if console.is_terminal:
            # In a narrow window only the detail is truncated.
            columns = (
                TextColumn("{task.description}", table_column=_whole_column()),
                BarColumn(bar_width=12, table_column=_whole_column(12)),
                TaskProgressColumn(table_column=_whole_column(4)),
                TimeRemainingColumn(table_column=_whole_column(7)),
                TextColumn("{task.fields[detail]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            )
            self._bars = Progress(*columns, console=console)
        self._ids: dict[str, TaskID] = {}
        self._started: dict[str, tuple[float, float]] = {}  # time, and units done by then
        self._printed: dict[str, float] = {}

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop updating the bars."""
        if self._bars is not None:
            self._bars.stop()

    def progress(self, what: str, done: float, total: float, detail: str = "") -> None:
        """Show that ``done`` of ``total`` units of a task are done."""
        if self._bars is not None:
            if what not in self._ids:
                self._ids[what] = self._bars.add_task(what, total=total, detail=detail)
            self._bars.update(self._ids[what], completed=done, total=total, detail=detail)
            return
        now = time.monotonic()
        started, first = self._started.setdefault(what, (now, done))
        if done < total and now - self._printed.setdefault(what, now) < _PLAIN_SECONDS:
            return
        self._printed[what] = now
        remaining = (now - started) * (total - done) / max(done - first, 1e-9)
        parts = [f"{100 * done / total:.0f} %", f"{remaining:.0f} s left" if done < total else "", detail]
        say(f"{what}: " + ", ".join(part for part in parts if part))

    def show(self, report: "WorkProgress") -> None:
        """Show a progress report of the library."""
        self.progress(report.task, report.done, report.total, report.detail)


def _whole_column(width: int | None = None) -> Column:
    return Column(no_wrap=True, min_width=width)


class ConsoleWatcher:
    """Shows an encode's progress and writes it to the log. Implements the encoder's ``Watcher``."""

    def __init__(self, tasks: ProgressDisplay, log: JsonLog) -> None:
        self._tasks = tasks
        self._log = log
        self._psnr: float | None = None
        self._held_out: float | None = None
        self._logged = 0.0

    def message(self, text: str) -> None:
        """Print and log a message."""
        say(text)
        self._log.write("message", text=text)

    def progress(self, what: str, done: int, total: int) -> None:
        """Show progress of work of known length."""
        self._tasks.progress(what, done, total)

    def trained(self, report: "StepReport") -> None:
        """Show and log a training step."""
        progress = report.progress
        self._psnr = report.psnr if self._psnr is None else 0.95 * self._psnr + 0.05 * report.psnr
        rate = progress.step * report.rays / max(progress.seconds, 1e-3)
        held_out = "" if self._held_out is None else f", held-out {self._held_out:.2f} dB"
        detail = f"{report.stage}, train {self._psnr:.2f} dB{held_out}, {rate:,.0f} rays/s"
        self._tasks.progress("training", progress.position, 1.0, detail)
        if time.monotonic() - self._logged > _LOG_SECONDS or progress.position >= 1:
            self._logged = time.monotonic()
            self._log.write(
                "step", step=progress.step, position=round(progress.position, 5), stage=report.stage,
                training_seconds=round(progress.seconds, 2), loss=report.loss, psnr=round(report.psnr, 3),
                rays_per_second=round(rate),
            )  # fmt: skip

    def validated(self, report: "StepReport", held_out_psnr: float) -> None:
        """Log the PSNR of held-out frames, in dB."""
        self._held_out = held_out_psnr
        self._log.write(
            "held_out", step=report.progress.step, training_seconds=round(report.progress.seconds, 2),
            psnr=round(held_out_psnr, 3),
        )  # fmt: skip
