"""``dynerf serve`` as a command: its address, signals, and what it refuses."""

import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from support.command import run


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.extensive), signal.SIGTERM])
def test_prints_its_address_and_exits_on_signals(clip: Path, tmp_path: Path, number: int) -> None:
    shutil.copy(clip, tmp_path / "a b.dnv")
    command = [sys.executable, "-m", "dynerf", "serve", str(tmp_path), "--port", "0", "--device", "cpu"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.fullmatch(r"dynerf: serving (http://127\.0\.0\.1:\d+/)\n", line)
    assert found, line
    with urllib.request.urlopen(found[1] + "clips/a%20b.dnv", timeout=120) as response:
        assert response.read() == clip.read_bytes()
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("missing.dnv", "no such file or folder"),
        ("{bad}", "bad.dnv: not a .dnv file"),
        ("{clip} --tls-cert x.pem", "both or neither"),
        ("{clip} --tls-cert x.pem --tls-key y.pem", "not a valid certificate and key"),
        ("{clip} --allow-origin evil", "expected * or an origin"),
        ("{clip} --host 203.0.113.7", "cannot listen there"),
        ("{clip} --port 70000", "70000"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(
    clip: Path, tmp_path: Path, arguments: str, found: str
) -> None:
    bad = tmp_path / "bad.dnv"
    bad.write_bytes(b"no clip at all")
    ran = run("serve", *arguments.format(clip=clip, bad=bad).split(), "--device", "cpu")
    assert (ran.status, ran.err.count("\n")) == (2, 1), ran.err
    assert found in ran.err
