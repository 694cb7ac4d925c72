"""Segments encoded by several processes of this machine, one segment at a time each.

The driver and a worker talk over a pipe: tasks one way, news the other. A worker that ends is replaced and
its segment begun again, from its checkpoint. With the driver all workers end, so that nobody else writes into
the work folder when the job is resumed. A terminal's Ctrl-C reaches the driver alone, which passes it on:
each worker saves a checkpoint first.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from dynerf_format.errors import DynerfError, OutputError, describe

from .scheduler import Agenda, Done, News, Task, WorkerLost, do_task

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_FAREWELL_SECONDS = 60.0  # for the step under way and a checkpoint


@dataclass(frozen=True)
class _Failed:
    """A task that cannot be done: a DynerfError, or the traceback of a bug."""

    error: DynerfError | str


@dataclass
class _Worker:
    name: str
    process: SpawnProcess
    pipe: Connection
    task: Task | None = None


class Workers:
    """Does tasks in ``count`` processes; with ``gpus`` above 0 each gets one of them in turn."""

    def __init__(self, count: int, gpus: int = 0) -> None:
        self._count = count
        self._gpus = gpus

    def run(self, tasks: Sequence[Task], tell: Callable[[News], None]) -> None:
        """See ``tasks.Runner``."""
        agenda = Agenda(tasks)
        workers: list[_Worker] = []
        try:
            workers.extend(_hire(f"worker {n + 1}") for n in range(min(self._count, len(tasks))))
            while agenda.unfinished:
                for index, worker in enumerate(workers):
                    if worker.task is None and (task := agenda.take()) is not None:
                        worker.task = task
                        with suppress(BrokenPipeError):  # heard of below
                            worker.pipe.send(self._placed(task, index))
                for ready in wait([worker.pipe for worker in workers]):
                    index = next(i for i, worker in enumerate(workers) if worker.pipe is ready)
                    if not _hear(workers[index], agenda, tell):
                        workers[index] = _replaced(workers[index], agenda, tell)
        finally:
            _dismiss(workers)

    def _placed(self, task: Task, index: int) -> Task:
        if self._gpus == 0:
            return task
        return replace(task, job=replace(task.job, device=f"cuda:{index % self._gpus}"))


def _hire(name: str) -> _Worker:
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there, os.getpid()), name=f"dynerf {name}", daemon=True)
    with _without_interrupts():
        process.start()
    there.close()
    return _Worker(name, process, here)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """A process begun in this block is deaf to Ctrl-C until it asks for it; this one hears it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _hear(worker: _Worker, agenda: Agenda, tell: Callable[[News], None]) -> bool:
    """Take one piece of news from a worker; False when it has ended. Raises what its task failed with."""
    try:
        news = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        return False
    if isinstance(news, _Failed):
        if isinstance(news.error, DynerfError):
            raise news.error
        raise RuntimeError(f"{worker.name} failed:\n{news.error}")
    if isinstance(news, Done) and worker.task is not None:
        agenda.finish(worker.task)
        worker.task = None
    tell(replace(news, place=worker.name))
    return True


def _replaced(worker: _Worker, agenda: Agenda, tell: Callable[[News], None]) -> _Worker:
    """A new worker for one that ended; what it did goes back on the agenda."""
    worker.process.join()
    worker.pipe.close()
    reason = _reason(worker.process.exitcode or 0)
    if worker.task is not None:
        tell(WorkerLost(worker.task.number, worker.name, reason))
        agenda.put_back(worker.task, reason)
    return _hire(worker.name)


def _reason(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def _dismiss(workers: Sequence[_Worker]) -> None:
    """End all workers: idle ones at once, the others after their step and a checkpoint."""
    try:
        for worker in workers:
            if worker.task is not None and worker.process.pid is not None and worker.process.is_alive():
                os.kill(worker.process.pid, signal.SIGINT)
            else:
                worker.pipe.close()
        for worker in workers:
            worker.process.join(_FAREWELL_SECONDS)
    finally:  # also after a second Ctrl-C
        for worker in workers:
            worker.process.kill()
            worker.pipe.close()
            worker.process.join()


def _work(pipe: Connection, driver: int) -> None:
    """The life of a worker process."""
    os.setpgrp()  # out of the terminal's reach
    _die_with(driver)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt, EOFError, BrokenPipeError, ConnectionResetError):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        while True:
            pipe.send(_outcome(pipe.recv(), pipe.send))


def _outcome(task: Task, tell: Callable[[News], None]) -> Done | _Failed:
    """What a task ended with. Raises what says that the driver is gone."""
    try:
        return Done(task.number, do_task(task, tell))
    except DynerfError as error:
        return _Failed(error)
    except (BrokenPipeError, ConnectionResetError):
        raise
    except OSError as error:
        return _Failed(OutputError(describe(error)))
    except Exception:
        return _Failed(traceback.format_exc())


def _die_with(driver: int) -> None:
    """Have the kernel kill this process when the driver ends, however that happens.

    Where there is no such kernel, a worker ends at its first news after that.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != driver:
        sys.exit(1)
