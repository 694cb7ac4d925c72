"""LPIPS (Zhang et al., 2018, version 0.1): the distance of two pictures in the features of a trained network.

    d(x, y) = sum over layers l of mean over pixels of  w_l . (f_l(x) - f_l(y))^2

f_l are the activations of AlexNet or VGG-16 after five of their ReLUs, normalised to unit length per pixel;
w_l are learned and not negative. Pictures are RGB in 0..1 and are first scaled to the network's range.

The weights (AlexNet 10 MB, VGG-16 59 MB) are never downloaded: the user provides a safetensors file with the
tensors of the reference implementation's ``LPIPS`` module, under its names, which identify the network. The
file is not trusted: names and shapes are checked before a tensor is read, and it contains no code.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor

from dynerf_format.errors import ConfigError

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_EPSILON = 1e-10


@dataclass(frozen=True)
class _Layer:
    """A convolution called ``tensor`` with its ReLU; ``pool`` is the max pooling before it (size, stride).

    ``compared`` is whether its activations are among the f_l.
    """

    tensor: str
    inputs: int
    outputs: int
    size: int = 3
    stride: int = 1
    padding: int = 1
    pool: tuple[int, int] | None = None
    compared: bool = False


_ALEX = (
    _Layer("net.slice1.0", 3, 64, 11, 4, 2, compared=True),
    _Layer("net.slice2.3", 64, 192, 5, 1, 2, pool=(3, 2), compared=True),
    _Layer("net.slice3.6", 192, 384, pool=(3, 2), compared=True),
    _Layer("net.slice4.8", 384, 256, compared=True),
    _Layer("net.slice5.10", 256, 256, compared=True),
)
_VGG = (
    _Layer("net.slice1.0", 3, 64),
    _Layer("net.slice1.2", 64, 64, compared=True),
    _Layer("net.slice2.5", 64, 128, pool=(2, 2)),
    _Layer("net.slice2.7", 128, 128, compared=True),
    _Layer("net.slice3.10", 128, 256, pool=(2, 2)),
    _Layer("net.slice3.12", 256, 256),
    _Layer("net.slice3.14", 256, 256, compared=True),
    _Layer("net.slice4.17", 256, 512, pool=(2, 2)),
    _Layer("net.slice4.19", 512, 512),
    _Layer("net.slice4.21", 512, 512, compared=True),
    _Layer("net.slice5.24", 512, 512, pool=(2, 2)),
    _Layer("net.slice5.26", 512, 512),
    _Layer("net.slice5.28", 512, 512, compared=True),
)
NETWORKS = {"alex": _ALEX, "vgg": _VGG}
MIN_SIZE = {"alex": 31, "vgg": 16}
"""Pixels per side that a picture needs for the network's last layer not to be empty."""


class Lpips:
    """One network with its weights; ``name`` is "alex" or "vgg"."""

    def __init__(self, name: str, tensors: dict[str, Tensor]) -> None:
        self.name = name
        self._tensors = tensors

    @classmethod
    def load(cls, path: Path, device: torch.device | str = "cpu") -> "Lpips":
        """Read the weights. Raises ConfigError: package or file missing, damaged, other names or shapes."""
        try:
            from safetensors import SafetensorError, safe_open
        except ImportError as error:
            raise ConfigError("--lpips-weights needs the package safetensors: dynerf[metrics]") from error
        try:
            path.open("rb").close()  # safe_open reports every failure as a missing file
            with safe_open(path, framework="pt") as file:
                names = set(file.keys())
                name = "vgg" if "net.slice1.2.weight" in names else "alex"
                tensors = {}
                for tensor, shape in expected_shapes(name).items():
                    if tensor not in names:
                        raise ConfigError(
                            f"{path}: {tensor} is missing; expected the LPIPS weights of {name}"
                        )
                    found = tuple(file.get_slice(tensor).get_shape())
                    if found != shape:
                        raise ConfigError(f"{path}: {tensor} has shape {found}, expected {shape}")
                    tensors[tensor] = file.get_tensor(tensor).to(device, torch.float32)
                    if not tensors[tensor].isfinite().all():
                        raise ConfigError(f"{path}: {tensor} holds numbers that are not finite")
        except (OSError, SafetensorError) as error:
            raise ConfigError(f"{path}: is not a readable safetensors file: {error}") from error
        return cls(name, tensors)

    @torch.no_grad()
    def __call__(
        self, a: Float[Tensor, "height width 3"], b: Float[Tensor, "height width 3"]
    ) -> float | None:
        """The distance, 0 for equal pictures; None for pictures that are too small for the network."""
        if min(a.shape[:2]) < MIN_SIZE[self.name]:
            return None
        device = self._tensors["lin0.model.1.weight"].device
        hidden = torch.stack([a, b]).to(device, torch.float32).permute(0, 3, 1, 2)
        shift, scale = (torch.tensor(values, device=device).view(3, 1, 1) for values in (_SHIFT, _SCALE))
        hidden = (2 * hidden - 1 - shift) / scale
        distance, compared = 0.0, 0
        for layer in NETWORKS[self.name]:
            if layer.pool is not None:
                hidden = F.max_pool2d(hidden, *layer.pool)
            weight, bias = self._tensors[f"{layer.tensor}.weight"], self._tensors[f"{layer.tensor}.bias"]
            hidden = F.relu(F.conv2d(hidden, weight, bias, layer.stride, layer.padding))
            if layer.compared:
                distance += self._layer_distance(hidden, compared)
                compared += 1
        return distance

    def _layer_distance(self, activations: Float[Tensor, "2 channel height width"], number: int) -> float:
        unit = activations / (activations.square().sum(dim=1, keepdim=True).sqrt() + _EPSILON)
        difference = (unit[0] - unit[1]).square()
        weights = self._tensors[f"lin{number}.model.1.weight"].view(-1, 1, 1)
        return float((weights * difference).sum(dim=0).mean())


def expected_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors of a network."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in NETWORKS[name]:
        shapes[f"{layer.tensor}.weight"] = (layer.outputs, layer.inputs, layer.size, layer.size)
        shapes[f"{layer.tensor}.bias"] = (layer.outputs,)
    compared = [layer for layer in NETWORKS[name] if layer.compared]
    for number, layer in enumerate(compared):
        shapes[f"lin{number}.model.1.weight"] = (1, layer.outputs, 1, 1)
    return shapes
