"""The machine: its name, its clock, its memory, and the most it can move and multiply."""

import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

_COPY_BYTES = {"cpu": 2**27, "cuda": 2**30}
_MATRIX = {"cpu": 1536, "cuda": 8192}
_REPEATS = 5  # the best one counts: a ceiling is what the machine reaches when nothing is in the way


@dataclass(frozen=True)
class Ceilings:
    """The most one device does: bytes per second, read and written; float32 operations per second."""

    bytes_per_s: float
    flops_per_s: float


def now(device: torch.device) -> float:
    """Seconds on a clock that only goes forwards, once the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def measure_ceilings(device: torch.device) -> dict[str, Ceilings]:
    """Of a device and of the CPU, where pictures are converted and coded, by type of device."""
    devices = {"cpu": torch.device("cpu"), device.type: device}
    return {kind: _measured(device) for kind, device in devices.items()}


def _measured(device: torch.device) -> Ceilings:
    """A copy too large for the caches (its bytes are read and written), a product of two square matrices.

    Both in float32, the product with TF32 or not as torch is set, as everywhere in dynerf.
    """
    source = torch.ones(_COPY_BYTES[device.type] // 4, device=device)
    target = torch.zeros_like(source)
    copied = 2 * source.nbytes / _best(lambda: target.copy_(source), device)
    del source, target
    side = _MATRIX[device.type]
    matrix, product = torch.ones(side, side, device=device), torch.empty(side, side, device=device)
    multiplied = 2 * side**3 / _best(lambda: torch.mm(matrix, matrix, out=product), device)
    return Ceilings(copied, multiplied)


def _best(work: Callable[[], object], device: torch.device) -> float:
    work()
    times = []
    for _ in range(_REPEATS):
        started = now(device)
        work()
        times.append(now(device) - started)
    return min(times)


def describe_machine(device: torch.device) -> str:
    """One line: processor, cores, threads, GPU, versions."""
    parts = [
        _processor(),
        f"{os.cpu_count()} cores",
        f"{torch.get_num_threads()} thread(s)",
        *([torch.cuda.get_device_name(device)] if device.type == "cuda" else []),
        f"torch {torch.__version__}",
        f"Python {platform.python_version()}",
        platform.system(),
    ]
    return ", ".join(parts)


def _processor() -> str:
    """The processor's own name where the system tells it, else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({platform.machine()})" if names and names[0] else platform.machine()


def peak_memory() -> int:
    """The most bytes of main memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def peak_device_memory(device: torch.device) -> int | None:
    """The most bytes that torch has held on the GPU; None without one."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
