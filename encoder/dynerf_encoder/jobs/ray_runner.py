"""Encode segments on a Ray cluster: the same tasks, on any of its machines.

Workers read the capture at the driver's path, a shared folder, or get the videos through Ray's object store.
They work in a folder of their own machine and send the finished segment's file back, so only the driver
writes into the job's work folder: a segment whose file has arrived is never encoded again. A task whose
worker is lost is restarted on another one. Ray is imported only when a cluster is used.
"""

import hashlib
import json
import logging
import os
import shutil
import signal
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dynerf_format import atomic_path
from dynerf_format.errors import CaptureError, ConfigError, DynerfError, OutputError, describe

from .job import EncodeResult
from .scheduler import Done, ProgressEvent, Running, Task, TaskQueue, WorkerLost, run_task

_POLL_SECONDS = 0.5
_SHUTDOWN_SECONDS = 60.0  # for the current step and a checkpoint
_ENVIRONMENT = ("OMP_WAIT_POLICY", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


@dataclass(frozen=True)
class _RemoteTask:
    """What a worker receives: the task, its predecessor's file, and the capture's files unless shared.

    ``described``: the capture is a file among these, not their folder.
    """

    task: Task
    predecessor: bytes | None
    files: Mapping[str, Any]
    described: bool = False


@dataclass(frozen=True)
class _RemoteResult:
    """What a worker sends back: the segment's file, or an error that a retry would not avoid."""

    worker: str
    file: bytes = b""
    result: EncodeResult | None = None
    error: DynerfError | None = None


class RayRunner:
    """Runs tasks on the cluster at ``address`` (``auto``: the one of this machine)."""

    def __init__(self, address: str, send_capture: bool = False) -> None:
        self._address = address
        self._send_capture = send_capture

    def run(self, tasks: Sequence[Task], publish: Callable[[ProgressEvent], None]) -> None:
        """See ``scheduler.Runner``. Raises ConfigError without Ray or without such a cluster."""
        if not tasks:
            return
        ray = _import_ray()
        _connect(ray, self._address)
        try:
            _check_resources(ray, tasks[0])
            _Driver(ray, tasks, publish, self._send_capture).run()
        finally:
            ray.shutdown()


class _Driver:
    """One run on a connected cluster."""

    def __init__(
        self, ray: Any, tasks: Sequence[Task], publish: Callable[[ProgressEvent], None], send_capture: bool
    ) -> None:
        self._ray = ray
        self._publish = publish
        self._queue = TaskQueue(tasks)
        self._files = _put_files(ray, tasks[0].job.capture) if send_capture else {}
        self._run_remotely = _remote_function(ray, tasks[0])
        this_node = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        actor = ray.remote(_ProgressActor).options(num_cpus=0, scheduling_strategy=this_node)
        self._progress = actor.remote()
        self._running: dict[Any, Task] = {}

    def run(self) -> None:
        """Run all tasks."""
        try:
            while self._queue.unfinished:
                while (task := self._queue.take()) is not None:
                    remote_task = _remote_task(task, self._files)
                    self._running[self._run_remotely.remote(remote_task, self._progress)] = task
                ready, _ = self._ray.wait(list(self._running), timeout=_POLL_SECONDS)
                self._poll_progress()
                for reference in ready:
                    self._collect(reference, self._running.pop(reference))
        except BaseException:
            self._stop()
            raise

    def _poll_progress(self) -> None:
        """Publish the progress of the running tasks."""
        running = {task.number for task in self._running.values()}
        for event in self._ray.get(self._progress.poll.remote()):
            if event.number in running:
                self._publish(event)

    def _collect(self, reference: Any, task: Task) -> None:
        """Write a task's result; restart it if its worker was lost; raise its error."""
        try:
            reply: _RemoteResult = self._ray.get(reference)
        except (self._ray.exceptions.RayTaskError, self._ray.exceptions.TaskCancelledError):
            raise
        except self._ray.exceptions.RayError as error:
            reason = type(error).__name__
            self._publish(WorkerLost(task.number, "a worker", reason))
            self._queue.requeue(task, reason)
            return
        if reply.error is not None:
            raise reply.error
        assert reply.result is not None
        _save(task.job.output, reply.file)
        self._queue.finish(task)
        self._publish(Done(task.number, reply.result, reply.worker))

    def _stop(self) -> None:
        """Have the workers save checkpoints, for the same job resumed on the same machines."""
        for reference in self._running:
            self._ray.cancel(reference, force=False)
        with suppress(self._ray.exceptions.RayError):
            pending = list(self._running)
            self._ray.wait(pending, num_returns=max(1, len(pending)), timeout=_SHUTDOWN_SECONDS)


class _ProgressActor:
    """An actor that holds the latest event of each segment until the driver polls it."""

    def __init__(self) -> None:
        self._latest: dict[int, Running] = {}

    def publish(self, event: Running) -> None:
        """Store the progress of a segment."""
        self._latest[event.number] = event

    def poll(self) -> list[Running]:
        """The events since the last call."""
        events, self._latest = list(self._latest.values()), {}
        return events


def _import_ray() -> Any:
    try:
        import ray
        import ray.exceptions
        import ray.util.scheduling_strategies
    except ImportError as error:
        raise ConfigError("--cluster needs Ray: pip install 'dynerf[cluster]'") from error
    return ray


def _connect(ray: Any, address: str) -> None:
    interrupt, end = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}},
        )
    except (ConnectionError, ValueError, OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"--cluster {address}: no Ray cluster answers at this address: {reason}") from error
    finally:  # Ray replaces them by its own handlers
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, end)


def _check_resources(ray: Any, task: Task) -> None:
    """Raise ConfigError if no machine could ever run a task, for which Ray would wait silently."""
    needed = {"CPU": task.threads} if task.job.device == "cpu" else {"CPU": task.threads, "GPU": 1}
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(all(machine.get(kind, 0) >= count for kind, count in needed.items()) for machine in machines):
        return
    requested = " and ".join(f"{count} {kind}" for kind, count in needed.items())
    raise ConfigError(f"--cluster: no machine of the cluster has {requested}; reduce --threads")


def _remote_function(ray: Any, task: Task) -> Any:
    """The function that workers run. Ray does not retry: the driver restarts lost tasks and reports it."""
    gpus = 0 if task.job.device == "cpu" else 1
    return ray.remote(_run_remotely).options(num_cpus=task.threads, num_gpus=gpus, max_retries=0)


def _put_files(ray: Any, capture: Path) -> dict[str, Any]:
    """Put all files of a capture's folder in the object store, by their path in it. Raises CaptureError."""
    folder = capture if capture.is_dir() else capture.parent
    try:
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return {path.relative_to(folder).as_posix(): ray.put(path.read_bytes()) for path in files}
    except OSError as error:
        raise CaptureError(f"{capture}: cannot be read: {error.strerror}") from error


def _remote_task(task: Task, files: Mapping[str, Any]) -> _RemoteTask:
    predecessor = task.job.segment.predecessor
    job = replace(task.job, capture=task.job.capture.absolute())
    clip = None if predecessor is None else predecessor.read_bytes()
    return _RemoteTask(replace(task, job=job), clip, files, described=job.capture.is_file())


def _run_remotely(remote_task: _RemoteTask, progress: Any) -> _RemoteResult:
    """On a worker: run a task in a folder of this machine."""
    worker = f"{socket.gethostname()}, process {os.getpid()}"
    last_report = 0.0

    def publish(event: ProgressEvent) -> None:
        nonlocal last_report
        if isinstance(event, Running) and time.monotonic() - last_report > _POLL_SECONDS:
            last_report = time.monotonic()
            progress.publish.remote(replace(event, worker=worker))

    try:
        with _local_task(remote_task) as task:
            result = run_task(task, publish)
            return _RemoteResult(worker, task.job.output.read_bytes(), result)
    except DynerfError as error:
        return _RemoteResult(worker, error=type(error)(f"{worker}: {error}"))
    except OSError as error:
        return _RemoteResult(worker, error=OutputError(f"{worker}: {describe(error)}"))


def _scratch_folder(task: Task) -> Path:
    """A folder for this job on this machine, private to the user. Raises OutputError.

    The same for the same capture and segments, so that a restarted task finds its checkpoint.
    """
    top = Path(tempfile.gettempdir()) / f"dynerf-{os.getuid()}"
    name = json.dumps([str(task.job.output), {k: v.sha256 for k, v in task.job.segment.videos.items()}])
    folder = top / hashlib.sha256(name.encode()).hexdigest()[:16]
    try:
        top.mkdir(mode=0o700, exist_ok=True)
        status = top.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
            raise OutputError(f"{top}: is not a folder that only this user can write to")
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    return folder


@contextmanager
def _local_task(remote_task: _RemoteTask) -> Iterator[Task]:
    """The task with all paths on this machine. Received files are removed at the end, checkpoints kept."""
    folder, number = _scratch_folder(remote_task.task), f"{remote_task.task.number:05}"
    job = replace(remote_task.task.job, output=folder / f"{number}.dnv", cache=folder / f"{number}.work")
    predecessor, capture = folder / f"{number}.before.dnv", folder / f"{number}.capture"
    _clear(job.output, predecessor, capture)
    try:
        if remote_task.predecessor is not None:
            _save(predecessor, remote_task.predecessor)
            job = replace(job, segment=replace(job.segment, predecessor=predecessor))
        if remote_task.files:
            _fetch(remote_task.files, capture)
            job = replace(job, capture=capture / job.capture.name if remote_task.described else capture)
        yield replace(remote_task.task, job=job)
    finally:
        _clear(job.output, predecessor, capture)
        with suppress(OSError):
            folder.rmdir()  # fails if it is in use


def _fetch(files: Mapping[str, Any], folder: Path) -> None:
    import ray

    folder.mkdir()
    for name, reference in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _save(path, ray.get(reference))


def _clear(output: Path, predecessor: Path, capture: Path) -> None:
    output.unlink(missing_ok=True)
    predecessor.unlink(missing_ok=True)
    shutil.rmtree(capture, ignore_errors=True)


def _save(path: Path, data: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
