"""Chooses the device to compute on."""

import re

from dynerf_format.errors import ConfigError

_KNOWN = re.compile(r"auto|cpu|cuda(:[0-9]{1,3})?")


def choose_device(name: str) -> str:
    """Resolve ``auto`` to cuda if available, else cpu. Raises ConfigError for an unknown device."""
    import torch

    if _KNOWN.fullmatch(name) is None:
        raise ConfigError(f"device {name[:40]!r}: expected auto, cpu, cuda or cuda:N")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda" if count else "cpu"
    if name.startswith("cuda") and not count:
        raise ConfigError(f"--device {name}: torch finds no CUDA device; use --device cpu or auto")
    if int(name.partition(":")[2] or 0) >= max(count, 1):
        raise ConfigError(f"device {name}: torch finds {count} CUDA devices")
    return name
