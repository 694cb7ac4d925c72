"""Torch operations on every texel of every plane: rounding, gradient of the rate term, total variation.

Planes are (..., channel, row, column); the leading dimensions are images. The kernels fold and update planes
with the same operations (``kernels/planes.py``).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_encoder.kernels.records import DEAD_ZONE

_DEAD_ZONE = float(DEAD_ZONE)
Planes = Float[Tensor, "*image channel row column"]
PerChannel = Float[Tensor, "*image channel 1 1"]


def round_planes(values: Planes, step: Tensor) -> tuple[Planes, PerChannel]:
    """Multiples of ``step`` and, for each channel, the sum of its symbols' magnitudes.

    Values are moved ``DEAD_ZONE`` steps towards zero before they are rounded: a symbol further from zero
    costs more bits, so it is chosen only where it is clearly nearer.
    """
    positions = values / step
    symbols = positions.sub_(positions.clamp(-_DEAD_ZONE, _DEAD_ZONE)).round_()
    return symbols * step, torch.linalg.vector_norm(symbols, ord=1, dim=(-2, -1), keepdim=True)


def add_plane_rate_gradient(gradient: Planes, values: Planes, step: Tensor, slope: PerChannel) -> None:
    """Add the gradient of the rate term: ``slope`` times the symbol, limited to -1 to 1."""
    gradient.add_((values / step).clamp_(-1, 1).mul_(slope))


def add_variation(gradient: Planes, values: Planes, weight: float) -> None:
    """Add the gradient of ``weight`` times the mean squared difference of neighbours, along either axis.

    Written by hand: autograd makes three times as many passes over all planes for the same result.
    """
    size = values.shape[-1]
    if size < 2:
        return
    factor = 2 * weight / (values.numel() // size * (size - 1))
    for axis in (-1, -2):
        change = values.diff(dim=axis).mul_(factor)
        gradient.narrow(axis, 1, size - 1).add_(change)
        gradient.narrow(axis, 0, size - 1).sub_(change)
