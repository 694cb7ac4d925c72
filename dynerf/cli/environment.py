"""Sets environment variables that torch reads when it is loaded.

On a CPU, OpenMP threads that spin while they wait, and an allocator that returns every large block to the
kernel, each make elementwise operations an order of magnitude slower. oneDNN and torch cache a primitive per
shape of a matrix product, 1,024 of each by default; free viewpoints produce ever new shapes, so a server
would grow by some 2 GB without being faster. All are read once, at load time, so the command re-executes
itself with them set. Variables set by the user are kept.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

CPU_SETTINGS = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",
    "LRU_CACHE_CAPACITY": "64",
}
_CUDA_DRIVER = Path("/proc/driver/nvidia/version")


def prepare_environment(argv: Sequence[str]) -> None:
    """Re-execute the process with the CPU settings, once, if they are missing and no GPU will be used."""
    _release_signals()
    gpu = _CUDA_DRIVER.exists() and not {"cpu", "--device=cpu"} & set(argv)
    missing = {name: value for name, value in CPU_SETTINGS.items() if name not in os.environ}
    if gpu or not missing or not sys.orig_argv or "torch" in sys.modules:
        return
    os.environ.update(missing)
    _hold_signals()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _hold_signals() -> None:
    """Block both until the new process has handlers: the interpreter's of Ctrl-C prints a traceback."""
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})


def _release_signals() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
