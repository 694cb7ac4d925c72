"""The rate term: from a share of the schedule on, estimated bits are added to the loss.

The model is then rendered as it will be stored. A value x of a tensor with step d becomes d k, k = round(x /
d), and the gradient of the error passes straight through to x. Added to it is the gradient of ``weight``
times the megabytes of the symbols k, so training minimises error + weight * size.

The bits of symbols are estimated from a discretised Laplace distribution per channel (a plane's feature map,
or a network's tensor):

    P(0) = 1 - exp(-s/2),    P(k) = exp(-s |k|) sinh(s/2),    s = 2 asinh(1 / (2 m))

where s is the maximum-likelihood value for symbols of mean magnitude m. Nothing is learned and there is no
state. By this model a symbol's first step away from zero costs s/2 log2(e) bits and a sign, each further one
s log2(e). A slope that rises over the first step gives both:

    d bits / dx = log2(e) s / d * clamp(x / d, -1, 1)

A network's step is a share of its tensor's root mean square and shrinks with it, so shrinking the whole
tensor saves no bits; that component of the gradient is removed.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.fields.field import Model
from dynerf_encoder.config.schema import Quantisation

from .plane_passes import add_plane_rate_gradient, round_planes
from .step_sizes import SMALLEST_STEP, is_plane, rounding_share, rounding_step

_BITS_PER_MB = 8e6
_LOG2_E = math.log2(math.e)


@dataclass(frozen=True)
class RoundedParameter:
    """One parameter in its stored form, and what its rate term needs.

    Its values are multiples of ``step``; ``slope`` is the s of each channel. A network's tensor is one
    channel.
    """

    parameter: Tensor
    exact: Tensor
    step: Float[Tensor, ""]
    slope: Float[Tensor, "*channel"]
    plane: bool


@contextmanager
def stored_form(
    model: Model, latents: Tensor, quantisation: Quantisation, *, planes: bool = True
) -> Iterator[list[RoundedParameter]]:
    """While open, model and latents hold what the file will hold; then their values return, gradients stay.

    With ``planes=False`` the planes are not rounded.
    """
    rounded: list[RoundedParameter] = []
    try:
        for name, parameter in [*model.named_parameters(), ("latents", latents)]:
            if parameter.numel() > 0 and (planes or not is_plane(name)):
                rounded.append(_round(name, parameter, quantisation))
        yield rounded
    finally:
        for item in rounded:
            item.parameter.data = item.exact


@torch.no_grad()
def _round(name: str, parameter: Tensor, quantisation: Quantisation) -> RoundedParameter:
    if not is_plane(name) and _has_kernels(parameter.data):
        return _round_by_kernel(name, parameter, quantisation)
    return _round_by_torch(name, parameter, quantisation)


def _round_by_torch(name: str, parameter: Tensor, quantisation: Quantisation) -> RoundedParameter:
    exact, plane = parameter.data, is_plane(name)
    step = rounding_step(name, exact, quantisation)
    if plane:
        parameter.data, magnitudes = round_planes(exact, step)
    else:
        symbols = (exact / step).round_()
        magnitudes = symbols.abs().sum()
        parameter.data = symbols.mul_(step)
    slope = laplace_slopes(magnitudes, exact.numel() // magnitudes.numel())
    return RoundedParameter(parameter, exact, step, slope, plane)


def _round_by_kernel(name: str, parameter: Tensor, quantisation: Quantisation) -> RoundedParameter:
    from dynerf_encoder.kernels.parameter_rounding import relative_step, round_values

    exact = parameter.data
    values, result = exact.view(-1).numpy(), torch.empty_like(exact)
    step = relative_step(values, rounding_share(name, quantisation), SMALLEST_STEP)
    magnitude = round_values(values, step, result.view(-1).numpy())
    parameter.data = result
    slope = 2 * math.asinh(0.5 * exact.numel() / (magnitude + 0.5))
    return RoundedParameter(parameter, exact, torch.tensor(float(step)), torch.tensor(slope), plane=False)


def _has_kernels(values: Tensor) -> bool:
    """Whether the kernels support this tensor: on a CPU, in float32, contiguous."""
    return values.device.type == "cpu" and values.dtype == torch.float32 and values.is_contiguous()


def laplace_slopes(magnitudes: Float[Tensor, "*channel"], count: int) -> Float[Tensor, "*channel"]:
    """The Laplace distributions' s, from the sums of the magnitudes of ``count`` symbols.

    Half a symbol is added to keep it finite where all are zero.
    """
    return 2 * torch.asinh(0.5 * count / (magnitudes + 0.5))


def expected_bits(slope: Float[Tensor, "*channel"], count: int) -> Float[Tensor, ""]:
    """Bits of ``count`` symbols of every channel: the entropy of its distribution."""
    zero = -torch.expm1(-slope / 2)
    mean = 0.5 / torch.sinh(slope / 2)
    other = _LOG2_E * slope * mean - (1 - zero) * torch.log2(torch.sinh(slope / 2))
    return count * (other - zero * torch.log2(zero)).sum()


@torch.no_grad()
def add_rate_gradient(rounded: Sequence[RoundedParameter], weight: float) -> None:
    """Add the gradient of ``weight`` times the estimated megabytes to the parameters' gradients."""
    for item in rounded:
        gradient = item.parameter.grad
        if gradient is None:
            continue
        if item.plane:
            add_plane_rate_gradient(gradient, item.exact, item.step, rate_slope(item, weight))
        elif _has_kernels(item.exact) and gradient.is_contiguous():
            from dynerf_encoder.kernels.parameter_rounding import add_rate_gradient as add_by_kernel

            values = item.exact.view(-1).numpy()
            step, slope = np.float32(item.step), np.float32(rate_slope(item, weight))
            add_by_kernel(values, step, slope, gradient.view(-1).numpy())
        else:
            _add_relative_gradient(gradient, item.exact / item.step, rate_slope(item, weight))


def rate_slope(item: RoundedParameter, weight: float) -> Float[Tensor, "*channel"]:
    """The slope per channel of ``weight`` times the megabytes, a step or more from zero."""
    return item.slope * (_LOG2_E * weight / _BITS_PER_MB) / item.step


def _add_relative_gradient(gradient: Tensor, symbols: Tensor, slope: Float[Tensor, ""]) -> None:
    """For a network: without the component that shrinks the tensor and with it its step."""
    change = symbols.clamp(-1, 1)
    change -= symbols * ((change * symbols).sum() / symbols.square().sum().clamp_min(1e-30))
    gradient.add_(change * slope)


def estimated_bytes(rounded: Sequence[RoundedParameter]) -> float:
    """The size of all parameters by the model above."""
    return (
        float(sum(expected_bits(item.slope, item.exact.numel() // item.slope.numel()) for item in rounded))
        / 8
    )
