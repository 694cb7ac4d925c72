"""Encode segments in several processes of this machine, each one segment at a time.

The driver and a worker communicate over a pipe: tasks in one direction, progress events in the other. A
worker that dies is replaced and its segment restarted from its checkpoint. Workers exit when the driver
exits, so no other process writes into the work folder when the job is resumed. A terminal's Ctrl-C reaches
only the driver, which passes it on: each worker then saves a checkpoint.
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

from .scheduler import Done, ProgressEvent, Task, TaskQueue, WorkerLost, run_task

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_SHUTDOWN_SECONDS = 60.0  # for the current step and a checkpoint


@dataclass(frozen=True)
class _Failed:
    """A task that cannot be completed: a DynerfError, or the traceback of a bug."""

    error: DynerfError | str


@dataclass
class _Worker:
    name: str
    process: SpawnProcess
    pipe: Connection
    task: Task | None = None


class ProcessPoolRunner:
    """Runs tasks in ``count`` processes; with ``gpus`` above 0 these are assigned in turn."""

    def __init__(self, count: int, gpus: int = 0) -> None:
        self._count = count
        self._gpus = gpus

    def run(self, tasks: Sequence[Task], publish: Callable[[ProgressEvent], None]) -> None:
        """See ``scheduler.Runner``."""
        queue = TaskQueue(tasks)
        workers: list[_Worker] = []
        try:
            workers.extend(_start_worker(f"worker {n + 1}") for n in range(min(self._count, len(tasks))))
            while queue.unfinished:
                for index, worker in enumerate(workers):
                    if worker.task is None and (task := queue.take()) is not None:
                        worker.task = task
                        with suppress(BrokenPipeError):  # detected below
                            worker.pipe.send(self._on_gpu(task, index))
                for ready in wait([worker.pipe for worker in workers]):
                    index = next(i for i, worker in enumerate(workers) if worker.pipe is ready)
                    if not _receive(workers[index], queue, publish):
                        workers[index] = _replace_worker(workers[index], queue, publish)
        finally:
            _stop_workers(workers)

    def _on_gpu(self, task: Task, index: int) -> Task:
        if self._gpus == 0:
            return task
        return replace(task, job=replace(task.job, device=f"cuda:{index % self._gpus}"))


def _start_worker(name: str) -> _Worker:
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    own_end, worker_end = context.Pipe()
    process = context.Process(
        target=_worker_main, args=(worker_end, os.getpid()), name=f"dynerf {name}", daemon=True
    )
    with _interrupts_blocked():
        process.start()
    worker_end.close()
    return _Worker(name, process, own_end)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """A process started in this block has SIGINT blocked until it unblocks it; this one only delays it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _receive(worker: _Worker, queue: TaskQueue, publish: Callable[[ProgressEvent], None]) -> bool:
    """Receive one event from a worker; False if it has exited. Raises the error of its task."""
    try:
        event = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        return False
    if isinstance(event, _Failed):
        if isinstance(event.error, DynerfError):
            raise event.error
        raise RuntimeError(f"{worker.name} failed:\n{event.error}")
    if isinstance(event, Done) and worker.task is not None:
        queue.finish(worker.task)
        worker.task = None
    publish(replace(event, worker=worker.name))
    return True


def _replace_worker(worker: _Worker, queue: TaskQueue, publish: Callable[[ProgressEvent], None]) -> _Worker:
    """A new worker for one that exited; its task is queued again."""
    worker.process.join()
    worker.pipe.close()
    reason = _reason(worker.process.exitcode or 0)
    if worker.task is not None:
        publish(WorkerLost(worker.task.number, worker.name, reason))
        queue.requeue(worker.task, reason)
    return _start_worker(worker.name)


def _reason(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def _stop_workers(workers: Sequence[_Worker]) -> None:
    """Stop all workers: idle ones at once, the others after their step and a checkpoint."""
    try:
        for worker in workers:
            if worker.task is not None and worker.process.pid is not None and worker.process.is_alive():
                os.kill(worker.process.pid, signal.SIGINT)
            else:
                worker.pipe.close()
        for worker in workers:
            worker.process.join(_SHUTDOWN_SECONDS)
    finally:  # also after a second Ctrl-C
        for worker in workers:
            worker.process.kill()
            worker.pipe.close()
            worker.process.join()


def _worker_main(pipe: Connection, driver: int) -> None:
    """The main function of a worker process."""
    os.setpgrp()  # not in the terminal's process group
    _exit_with(driver)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt, EOFError, BrokenPipeError, ConnectionResetError):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        while True:
            pipe.send(_run_task(pipe.recv(), pipe.send))


def _run_task(task: Task, publish: Callable[[ProgressEvent], None]) -> Done | _Failed:
    """The result of a task. Raises connection errors, which mean that the driver is gone."""
    try:
        return Done(task.number, run_task(task, publish))
    except DynerfError as error:
        return _Failed(error)
    except (BrokenPipeError, ConnectionResetError):
        raise
    except OSError as error:
        return _Failed(OutputError(describe(error)))
    except Exception:
        return _Failed(traceback.format_exc())


def _exit_with(driver: int) -> None:
    """Have the kernel kill this process when the driver exits, however that happens.

    Without Linux's prctl a worker exits when it next sends an event.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != driver:
        sys.exit(1)
