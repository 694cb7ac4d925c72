"""Child processes: what ends them is reported, and they do not outlive their parent."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from dynerf_encoder.calibration.colmap.run_children import check_all_succeeded, check_installed, run_children
from dynerf_format.errors import CaptureError, ConfigError


def _stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Run a script in place of the child's module."""
    script = tmp_path / "child.py"
    script.write_text(f"import json, os, sys, time\nrequest = json.load(open(sys.argv[2]))\n{body}\n")
    popen = subprocess.Popen

    def start(arguments: list[str], **options: object) -> object:
        return popen([sys.executable, str(script), *arguments[-2:]], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(f"{run_children.__module__}.subprocess.Popen", start)


def test_units_of_all_children_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in(tmp_path, monkeypatch, "for item in request['items']: print('done', flush=True)")
    counts: list[int] = []
    ends = run_children("x", [{"items": [1, 2]}, {"items": [3]}, {"items": [4]}], 2, counts.append)
    assert ends == [None, None, None]
    assert counts[-1] == 4


def test_an_abort_is_reported_with_the_reason_and_the_others_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = (
        "if request['items'] == [1]:\n"
        "    print('F20261126 mapper.cc:1] Check failed: a > b', file=sys.stderr, flush=True)\n"
        "    print('    @ 0x7f libc', file=sys.stderr, flush=True)\n"
        "    os.abort()\n"
        "print('done')"
    )
    _stand_in(tmp_path, monkeypatch, body)
    ends = run_children("x", [{"items": [1]}, {"items": [2]}], 1, lambda _done: None)
    assert ends[1] is None
    assert ends[0] is not None and "signal SIGABRT" in ends[0] and ends[0].endswith("Check failed: a > b")
    with pytest.raises(CaptureError, match="poses: pycolmap's process ended with signal SIGABRT"):
        check_all_succeeded(ends, "poses")


def test_an_interruption_ends_all_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in(
        tmp_path,
        monkeypatch,
        f"open(r'{tmp_path}/' + str(os.getpid()) + '.pid', 'w')\nprint('done', flush=True)\ntime.sleep(600)",
    )

    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_children("x", [{"items": [1]}, {"items": [2]}], 2, interrupt)
    assert not any(_alive(int(path.stem)) for path in tmp_path.glob("*.pid"))


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    pytest.importorskip("pycolmap")
    request = tmp_path / "request.json"
    request.write_text('{"items": []}')
    command = (
        "import threading, time, sys; sys.argv = ['child', 'solve', sys.argv[1]];"
        "from dynerf_encoder.calibration.colmap import child;"
        "threading.Thread(target=child._end_with_parent, daemon=True).start(); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", command, str(request)], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=120) == 1


def test_without_pycolmap_the_install_line_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"needs pycolmap, .*: pip install 'dynerf\[calibrate\]'"):
        check_installed()


def _alive(number: int) -> bool:
    status = Path(f"/proc/{number}/status")
    for _ in range(50):
        if not status.exists() or "State:\tZ" in status.read_text():
            return False
        time.sleep(0.1)
    return True
