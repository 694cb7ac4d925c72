"""LPIPS with random weights compared with the definition in plain layers; and invalid weight files."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dynerf_encoder.evaluation.lpips import MIN_SIZE, Lpips, expected_shapes
from dynerf_format.errors import ConfigError

_POOL, _RELU = "pool", "relu"
# As in torchvision: (inputs, outputs, size, stride, padding), and the activations that LPIPS compares.
_ALEX: list[tuple[int, ...] | str] = [
    (3, 64, 11, 4, 2), _RELU, _POOL, (64, 192, 5, 1, 2), _RELU, _POOL, (192, 384, 3, 1, 1), _RELU,
    (384, 256, 3, 1, 1), _RELU, (256, 256, 3, 1, 1), _RELU,
]  # fmt: skip
_VGG: list[tuple[int, ...] | str] = []
for _before, _after in ((3, 64), (64, 128), (128, 256), (256, 512), (512, 512)):
    _VGG += [(_before, _after, 3, 1, 1), _RELU, (_after, _after, 3, 1, 1), _RELU]
    _VGG += [(_after, _after, 3, 1, 1), _RELU] if _after > 128 else []
    _VGG += [_POOL]
_COMPARED = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}


def _weights(name: str) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for tensor, shape in expected_shapes(name).items():
        sigma = (2 / math.prod(shape[1:])) ** 0.5  # preserves the variance of activations through the layers
        tensors[tensor] = sigma * torch.randn(shape, generator=generator)
        if tensor.startswith("lin"):
            tensors[tensor] = tensors[tensor].abs()
    return tensors


def _features(name: str, weights: dict[str, Tensor]) -> nn.Sequential:
    """The network with torchvision's layer numbers."""
    layers: list[nn.Module] = []
    for part in _ALEX if name == "alex" else _VGG:
        if part == _POOL:
            layers.append(nn.MaxPool2d(3, 2) if name == "alex" else nn.MaxPool2d(2, 2))
        elif part == _RELU:
            layers.append(nn.ReLU())
        else:
            inputs, outputs, size, stride, padding = (int(number) for number in part)
            layers.append(nn.Conv2d(inputs, outputs, size, stride, padding))
    network = nn.Sequential(*layers)
    for tensor, value in weights.items():
        if tensor.startswith("net."):
            _, _, number, kind = tensor.split(".")
            getattr(network[int(number)], kind).data = value
    return network


def _truth(name: str, weights: dict[str, Tensor], a: Tensor, b: Tensor) -> float:
    """The paper's definition, with unit-length vectors per pixel."""
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
    x, y = ((2 * picture.permute(2, 0, 1)[None] - 1 - shift) / scale for picture in (a, b))
    total, compared = 0.0, 0
    for number, layer in enumerate(_features(name, weights)):
        x, y = layer(x), layer(y)
        if number in _COMPARED[name]:
            unit = [value / (value.norm(dim=1, keepdim=True) + 1e-10) for value in (x, y)]
            weighted = weights[f"lin{compared}.model.1.weight"] * (unit[0] - unit[1]) ** 2
            total += float(weighted.sum(dim=1).mean())
            compared += 1
    return total


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    paths = {name: folder / f"{name}.safetensors" for name in ("alex", "vgg")}
    for name, path in paths.items():
        save_file(_weights(name), path)
    return paths


def _noisy(height: int = 40, width: int = 48) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    a = torch.rand(height, width, 3, generator=generator)
    return a, (a + 0.2 * torch.randn(a.shape, generator=generator)).clamp(0, 1)


@pytest.mark.parametrize("name", ["alex", "vgg"])
class TestDistance:
    @torch.no_grad()
    def test_is_the_papers_formula(self, files: dict[str, Path], name: str) -> None:
        lpips = Lpips.load(files[name])
        assert lpips.name == name
        a, b = _noisy()
        expected = _truth(name, _weights(name), a, b)
        assert expected > 0.01
        assert lpips(a, b) == pytest.approx(expected, rel=1e-4)
        assert lpips(a, a) == 0

    def test_pictures_too_small_for_the_network_have_none(self, files: dict[str, Path], name: str) -> None:
        lpips, smallest = Lpips.load(files[name]), MIN_SIZE[name]
        assert lpips(*_noisy(smallest, smallest)) is not None
        assert lpips(*_noisy(smallest - 1, 64)) is None


class TestWeightFiles:
    def test_a_missing_file_or_another_format(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"no\.safetensors: is not a readable safetensors file"):
            Lpips.load(tmp_path / "no.safetensors")
        (tmp_path / "long.safetensors").write_bytes(b"\xff" * 64)
        with pytest.raises(ConfigError, match="is not a readable safetensors file"):
            Lpips.load(tmp_path / "long.safetensors")

    def test_tensors_that_are_missing_or_of_another_shape(self, tmp_path: Path) -> None:
        path = tmp_path / "weights.safetensors"
        weights = _weights("alex")
        save_file({name: value for name, value in weights.items() if name != "lin2.model.1.weight"}, path)
        with pytest.raises(
            ConfigError, match=r"lin2\.model\.1\.weight is missing; expected the LPIPS weights"
        ):
            Lpips.load(path)
        save_file(weights | {"net.slice1.0.bias": torch.zeros(3)}, path)
        with pytest.raises(ConfigError, match=r"net\.slice1\.0\.bias has shape \(3,\), expected \(64,\)"):
            Lpips.load(path)
        save_file(weights | {"net.slice1.0.bias": torch.full((64,), torch.nan)}, path)
        with pytest.raises(ConfigError, match=r"net\.slice1\.0\.bias holds numbers that are not finite"):
            Lpips.load(path)
