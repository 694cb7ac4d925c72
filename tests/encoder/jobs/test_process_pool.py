"""How a worker process reports the result of its task."""

import errno
import os
import pickle
from pathlib import Path
from unittest.mock import Mock

import pytest

from dynerf_encoder.jobs import process_pool, ray_runner
from dynerf_encoder.jobs.scheduler import Task, run_task
from dynerf_format.errors import OutputError
from support.encoding import tiny_job, write_scene


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task that fails with an error of the operating system."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/mnt/a")

    monkeypatch.setattr(process_pool, "run_task", refuse)
    monkeypatch.setattr(ray_runner, "run_task", refuse)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return Task(0, tiny_job(tmp_path / "scene", tmp_path / "clip.dnv"), threads=1)


def test_an_operating_system_error_is_one_line_and_not_a_traceback(task: Task) -> None:
    failed = pickle.loads(pickle.dumps(process_pool._run_task(task, Mock())))  # as the pipe sends it
    assert isinstance(failed, process_pool._Failed)
    assert isinstance(failed.error, OutputError)
    assert str(failed.error) == "/mnt/a: No space left on device"


def test_on_a_cluster_the_machine_is_named(task: Task) -> None:
    reply = ray_runner._run_remotely(ray_runner._RemoteTask(task, None, {}), Mock())
    reply = pickle.loads(pickle.dumps(reply))
    assert isinstance(reply.error, OutputError)
    worker = f"{os.uname().nodename}, process {os.getpid()}"
    assert str(reply.error) == f"{worker}: /mnt/a: No space left on device"


def test_a_driver_that_is_gone_ends_the_worker(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_pool, "run_task", Mock(side_effect=BrokenPipeError))
    with pytest.raises(BrokenPipeError):
        process_pool._run_task(task, Mock())


def test_a_segment_whose_worker_died_before_reporting_it_is_written_again(tmp_path: Path) -> None:
    job = tiny_job(write_scene(tmp_path / "scene"), tmp_path / "clip.dnv")
    task = Task(0, job, threads=1)
    run_task(task, Mock())
    written = job.output.read_bytes()
    assert run_task(task, Mock()).path == job.output
    assert job.output.read_bytes() == written
