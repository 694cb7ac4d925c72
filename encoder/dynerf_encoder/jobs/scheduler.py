"""Segments as tasks that any process on any machine can run, and the events of their progress.

Nothing here depends on where a task runs: in this process (``SerialRunner``), in processes of this machine
(``process_pool.py``) or on a cluster (``ray_runner.py``). The same task gives the same file on every CPU of
one kind, with the same number of threads.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch

from dynerf_encoder.training.trainer import StepReport
from dynerf_format.errors import ConfigError, DynerfError

from .encode_segment import encode_segment
from .job import EncodeResult, Job, checkpoint_path, started_marker, work_folder
from .watcher import WARNING_PREFIX, NullWatcher

_REPORT_SECONDS = 0.25
MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Task:
    """Encode one segment. ``follows`` is the segment that must be finished first, or None.

    ``job.output`` is the segment's own file, ``threads`` are CPU threads.
    """

    number: int
    job: Job
    threads: int
    follows: int | None = None


@dataclass(frozen=True)
class Running:
    """A segment is being trained: ``position`` from 0 to 1, by ``worker``.

    ``warnings`` are all warnings of its encode so far: of several events only the latest may arrive.
    """

    number: int
    position: float
    worker: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Done:
    """A segment's file is written."""

    number: int
    result: EncodeResult
    worker: str = ""


@dataclass(frozen=True)
class WorkerLost:
    """A worker died during a segment, which is restarted elsewhere."""

    number: int
    worker: str
    reason: str


ProgressEvent = Running | Done | WorkerLost


@runtime_checkable
class Runner(Protocol):
    """Runs tasks and publishes events. Returns when all are done."""

    def run(self, tasks: Sequence[Task], publish: Callable[[ProgressEvent], None]) -> None:
        """Run all tasks. Raises the DynerfError of the first task that fails, or KeyboardInterrupt.

        In both cases finished segments are kept, and those in progress have a checkpoint if time allowed.
        """


class _ProgressReporter(NullWatcher):
    """Watches one encode and publishes its position at intervals."""

    def __init__(self, number: int, publish: Callable[[ProgressEvent], None]) -> None:
        self._number, self._publish, self._last_report = number, publish, 0.0
        self._position = 0.0
        self._warnings: tuple[str, ...] = ()

    def message(self, text: str) -> None:
        """A message, published if it is a warning."""
        if text.startswith(WARNING_PREFIX):
            self._warnings += (text,)
            self._report()

    def trained(self, report: StepReport) -> None:
        """A training step."""
        self._position = report.progress.position
        if time.monotonic() - self._last_report > _REPORT_SECONDS:
            self._report()

    def _report(self) -> None:
        self._last_report = time.monotonic()
        self._publish(Running(self._number, self._position, warnings=self._warnings))


def run_task(task: Task, publish: Callable[[ProgressEvent], None]) -> EncodeResult:
    """Encode a segment in this process, resuming from its checkpoint if there is one; remove its work folder.

    A file without either is of a worker that died before it could report it; it is written again.
    Raises what ``encode_segment`` raises, with the segment in the message.
    """
    if not (checkpoint_path(task.job).exists() or started_marker(task.job).exists()):
        task.job.output.unlink(missing_ok=True)
    if task.job.device == "cpu":
        torch.set_num_threads(task.threads)
    try:
        result = encode_segment(replace(task.job, resume=True), _ProgressReporter(task.number, publish))
    except DynerfError as error:
        raise type(error)(f"segment {task.number}, frames {task.job.frames}: {error}") from error
    shutil.rmtree(work_folder(task.job), ignore_errors=True)
    return result


class TaskQueue:
    """The tasks that are not finished, and their numbers of attempts. Tasks start in order of time."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._waiting = sorted(tasks, key=lambda task: task.number)
        self._unfinished = {task.number for task in tasks}
        self._attempts: dict[int, int] = {}

    @property
    def unfinished(self) -> bool:
        """Whether a task is waiting or running."""
        return bool(self._unfinished)

    def take(self) -> Task | None:
        """The first task whose predecessor is finished; None if there is none."""
        for task in self._waiting:
            if task.follows not in self._unfinished:
                self._waiting.remove(task)
                self._attempts[task.number] = self._attempts.get(task.number, 0) + 1
                return task
        return None

    def finish(self, task: Task) -> None:
        """Mark a task as finished."""
        self._unfinished.remove(task.number)

    def requeue(self, task: Task, reason: str) -> None:
        """Queue a task again whose worker was lost. Raises ConfigError after too many attempts."""
        if self._attempts[task.number] >= MAX_ATTEMPTS:
            raise ConfigError(
                f"segment {task.number}: lost {MAX_ATTEMPTS} times ({reason}); is there enough memory for "
                "this many segments at once?"
            )
        self._waiting = sorted([task, *self._waiting], key=lambda task: task.number)


class SerialRunner:
    """Runs one task after the other in this process."""

    def run(self, tasks: Sequence[Task], publish: Callable[[ProgressEvent], None]) -> None:
        """See ``Runner``."""
        for task in tasks:
            publish(Done(task.number, run_task(task, publish)))
