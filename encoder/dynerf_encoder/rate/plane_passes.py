"""What every step does to every texel of every plane: rounding, the price of bits, smoothness.

Planes are (..., channel, row, column), images all that comes before. The step by kernels does the same while
it folds and updates planes (``kernels/planes.py``).
"""

import torch
from jaxtyping import Float
from torch import Tensor

Planes = Float[Tensor, "*image channel row column"]
PerChannel = Float[Tensor, "*image channel 1 1"]


def round_planes(values: Planes, step: Tensor) -> tuple[Planes, PerChannel]:
    """Multiples of ``step`` and, of each channel, the sum of its symbols' magnitudes."""
    symbols = (values / step).round_()
    return symbols * step, torch.linalg.vector_norm(symbols, ord=1, dim=(-2, -1), keepdim=True)


def add_plane_price(gradient: Planes, values: Planes, step: Tensor, price: PerChannel) -> None:
    """Add to ``gradient`` the price times how far a symbol is from zero, at most one step."""
    gradient.add_((values / step).clamp_(-1, 1).mul_(price))


def add_variation(gradient: Planes, values: Planes, weight: float) -> None:
    """Add the gradient of ``weight`` times the mean squared difference of neighbours, along either axis.

    Written out, because autograd makes three times as many passes over all planes for the same numbers.
    """
    size = values.shape[-1]
    if size < 2:
        return
    factor = 2 * weight / (values.numel() // size * (size - 1))
    for axis in (-1, -2):
        change = values.diff(dim=axis).mul_(factor)
        gradient.narrow(axis, 1, size - 1).add_(change)
        gradient.narrow(axis, 0, size - 1).sub_(change)
