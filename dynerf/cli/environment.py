"""Settings that must be in the environment before torch is loaded.

On a CPU, OpenMP threads that spin while they wait, and an allocator that hands every large block back to the
kernel, each make elementwise operations an order of magnitude slower. oneDNN and torch keep what they
prepared for each shape of a matrix product, 1,024 of each by default; pictures from anywhere have ever new
shapes, so a server would grow by some 2 GB and be no faster. All are read once, at load time, so the command
starts itself again with them set. What the user has set is left alone.
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
    """Start the process again with CPU settings, once, if they are missing and no GPU will be used."""
    _release_interrupts()
    gpu = _CUDA_DRIVER.exists() and not {"cpu", "--device=cpu"} & set(argv)
    missing = {name: value for name, value in CPU_SETTINGS.items() if name not in os.environ}
    if gpu or not missing or not sys.orig_argv or "torch" in sys.modules:
        return
    os.environ.update(missing)
    _hold_interrupts()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _hold_interrupts() -> None:
    """Ctrl-C waits until the new process has a handler: its interpreter's own would print a traceback."""
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _release_interrupts() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
