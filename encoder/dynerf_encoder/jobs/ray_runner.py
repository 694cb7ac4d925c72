"""Segments encoded on a Ray cluster: the same tasks, on whatever machines it has.

Workers read the capture at the driver's path, a shared folder, or get the videos through Ray's object store.
They work in a folder of their own machine and send the finished segment's file back, so that only the driver
writes into the job's work folder: a segment whose file has arrived is never encoded again. A task whose
worker is lost is begun again on another one. Ray is imported when a cluster is asked for.
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
from .scheduler import Agenda, Done, News, Running, Task, WorkerLost, do_task

_POLL_SECONDS = 0.5
_FAREWELL_SECONDS = 60.0  # for the step under way and a checkpoint
_ENVIRONMENT = ("OMP_WAIT_POLICY", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


@dataclass(frozen=True)
class _Order:
    """What a worker is sent: the task, its predecessor's file, and the capture's files unless shared."""

    task: Task
    predecessor: bytes | None
    files: Mapping[str, Any]


@dataclass(frozen=True)
class _Made:
    """What a worker sends back: the segment's file, or the error that cannot be mended by trying again."""

    place: str
    file: bytes = b""
    result: EncodeResult | None = None
    error: DynerfError | None = None


class OnRay:
    """Does tasks on the cluster at ``address`` (``auto``: the one of this machine)."""

    def __init__(self, address: str, send_capture: bool = False) -> None:
        self._address = address
        self._send_capture = send_capture

    def run(self, tasks: Sequence[Task], tell: Callable[[News], None]) -> None:
        """See ``tasks.Runner``. ConfigError when there is no Ray or no such cluster."""
        if not tasks:
            return
        ray = _import_ray()
        _connect(ray, self._address)
        try:
            _check_room(ray, tasks[0])
            _Driver(ray, tasks, tell, self._send_capture).run()
        finally:
            ray.shutdown()


class _Driver:
    """One run on a cluster that is connected to."""

    def __init__(
        self, ray: Any, tasks: Sequence[Task], tell: Callable[[News], None], send_capture: bool
    ) -> None:
        self._ray = ray
        self._tell = tell
        self._agenda = Agenda(tasks)
        self._files = _put_files(ray, tasks[0].job.capture) if send_capture else {}
        self._work = _remote_work(ray, tasks[0])
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        self._ears = ray.remote(_Ears).options(num_cpus=0, scheduling_strategy=here).remote()
        self._under_way: dict[Any, Task] = {}

    def run(self) -> None:
        """Do all tasks."""
        try:
            while self._agenda.unfinished:
                while (task := self._agenda.take()) is not None:
                    self._under_way[self._work.remote(_order(task, self._files), self._ears)] = task
                ready, _ = self._ray.wait(list(self._under_way), timeout=_POLL_SECONDS)
                self._listen()
                for reference in ready:
                    self._take(reference, self._under_way.pop(reference))
        except BaseException:
            self._stop()
            raise

    def _listen(self) -> None:
        """Pass on how far the tasks are."""
        running = {task.number for task in self._under_way.values()}
        for news in self._ray.get(self._ears.take.remote()):
            if news.number in running:
                self._tell(news)

    def _take(self, reference: Any, task: Task) -> None:
        """Write what a task made; begin it again when its worker was lost; raise what it failed with."""
        try:
            made: _Made = self._ray.get(reference)
        except (self._ray.exceptions.RayTaskError, self._ray.exceptions.TaskCancelledError):
            raise
        except self._ray.exceptions.RayError as error:
            reason = type(error).__name__
            self._tell(WorkerLost(task.number, "a worker", reason))
            self._agenda.put_back(task, reason)
            return
        if made.error is not None:
            raise made.error
        assert made.result is not None
        _save(task.job.output, made.file)
        self._agenda.finish(task)
        self._tell(Done(task.number, made.result, made.place))

    def _stop(self) -> None:
        """Have the workers save checkpoints, for the same job begun again on the same machines."""
        for reference in self._under_way:
            self._ray.cancel(reference, force=False)
        with suppress(self._ray.exceptions.RayError):
            pending = list(self._under_way)
            self._ray.wait(pending, num_returns=max(1, len(pending)), timeout=_FAREWELL_SECONDS)


class _Ears:
    """An actor that holds the newest news of each segment until the driver asks."""

    def __init__(self) -> None:
        self._news: dict[int, Running] = {}

    def hear(self, news: Running) -> None:
        """Note where a segment is."""
        self._news[news.number] = news

    def take(self) -> list[Running]:
        """What came since the last time."""
        news, self._news = list(self._news.values()), {}
        return news


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
        raise ConfigError(f"--cluster {address}: no Ray cluster answers there: {reason}") from error
    finally:  # Ray puts handlers of its own in their place
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, end)


def _check_room(ray: Any, task: Task) -> None:
    """ConfigError when no machine could ever begin a task, which Ray would wait for without a word."""
    needed = {"CPU": task.threads} if task.job.device == "cpu" else {"CPU": task.threads, "GPU": 1}
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(all(machine.get(kind, 0) >= count for kind, count in needed.items()) for machine in machines):
        return
    asked = " and ".join(f"{count} {kind}" for kind, count in needed.items())
    raise ConfigError(f"--cluster: no machine of the cluster has {asked}; ask for fewer with --threads")


def _remote_work(ray: Any, task: Task) -> Any:
    """The function that workers run. WorkerLost ones are begun again by the driver, which tells so."""
    gpus = 0 if task.job.device == "cpu" else 1
    return ray.remote(_work).options(num_cpus=task.threads, num_gpus=gpus, max_retries=0)


def _put_files(ray: Any, capture: Path) -> dict[str, Any]:
    """All files of a capture folder in the object store, by name. Raises CaptureError."""
    try:
        return {path.name: ray.put(path.read_bytes()) for path in sorted(capture.iterdir()) if path.is_file()}
    except OSError as error:
        raise CaptureError(f"{capture}: cannot be read: {error.strerror}") from error


def _order(task: Task, files: Mapping[str, Any]) -> _Order:
    before = task.job.predecessor
    job = replace(task.job, capture=task.job.capture.absolute())
    return _Order(replace(task, job=job), None if before is None else before.read_bytes(), files)


def _work(order: _Order, ears: Any) -> _Made:
    """On a worker: do a task in a folder of this machine."""
    place = f"{socket.gethostname()}, process {os.getpid()}"
    told = 0.0

    def tell(news: News) -> None:
        nonlocal told
        if isinstance(news, Running) and time.monotonic() - told > _POLL_SECONDS:
            told = time.monotonic()
            ears.hear.remote(replace(news, place=place))

    try:
        with _at_home(order) as task:
            result = do_task(task, tell)
            return _Made(place, task.job.output.read_bytes(), result)
    except DynerfError as error:
        return _Made(place, error=type(error)(f"{place}: {error}"))
    except OSError as error:
        return _Made(place, error=OutputError(f"{place}: {describe(error)}"))


def _scratch(task: Task) -> Path:
    """A folder of this job on this machine, nobody else's. Raises OutputError.

    The same for the same capture and segments, so that a task begun again finds its checkpoint.
    """
    top = Path(tempfile.gettempdir()) / f"dynerf-{os.getuid()}"
    name = json.dumps([str(task.job.output), {k: v.sha256 for k, v in task.job.videos.items()}])
    folder = top / hashlib.sha256(name.encode()).hexdigest()[:16]
    try:
        top.mkdir(mode=0o700, exist_ok=True)
        about = top.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o022:
            raise OutputError(f"{top}: is not a folder that only this user can write to")
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    return folder


@contextmanager
def _at_home(order: _Order) -> Iterator[Task]:
    """The task with all its paths on this machine. What was sent goes afterwards, a checkpoint stays."""
    folder, number = _scratch(order.task), f"{order.task.number:05}"
    job = replace(order.task.job, output=folder / f"{number}.dnv", cache=folder / f"{number}.work")
    before, capture = folder / f"{number}.before.dnv", folder / f"{number}.capture"
    _clear(job.output, before, capture)
    try:
        if order.predecessor is not None:
            _save(before, order.predecessor)
            job = replace(job, predecessor=before)
        if order.files:
            _fetch(order.files, capture)
            job = replace(job, capture=capture)
        yield replace(order.task, job=job)
    finally:
        _clear(job.output, before, capture)
        with suppress(OSError):
            folder.rmdir()  # unless something is under way


def _fetch(files: Mapping[str, Any], folder: Path) -> None:
    import ray

    folder.mkdir()
    for name, reference in files.items():
        _save(folder / name, ray.get(reference))


def _clear(output: Path, before: Path, capture: Path) -> None:
    output.unlink(missing_ok=True)
    before.unlink(missing_ok=True)
    shutil.rmtree(capture, ignore_errors=True)


def _save(path: Path, data: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
