"""What every step does to every texel of every plane: rounding, the price of bits, smoothness.

Planes are (..., channel, row, column), images all that comes before. On a CPU, where planes lie in memory
with channels last, kernels make one pass of each; torch's operations, which make three or four, serve all
else and are the kernels' reference.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.fields.planes import has_kernels
from dynerf_decoder.threads import in_threads

Planes = Float[Tensor, "*image channel row column"]
PerChannel = Float[Tensor, "*image channel 1 1"]

_NONE = np.empty(0, np.float32)


def round_planes(values: Planes, step: Tensor, known: Planes | None) -> tuple[Planes, PerChannel]:
    """Multiples of ``step`` and, of each channel, its symbols' magnitudes summed, counted from ``known``."""
    if not has_kernels(values):
        symbols = (values / step).round_()
        counted = symbols if known is None else symbols - known
        total = torch.linalg.vector_norm(counted, ord=1, dim=(-2, -1), keepdim=True)
        return symbols * step, total
    from .kernels.passes import round_image

    result, total = torch.empty_like(values), values.new_empty(*values.shape[:-2], 1, 1)
    images, out, start = _images(values), _images(result), _known(known)
    sums = total.view(-1, _channels(values)).numpy()

    def work(index: int) -> None:
        round_image(_like(values), images[index], start(index), np.float32(step), out[index], sums[index])

    in_threads(work, range(len(images)))
    return result, total


def add_plane_price(
    gradient: Planes, values: Planes, step: Tensor, known: Planes | None, price: PerChannel
) -> None:
    """Add to ``gradient`` the price times how far a symbol is from ``known``, at most one step."""
    if not (has_kernels(values) and gradient.stride() == values.stride()):
        position = values / step if known is None else values / step - known
        gradient.add_(position.clamp_(-1, 1).mul_(price))
        return
    from .kernels.passes import price_image

    prices = price.reshape(-1, _channels(values)).numpy()
    images, out, start = _images(values), _images(gradient), _known(known)

    def work(index: int) -> None:
        price_image(_like(values), images[index], start(index), np.float32(step), prices[index], out[index])

    in_threads(work, range(len(images)))


def add_variation(gradient: Planes, values: Planes, weight: float) -> None:
    """Add the gradient of ``weight`` times the mean squared difference of neighbours, along either axis.

    Written out, because autograd makes three times as many passes over all planes for the same numbers.
    """
    size = values.shape[-1]
    if size < 2:
        return
    factor = 2 * weight / (values.numel() // size * (size - 1))
    if not (has_kernels(values) and gradient.stride() == values.stride()):
        for axis in (-1, -2):
            change = values.diff(dim=axis).mul_(factor)
            gradient.narrow(axis, 1, size - 1).add_(change)
            gradient.narrow(axis, 0, size - 1).sub_(change)
        return
    from .kernels.passes import smooth_image

    images, out = _images(values), _images(gradient)

    def work(index: int) -> None:
        smooth_image(_like(values), images[index], size, np.float32(factor), out[index])

    in_threads(work, range(len(images)))


def _channels(values: Tensor) -> int:
    return values.shape[-3]


def _images(values: Tensor) -> np.ndarray:
    """Each image as one flat row, a view; channels are innermost."""
    rows: np.ndarray = values.detach().movedim(-3, -1).flatten(start_dim=-3).flatten(end_dim=-2).numpy()
    return rows


def _known(known: Tensor | None) -> Callable[[int], np.ndarray]:
    """The symbols of an image that its own are counted from; none count from zero."""
    if known is None:
        return lambda _: _NONE
    images = _images(known)
    return lambda index: images[index]


def _like(values: Tensor) -> tuple[np.float32, ...]:
    """What tells kernels how many lanes there are."""
    return (np.float32(0),) * _channels(values)
