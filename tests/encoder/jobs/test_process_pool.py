"""How a worker process reports what its task ended with."""

import errno
import os
import pickle
from pathlib import Path
from unittest.mock import Mock

import pytest

from dynerf_encoder.jobs import process_pool as workers
from dynerf_encoder.jobs import ray_runner as cluster
from dynerf_encoder.jobs.scheduler import Task
from dynerf_format.errors import OutputError
from support.encoding import tiny_job


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task that the operating system refuses."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/mnt/a")

    monkeypatch.setattr(workers, "do_task", refuse)
    monkeypatch.setattr(cluster, "do_task", refuse)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return Task(0, tiny_job(tmp_path / "scene", tmp_path / "clip.dnv"), threads=1)


def test_what_the_system_refuses_a_worker_is_one_line_and_not_a_traceback(task: Task) -> None:
    failed = pickle.loads(pickle.dumps(workers._outcome(task, Mock())))  # as the pipe sends it
    assert isinstance(failed, workers._Failed)
    assert isinstance(failed.error, OutputError)
    assert str(failed.error) == "/mnt/a: No space left on device"


def test_on_a_cluster_the_machine_is_named_too(task: Task) -> None:
    made = pickle.loads(pickle.dumps(cluster._work(cluster._Order(task, None, {}), Mock())))
    assert isinstance(made.error, OutputError)
    assert str(made.error) == f"{os.uname().nodename}, process {os.getpid()}: /mnt/a: No space left on device"


def test_a_driver_that_is_gone_ends_the_worker(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "do_task", Mock(side_effect=BrokenPipeError))
    with pytest.raises(BrokenPipeError):
        workers._outcome(task, Mock())
