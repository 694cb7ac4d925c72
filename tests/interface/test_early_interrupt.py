"""Signals while the command is still loading end it at any moment, in one line for Ctrl-C."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

_COMMAND = """
    import signal
    from dynerf import entry

    signal.signal(signal.SIGINT, signal.default_int_handler)  # may be inherited as ignored
    both = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, both)  # before that the interpreter handles them
    install = entry.end_on_signals

    def installed():
        install()
        print(flush=True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, both)

    entry.end_on_signals = installed
    entry.run()
"""


_MORE = [pytest.param(seconds, marks=pytest.mark.extensive) for seconds in (0.02, 0.3, 1.0)]


@pytest.mark.parametrize("seconds", [0, 0.1, 0.6, *_MORE])
def test_ctrl_c_while_loading_is_one_line(clip: Path, tmp_path: Path, seconds: float) -> None:
    assert _signalled(clip, tmp_path, seconds, signal.SIGINT) == (130, "dynerf: interrupted\n")


def test_a_termination_while_loading_is_not_lost(clip: Path, tmp_path: Path) -> None:
    assert _signalled(clip, tmp_path, 0.3, signal.SIGTERM) == (143, "")


def test_an_import_that_suppresses_exceptions_does_not_suppress_a_termination() -> None:
    code = """
        import os, signal
        from dynerf.interrupt import end_on_signals

        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        end_on_signals()
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except BaseException:
            pass
        print("suppressed")
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (143, "", "")


def _signalled(clip: Path, tmp_path: Path, seconds: float, number: int) -> tuple[int, str]:
    """Exit status and messages of a command that is signalled a time after its start."""
    words = ["decode", clip, "-o", tmp_path / "a.mp4", "--speed", "0.0001"]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_COMMAND), *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"
        time.sleep(seconds)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=120)
    assert not (tmp_path / "a.mp4").exists()
    return process.returncode, stderr
