"""Segments on a real Ray cluster of two nodes: the same bytes after kills; errors name the machine."""

import os
import pickle
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from dynerf_encoder.jobs.ray_runner import _RemoteResult, _RemoteTask, _run_remotely
from dynerf_encoder.jobs.scheduler import Task
from dynerf_format.errors import CaptureError, OutputError
from support.cluster import LocalCluster, start_driver
from support.encoding import Forks, encode_arguments, tiny_job, write_scene

pytestmark = pytest.mark.long

_SEGMENT = ("--segment", "3f", "--overlap", "1", "--set", "schedule.scale=3")
_MOST_SECONDS = 120


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("cluster") / "scene", frames=8)


@pytest.fixture(scope="module")
def serial(capture: Path) -> bytes:
    output = capture.parent / "serial.dnv"
    ended = Forks.shared().run(encode_arguments(capture, output, *_SEGMENT), every=1e9)
    assert ended.status == 0, ended.stderr
    return output.read_bytes()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path_factory.mktemp("scratch")) as cluster:
        yield cluster


def _ended(driver: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and standard error."""
    _, stderr = driver.communicate(timeout=_MOST_SECONDS)
    return driver.returncode, stderr


def _wait_for(condition: object, driver: subprocess.Popen[str]) -> None:
    """Wait until ``condition()`` is true, while the driver runs."""
    assert callable(condition)
    deadline = time.monotonic() + _MOST_SECONDS
    while not condition():
        assert driver.poll() is None, driver.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.extensive
def test_a_killed_worker_does_not_change_the_result(
    capture: Path, cluster: LocalCluster, tmp_path: Path, serial: bytes
) -> None:
    output = tmp_path / "clip.dnv"
    driver = start_driver(encode_arguments(capture, output, *_SEGMENT, "--cluster", cluster.address))
    _wait_for(cluster.encoding_processes, driver)
    os.kill(cluster.encoding_processes()[0], signal.SIGKILL)
    status, stderr = _ended(driver)
    assert status == 0, stderr
    assert "was lost" in stderr
    assert output.read_bytes() == serial
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.dnv", "clip.log.jsonl"]


@pytest.mark.extensive
def test_a_killed_driver_is_resumed_and_the_capture_can_be_sent(
    capture: Path, cluster: LocalCluster, tmp_path: Path, serial: bytes
) -> None:
    output = tmp_path / "clip.dnv"
    more = (*_SEGMENT, "--cluster", cluster.address, "--send-capture")
    driver = start_driver(encode_arguments(capture, output, *more))
    segments = tmp_path / "clip.work" / "segments"
    _wait_for(lambda: list(segments.glob("0*.dnv")), driver)
    driver.kill()
    driver.communicate()
    finished = {path.name for path in segments.glob("0*.dnv")}
    status, stderr = _ended(start_driver(encode_arguments(capture, output, *more, "--resume")))
    assert status == 0, stderr
    assert f"resuming: {len(finished)} of 3 segments are finished" in stderr
    assert stderr.count("dynerf: segment ") == 3 - len(finished)
    assert output.read_bytes() == serial
    scratch = cluster.folder / f"dynerf-{os.getuid()}"
    assert not list(scratch.rglob("*.capture"))


def test_a_capture_that_a_worker_does_not_have_is_named_with_the_worker(tmp_path: Path) -> None:
    reply = _run_as_a_worker(Task(0, tiny_job(tmp_path / "scene", tmp_path / "clip.dnv"), threads=1))
    assert isinstance(reply.error, CaptureError)
    assert str(reply.error).startswith(f"{os.uname().nodename}, process {os.getpid()}: ")
    assert f": {tmp_path}/scene: does not exist, expected a capture" in str(reply.error)


@pytest.mark.extensive
def test_a_capture_that_disappears_is_named_with_the_worker_by_the_command(
    capture: Path, cluster: LocalCluster, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.symlink_to(capture)
    prelude = f"""
import pathlib
from dynerf_encoder.jobs.segment_folder import SegmentFolder
prepare = SegmentFolder.prepare
def prepare_and_hide(*arguments):
    prepare(*arguments)
    pathlib.Path({str(mine)!r}).unlink()
SegmentFolder.prepare = prepare_and_hide
"""
    arguments = encode_arguments(mine, tmp_path / "clip.dnv", *_SEGMENT, "--cluster", cluster.address)
    status, stderr = _ended(start_driver(arguments, prelude))
    assert status == 2
    last = stderr.splitlines()[-1]
    assert last.startswith(f"dynerf: error: {os.uname().nodename}, process ")
    assert f": {mine}: does not exist, expected a capture" in last


def _run_as_a_worker(task: Task) -> _RemoteResult:
    """What Ray brings back of a task that a worker runs."""
    reply = _run_remotely(_RemoteTask(task, None, {}), Mock())
    found = pickle.loads(pickle.dumps(reply))
    assert isinstance(found, _RemoteResult)
    return found


def test_the_error_of_a_worker_with_a_full_disk_names_it(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=0))
    task = Task(0, tiny_job(capture, capture / "clip.dnv"), threads=1)
    reply = _run_as_a_worker(task)
    assert isinstance(reply.error, OutputError)
    assert str(reply.error).startswith(f"{os.uname().nodename}, process {os.getpid()}: ")
    assert f"{tmp_path}/dynerf-{os.getuid()}/" in str(reply.error)
    assert "the decoded pictures need" in str(reply.error)
    assert not reply.file


def test_more_threads_than_any_machine_has_are_refused(
    capture: Path, cluster: LocalCluster, tmp_path: Path
) -> None:
    more = (*_SEGMENT, "--cluster", cluster.address, "--threads", "3")
    ended = Forks.shared().run(encode_arguments(capture, tmp_path / "clip.dnv", *more))
    assert ended.status == 2
    assert "no machine of the cluster has 3 CPU; reduce --threads" in ended.stderr


def test_a_cluster_that_does_not_exist_is_refused(capture: Path, tmp_path: Path) -> None:
    arguments = encode_arguments(capture, tmp_path / "clip.dnv", *_SEGMENT, "--cluster", "nonsense")
    ended = Forks.shared().run(arguments)
    assert ended.status == 2
    assert "--cluster nonsense: no Ray cluster answers at this address" in ended.stderr.splitlines()[-1]
