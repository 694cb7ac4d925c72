"""The memory of an encode does not grow with the length of the recording.

Pictures and importance maps are memory-mapped files, whose pages the kernel can reclaim.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.encoding import encode_arguments, write_scene
from support.video import ROOT

_FRAMES, _TIMES = 5, 10
_SIZE = {"width": 240, "height": 180}
# Encodes the captures one after the other; prints the most anonymous memory up to the end of each, KiB.
_CODE = """
import json, sys, threading, time
from dynerf.cli.main import main

most = 0
def poll():
    global most
    while True:
        text = open("/proc/self/status").read()
        most = max(most, int(text.partition("RssAnon:")[2].split()[0]))
        time.sleep(0.005)

threading.Thread(target=poll, daemon=True).start()
for arguments in json.loads(sys.argv[1]):
    assert main(arguments) == 0
    print(most)
"""


@pytest.mark.extensive
@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_ten_times_longer_recording_takes_no_more_memory(tmp_path: Path) -> None:
    jobs: list[list[str]] = []
    for times in (1, 1, _TIMES):  # the first run also loads and compiles
        folder = tmp_path / str(len(jobs))
        capture = write_scene(folder / "scene", frames=times * _FRAMES, **_SIZE)
        jobs.append(encode_arguments(capture, folder / "clip.dnv", "--segment", "100000f"))
    packages = [str(ROOT / package) for package in ("encoder", "decoder", "format", ".")]
    ran = subprocess.run(
        [sys.executable, "-c", _CODE, json.dumps(jobs)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(packages)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    _, short, long = (1024 * int(word) for word in ran.stdout.split())
    stored = sum(path.stat().st_size for path in (tmp_path / "2" / "clip.work").rglob("*") if path.is_file())
    pictures = 4 * 3 * _TIMES * _FRAMES * _SIZE["width"] * _SIZE["height"]
    assert stored > pictures
    assert long - short < 0.25 * stored  # less than the maps alone; the allocator may keep some megabytes
    assert long < 1.1 * short
