"""A segment as a piece of work that any process on any machine can do, and what is heard of it.

Nothing here depends on where it runs: serially (``long_encode.py``), in processes of this machine
(``workers.py``) or on a cluster. The same task gives the same file on every CPU of one kind, as long as it is
given the same number of threads.
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
from .job import WARNING, EncodeResult, Job, Unwatched, work_folder

_TELL_SECONDS = 0.25
MOST_TRIES = 3


@dataclass(frozen=True)
class Task:
    """Encode one segment. ``follows`` is the segment that must be finished before, None for none.

    ``job.output`` is the segment's own file, ``threads`` are CPU threads.
    """

    number: int
    job: Job
    threads: int
    follows: int | None = None


@dataclass(frozen=True)
class Running:
    """A segment is being trained: ``position`` from 0 to 1, at ``place`` (which worker).

    ``warnings`` are all that its encode has given so far: of several reports only the newest may arrive.
    """

    number: int
    position: float
    place: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Done:
    """A segment's file is written."""

    number: int
    result: EncodeResult
    place: str = ""


@dataclass(frozen=True)
class WorkerLost:
    """A worker ended in the middle of a segment, which is begun again elsewhere."""

    number: int
    place: str
    reason: str


News = Running | Done | WorkerLost


@runtime_checkable
class Runner(Protocol):
    """Does tasks, telling news as they come. Returns when all are done."""

    def run(self, tasks: Sequence[Task], tell: Callable[[News], None]) -> None:
        """Do them all. Raises DynerfError of the first task that cannot be done, KeyboardInterrupt.

        In both cases what is finished stays, and what is under way has a checkpoint where time allowed.
        """


class _Ear(Unwatched):
    """Listens to one encode and passes its position on, now and then."""

    def __init__(self, number: int, tell: Callable[[News], None]) -> None:
        self._number, self._tell, self._told = number, tell, 0.0
        self._position = 0.0
        self._warnings: tuple[str, ...] = ()

    def say(self, text: str) -> None:
        """A message, passed on if it is a warning."""
        if text.startswith(WARNING):
            self._warnings += (text,)
            self._pass_on()

    def trained(self, report: StepReport) -> None:
        """A training step."""
        self._position = report.place.position
        if time.monotonic() - self._told > _TELL_SECONDS:
            self._pass_on()

    def _pass_on(self) -> None:
        self._told = time.monotonic()
        self._tell(Running(self._number, self._position, warnings=self._warnings))


def do_task(task: Task, tell: Callable[[News], None]) -> EncodeResult:
    """Encode a segment here, going on from its checkpoint if it has one; its work folder is removed.

    Raises what ``encode`` raises, naming the segment.
    """
    if task.job.device == "cpu":
        torch.set_num_threads(task.threads)
    try:
        result = encode_segment(replace(task.job, resume=True), _Ear(task.number, tell))
    except DynerfError as error:
        raise type(error)(f"segment {task.number}, frames {task.job.frames}: {error}") from error
    shutil.rmtree(work_folder(task.job), ignore_errors=True)
    return result


class Agenda:
    """Which task can be begun next, and how often one was tried. Tasks are begun in order of time."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._waiting = sorted(tasks, key=lambda task: task.number)
        self._open = {task.number for task in tasks}
        self._tries: dict[int, int] = {}

    @property
    def unfinished(self) -> bool:
        """Whether anything is left, or under way."""
        return bool(self._open)

    def take(self) -> Task | None:
        """The first task that waits for no other; None when there is none."""
        for task in self._waiting:
            if task.follows not in self._open:
                self._waiting.remove(task)
                self._tries[task.number] = self._tries.get(task.number, 0) + 1
                return task
        return None

    def finish(self, task: Task) -> None:
        """A task is done."""
        self._open.remove(task.number)

    def put_back(self, task: Task, reason: str) -> None:
        """A task was lost with its worker. Raises ConfigError when that happened too often."""
        if self._tries[task.number] >= MOST_TRIES:
            raise ConfigError(
                f"segment {task.number}: lost {MOST_TRIES} times ({reason}); is there enough memory for as "
                "many segments at once?"
            )
        self._waiting = sorted([task, *self._waiting], key=lambda task: task.number)


class Serially:
    """One segment after the other, in this process."""

    def run(self, tasks: Sequence[Task], tell: Callable[[News], None]) -> None:
        """See ``Runner``."""
        for task in tasks:
            tell(Done(task.number, do_task(task, tell)))
