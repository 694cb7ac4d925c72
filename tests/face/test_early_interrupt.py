"""Ctrl-C while the command is still loading: one line, status 130, at any moment."""

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
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # before that the interpreter handles it
    install = entry.end_on_interrupt

    def installed():
        install()
        print(flush=True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    entry.end_on_interrupt = installed
    entry.run()
"""


_MORE = [pytest.param(seconds, marks=pytest.mark.extensive) for seconds in (0.02, 0.3, 1.0)]


@pytest.mark.parametrize("seconds", [0, 0.1, 0.6, *_MORE])
def test_ctrl_c_while_loading_is_one_line(clip: Path, tmp_path: Path, seconds: float) -> None:
    words = ["decode", clip, "-o", tmp_path / "a.mp4", "--speed", "0.0001"]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_COMMAND), *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"
        time.sleep(seconds)
        process.send_signal(2)
        _, stderr = process.communicate(timeout=120)
    assert (process.returncode, stderr) == (130, "dynerf: interrupted\n")
    assert not (tmp_path / "a.mp4").exists()
