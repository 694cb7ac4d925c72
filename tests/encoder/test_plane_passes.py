"""One pass of a kernel is what torch's operations do in several."""

import pytest
import torch
from torch import Tensor

from dynerf_decoder.fields.planes import has_kernels
from dynerf_encoder.plane_passes import add_plane_price, add_variation, round_planes

_SHAPES = [(3, 7, 7, 4), (2, 3, 5, 5, 8), (3, 1, 1, 2), (4, 3, 2, 2, 1)]  # (..., row, column, channel)


def _pair(shape: tuple[int, ...], seed: int) -> tuple[Tensor, Tensor]:
    """The same numbers with channels innermost in memory and not."""
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).movedim(-1, -3)
    other = values.clone(memory_format=torch.contiguous_format)
    assert has_kernels(values)
    if values.shape[-3] > 1 and values.shape[-1] > 1:
        assert not has_kernels(other)
    return values, other


@pytest.mark.parametrize("shape", _SHAPES)
@pytest.mark.parametrize("from_known", [False, True])
def test_rounding(shape: tuple[int, ...], from_known: bool) -> None:
    step = torch.tensor(0.3)
    (values, plain), (known, plain_known) = _pair(shape, 1), _pair(shape, 2)
    symbols = (known.round(), plain_known.round()) if from_known else (None, None)
    rounded, magnitudes = round_planes(values, step, symbols[0])
    torch.testing.assert_close(rounded, (plain / step).round() * step)
    expected, expected_magnitudes = round_planes(plain, step, symbols[1])
    torch.testing.assert_close(rounded, expected)
    torch.testing.assert_close(magnitudes, expected_magnitudes)


@pytest.mark.parametrize("shape", _SHAPES)
@pytest.mark.parametrize("from_known", [False, True])
def test_price(shape: tuple[int, ...], from_known: bool) -> None:
    step = torch.tensor(0.3)
    (values, plain), (known, plain_known) = _pair(shape, 1), _pair(shape, 2)
    gradient, plain_gradient = _pair(shape, 3)
    symbols = (known.round(), plain_known.round()) if from_known else (None, None)
    price = torch.rand(*values.shape[:-2], 1, 1)
    origin = known.round() if from_known else torch.zeros_like(known)
    expected = gradient + (values / step - origin).clamp(-1, 1) * price
    add_plane_price(gradient, values, step, symbols[0], price)
    add_plane_price(plain_gradient, plain, step, symbols[1], price)
    torch.testing.assert_close(gradient, expected)
    torch.testing.assert_close(plain_gradient, expected)


@pytest.mark.parametrize("shape", _SHAPES)
def test_variation(shape: tuple[int, ...]) -> None:
    (values, plain), (gradient, plain_gradient) = _pair(shape, 1), _pair(shape, 3)
    add_variation(gradient, values, 0.7)
    add_variation(plain_gradient, plain, 0.7)
    torch.testing.assert_close(gradient, plain_gradient)
