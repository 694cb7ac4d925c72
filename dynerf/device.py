"""Which device to compute on."""

from dynerf_format.errors import ConfigError


def choose_device(asked: str) -> str:
    """``auto`` is cuda where there is one, else cpu. Raises ConfigError when cuda is asked for in vain."""
    import torch

    available = torch.cuda.is_available()
    if asked == "cuda" and not available:
        raise ConfigError("--device cuda: this torch finds no CUDA device; use --device cpu or auto")
    return "cuda" if available and asked != "cpu" else "cpu"
