"""Starts child processes for requests, reports progress, and turns their end into errors."""

import contextlib
import importlib.util
import json
import os
import re
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dynerf_format.errors import CaptureError, ConfigError

from .child import READY

_LONGEST = 300  # characters of a child's last message
_FATAL = re.compile(r"^F[0-9]{8} |what\(\):|Error:|Check failed")
_FRAME = re.compile(r"^\s*@ |^\*\*\*|^\x1b\[m?$|^PC:")  # of a stack trace
_INSTALL = "pip install 'dynerf[calibrate]'"


def installed() -> bool:
    """Whether pycolmap is installed."""
    return importlib.util.find_spec("pycolmap") is not None


def check_installed() -> None:
    """ConfigError with the remedy when pycolmap is not installed."""
    if not installed():
        raise ConfigError(
            f"dynerf calibrate needs pycolmap, which is not installed: {_INSTALL} (wheels exist for Linux on "
            "x86-64, Windows and macOS on Apple silicon; elsewhere build COLMAP's Python package from source)"
        )


@dataclass(eq=False)
class _Child:
    process: "subprocess.Popen[bytes]"
    index: int
    log: Path


def run_children(
    task: str, requests: Sequence[dict[str, Any]], threads: int, progress: Callable[[int], None]
) -> list[str | None]:
    """Run each request in a child of its own, ``threads`` at once; what went wrong in each, or None.

    ``progress`` receives the number of units that are finished so far. An exception here ends all children.
    """
    ends: list[str | None] = [None] * len(requests)
    done, waiting = 0, list(enumerate(requests))
    with TemporaryDirectory(prefix="dynerf-calibrate-") as folder, selectors.DefaultSelector() as selector:
        running: list[_Child] = []
        try:
            while waiting or running:
                while waiting and len(running) < max(threads, 1):
                    child = _start(task, *waiting.pop(0), Path(folder))
                    running.append(child)
                    selector.register(_output(child), selectors.EVENT_READ, child)
                for key, _ in selector.select():
                    data = os.read(key.fd, 4096)
                    if data:
                        done += data.count(READY.encode())
                        progress(done)
                        continue
                    selector.unregister(key.fileobj)
                    running.remove(key.data)
                    ends[key.data.index] = _end(key.data)
        finally:
            for child in running:
                _stop(child)
    return ends


def check_all_succeeded(ends: Sequence[str | None], what: str) -> None:
    """CaptureError when a child failed."""
    for end in ends:
        if end is not None:
            raise CaptureError(f"{what}: {end}")


def _start(task: str, index: int, request: dict[str, Any], folder: Path) -> _Child:
    file, log = folder / f"{index}.json", folder / f"{index}.log"
    file.write_text(json.dumps(request), encoding="utf-8")
    # One thread each: several would compete with the other children, and change the order of sums.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dynerf_encoder.calibration.colmap.child", task, str(file)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, env=environment,
        )  # fmt: skip
    return _Child(process, index, log)


def _output(child: _Child) -> Any:
    return child.process.stdout


def _end(child: _Child) -> str | None:
    """Wait for a child whose output has ended; what went wrong."""
    status = child.process.wait()
    _stop(child)
    if status == 0:
        return None
    ended = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    return f"pycolmap's process ended with {ended}: {_last_words(child.log)}"


def _last_words(log: Path) -> str:
    """The line of a log that says why the process ended."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    lines = [line for line in lines if line and not _FRAME.search(line)]
    fatal = [line for line in lines if _FATAL.search(line)]
    return " ".join((fatal or lines or ["without a message"])[-1].split())[:_LONGEST]


def _stop(child: _Child) -> None:
    child.process.kill()
    child.process.wait()
    for stream in (child.process.stdin, child.process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Consecutive parts of at most ``size`` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
