"""Ctrl-C to torchrun: all processes stop after the same step, one checkpoint is kept, --resume continues."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dynerf_encoder.training.checkpoint import load_checkpoint
from support.encoding import STEPS, encode_arguments, write_scene
from support.video import ROOT

_PACKAGES = ("encoder", "decoder", "format", ".")
_TIMES = 8
_LONG = ("--set", f"schedule.scale={_TIMES}")


def _torchrun(arguments: list[str]) -> "subprocess.Popen[str]":
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    return subprocess.Popen(
        [sys.executable, *launcher, sys.executable, "-m", "dynerf", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / package) for package in _PACKAGES)},
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def _wait_for_event(log: Path, event: str, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 120
    while f'"event": "{event}"' not in (log.read_text() if log.exists() else ""):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.extensive
@pytest.mark.long
def test_all_processes_stop_at_one_step_and_resume(tmp_path: Path) -> None:
    capture, output = write_scene(tmp_path / "scene"), tmp_path / "out" / "clip.dnv"
    output.parent.mkdir()
    log = output.with_name("clip.log.jsonl")
    with _torchrun(encode_arguments(capture, output, *_LONG)) as process:
        _wait_for_event(log, "step", process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does; the workers get it from the launcher
        _, stderr = process.communicate(timeout=120)
    assert process.returncode != 0
    assert stderr.count("the same command with --resume continues from the last checkpoint") == 1
    assert stderr.count("dynerf: interrupted") == 2
    assert stderr.count("Traceback") <= 1, "torchrun's own"
    assert "dynerf_encoder" not in stderr, "no trace of ours"
    assert sorted(path.name for path in output.parent.iterdir()) == ["clip.log.jsonl", "clip.work"]
    assert not [path for path in output.parent.rglob("*") if ".tmp-" in path.name]
    step = load_checkpoint(output.parent / "clip.work" / "checkpoint.npz").state["step"]
    assert isinstance(step, int)
    assert 1 <= step < _TIMES * STEPS
    with _torchrun(encode_arguments(capture, output, *_LONG, "--resume")) as process:
        _, again = process.communicate(timeout=120)
    assert process.returncode == 0, again
    assert f"resuming after step {step} of {_TIMES * STEPS}" in again
    assert output.exists()
    assert [json.loads(line) for line in log.read_text().splitlines()][-1]["event"] == "done"
