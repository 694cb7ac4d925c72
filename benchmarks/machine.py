"""Describes the machine: name, clock, memory, and ceilings of bandwidth and arithmetic."""

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
_REPEATS = 5  # the best one counts


@dataclass(frozen=True)
class Ceilings:
    """Peak rates of a device: bytes per second, read and written; float32 operations per second."""

    bytes_per_s: float
    flops_per_s: float


def now(device: torch.device) -> float:
    """Seconds on a monotonic clock, after synchronising with the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def measure_ceilings(device: torch.device) -> dict[str, Ceilings]:
    """Ceilings of a device and of the CPU, which converts and codes frames, by type of device."""
    devices = {"cpu": torch.device("cpu"), device.type: device}
    return {kind: _measured(device) for kind, device in devices.items()}


def _measured(device: torch.device) -> Ceilings:
    """Time a copy larger than the caches (bytes read and written) and a product of two square matrices.

    Both in float32; TF32 as torch is configured.
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
    """The processor's name if the system reports it, else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({platform.machine()})" if names and names[0] else platform.machine()


def peak_memory() -> int:
    """Peak main memory of this process in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def peak_device_memory(device: torch.device) -> int | None:
    """Peak GPU memory allocated by torch in bytes; None without a GPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
