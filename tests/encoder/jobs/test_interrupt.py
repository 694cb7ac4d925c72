"""Ctrl-C: the step is finished, a checkpoint saved, and a message states how to resume."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynerf_encoder.jobs.interrupt import deferred_interrupt
from dynerf_encoder.training.checkpoint import load_checkpoint
from support.encoding import STEPS, Forks, Strike, encode_arguments, write_scene
from support.video import ROOT

_EXTENSIVE = pytest.mark.extensive
_NEVER = 1e9
_STEP = "dynerf_encoder.training.trainer:Trainer._train_step"
_ADVICE = "dynerf: stopped; the same command with --resume continues from the last checkpoint"


def _ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0)  # handlers run between two bytecodes


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("interrupt") / "scene")


@pytest.fixture(scope="module")
def uninterrupted(capture: Path) -> bytes:
    output = capture.parent / "whole.dnv"
    assert Forks.shared().run(encode_arguments(capture, output), every=_NEVER).status == 0
    return output.read_bytes()


@pytest.fixture(autouse=True)
def _ctrl_c_is_not_ignored() -> Iterator[None]:
    """Tests started in the background have Ctrl-C ignored, which child processes inherit."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


class TestDeferral:
    def test_the_first_one_only_sets_the_flag(self) -> None:
        with deferred_interrupt() as interrupted:
            assert not interrupted()
            _ctrl_c()
            assert interrupted()

    def test_the_second_one_interrupts_at_once(self) -> None:
        with deferred_interrupt() as interrupted:
            _ctrl_c()
            with pytest.raises(KeyboardInterrupt):
                _ctrl_c()
            assert interrupted()

    def test_the_previous_handler_is_restored(self) -> None:
        before = signal.getsignal(signal.SIGINT)
        with deferred_interrupt():
            assert signal.getsignal(signal.SIGINT) is not before
        assert signal.getsignal(signal.SIGINT) is before
        with pytest.raises(ZeroDivisionError), deferred_interrupt():
            raise ZeroDivisionError
        assert signal.getsignal(signal.SIGINT) is before

    def test_in_another_thread_nothing_is_changed_and_the_flag_stays_unset(self) -> None:
        before = signal.getsignal(signal.SIGINT)
        seen: list[object] = []

        def work() -> None:
            with deferred_interrupt() as interrupted:
                seen.extend([interrupted(), signal.getsignal(signal.SIGINT)])

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert seen == [False, before]


class TestDuringTraining:
    @pytest.mark.parametrize(
        "call", [7, pytest.param(1, marks=_EXTENSIVE), pytest.param(STEPS, marks=_EXTENSIVE)]
    )
    def test_the_step_is_finished_saved_and_resumed(
        self, capture: Path, tmp_path: Path, uninterrupted: bytes, call: int
    ) -> None:
        output, checkpoint = tmp_path / "clip.dnv", tmp_path / "clip.work" / "checkpoint.npz"
        strike = Strike(_STEP, call, signal.SIGINT)
        stopped = Forks.shared().run(encode_arguments(capture, output), strike, every=_NEVER)
        assert stopped.status == 130
        assert stopped.stdout == ""
        assert stopped.stderr.splitlines()[-2:] == [_ADVICE, "dynerf: interrupted"]
        assert load_checkpoint(checkpoint).state["step"] == call
        assert not output.exists()
        resumed = Forks.shared().run(encode_arguments(capture, output, "--resume"), every=_NEVER)
        assert resumed.status == 0
        assert f"resuming after step {call} of {STEPS}" in resumed.stderr
        assert output.read_bytes() == uninterrupted
        assert not checkpoint.exists()

    def test_a_second_one_does_not_wait_for_the_step(self, capture: Path, tmp_path: Path) -> None:
        output = tmp_path / "clip.dnv"
        strikes = (
            Strike(_STEP, 7, signal.SIGINT),
            Strike("dynerf_encoder.step.cpu:CpuKernelStep._train_rays", 7, signal.SIGINT),
        )
        stopped = Forks.shared().run(encode_arguments(capture, output), *strikes, every=_NEVER)
        assert stopped.status == 130
        assert load_checkpoint(tmp_path / "clip.work" / "checkpoint.npz").state["step"] == 0
        assert not output.exists()


@pytest.mark.parametrize(
    "strike",
    [
        Strike("dynerf_encoder.frames.storing:_check_size", 8, signal.SIGINT),
        Strike("dynerf_format.container.writer:FileSource", 1, signal.SIGINT),
        pytest.param(
            Strike("dynerf_encoder.importance.build:ist_weights", 2, signal.SIGINT), marks=_EXTENSIVE
        ),
        pytest.param(
            Strike("dynerf_encoder.training.validation:HeldOutValidator.mean_psnr", 1, signal.SIGINT),
            marks=_EXTENSIVE,
        ),
    ],
    ids=lambda strike: strike.target.partition(":")[2],
)
def test_outside_training_it_stops_at_once_and_can_be_resumed(
    capture: Path, tmp_path: Path, uninterrupted: bytes, strike: Strike
) -> None:
    output = tmp_path / "clip.dnv"
    stopped = Forks.shared().run(encode_arguments(capture, output), strike, every=_NEVER)
    assert stopped.status == 130
    assert stopped.stderr.splitlines()[-2:] == [_ADVICE, "dynerf: interrupted"]
    assert not [path for path in tmp_path.rglob("*") if ".tmp-" in path.name or path == output]
    assert Forks.shared().run(encode_arguments(capture, output, "--resume"), every=_NEVER).status == 0
    assert output.read_bytes() == uninterrupted


@pytest.mark.long
def test_the_command_in_a_process_of_its_own(capture: Path, tmp_path: Path) -> None:
    output, log = tmp_path / "clip.dnv", tmp_path / "clip.log.jsonl"
    more = ("--set", "schedule.scale=20", "--time-limit", "10m")
    with subprocess.Popen(
        [sys.executable, "-m", "dynerf", *encode_arguments(capture, output, *more)],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 120
        while '"event": "step"' not in (log.read_text() if log.exists() else ""):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr.splitlines()[-2:] == [_ADVICE, "dynerf: interrupted"]
    state = load_checkpoint(tmp_path / "clip.work" / "checkpoint.npz").state
    assert 1 <= state["step"] < 20 * STEPS
    last = [json.loads(line) for line in log.read_text().splitlines()][-1]
    assert last["event"] != "done"
    again = encode_arguments(capture, output, *more, "--resume")
    resumed = Forks.shared().run(again, Strike(_STEP, 2), every=_NEVER)  # stop at the second step
    assert f"resuming after step {state['step']} of {20 * STEPS}" in resumed.stderr
