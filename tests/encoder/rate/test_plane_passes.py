"""Torch operations on planes, against loops over texels."""

import math

import pytest
import torch
from torch import Tensor

from dynerf_encoder.rate.plane_passes import add_plane_rate_gradient, add_variation, round_planes

_SHAPES = [(3, 4, 7, 7), (2, 3, 8, 5, 5), (3, 2, 1, 1)]  # (..., channel, row, column)


def _random(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _symbol(position: float) -> int:
    """Rounded towards zero up to 0.62 steps beyond a symbol, upwards from there."""
    return int(math.copysign(math.floor(abs(position) + 0.5 - 0.12), position)) if abs(position) > 0.12 else 0


@pytest.mark.parametrize("shape", _SHAPES)
def test_symbols_and_the_rate_gradient_are_per_channel(shape: tuple[int, ...]) -> None:
    values, gradient, step = _random(shape, 1), _random(shape, 2), torch.tensor(0.3)
    slope = torch.rand(*shape[:-2], 1, 1)
    rounded, magnitudes = round_planes(values, step)
    expected = [_symbol(float(value) / 0.3) for value in values.flatten()]
    torch.testing.assert_close(rounded.flatten(), 0.3 * torch.tensor(expected, dtype=torch.float32))
    counted = torch.tensor(expected).view(shape).abs().sum(dim=(-2, -1), keepdim=True)
    torch.testing.assert_close(magnitudes, counted.float())
    result = gradient.clone()
    add_plane_rate_gradient(result, values, step, slope)
    ramps = torch.tensor([min(max(float(value) / 0.3, -1.0), 1.0) for value in values.flatten()])
    torch.testing.assert_close(result, gradient + ramps.view(shape) * slope)


@pytest.mark.parametrize("shape", _SHAPES)
def test_variation_is_the_gradient_of_the_mean_squared_difference(shape: tuple[int, ...]) -> None:
    values, gradient = _random(shape, 1).requires_grad_(), _random(shape, 2)
    found = gradient.clone()
    add_variation(found, values.detach(), 0.7)
    differences = [values.diff(dim=axis).square() for axis in (-1, -2)]
    if differences[0].numel() > 0:
        sum(0.7 * each.mean() for each in differences).backward()  # type: ignore[union-attr]
        assert values.grad is not None
        gradient = gradient + values.grad
    torch.testing.assert_close(found, gradient)
