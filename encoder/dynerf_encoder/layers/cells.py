"""The values of planes that agree with a coarser layer.

The coarser layer's steps are f times those of the finer one, f odd, and its symbols k. A finer symbol agrees
with k when its quotient by f is rounded to k. Where all symbols agree, the coarser layer is what a division
of the finer symbols would make, and both together take little more than the finer one alone.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from dynerf_decoder.fields.field import Model
from dynerf_encoder.config.schema import Quantisation
from dynerf_encoder.kernels.records import DEAD_ZONE
from dynerf_encoder.rate.step_sizes import is_plane, rounding_step
from dynerf_format import QuantisedTensor

from .branches import Limits

_MARGIN = 0.02  # steps between a limit and the border of its cell


def cells(model: Model, coarser: Mapping[str, QuantisedTensor], steps: Quantisation) -> Limits:
    """The planes of a model whose rounding steps are ``steps``, and the limits within which they agree."""
    return [
        (parameter, *_cell(coarser[name], rounding_step(name, parameter, steps)))
        for name, parameter in model.named_parameters()
        if is_plane(name) and parameter.numel() > 0
    ]


def _cell(coarser: QuantisedTensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the largest values whose symbols at ``step``, divided, are the coarser ones.

    A symbol q is given to values from |q| - 0.5 to |q| + 0.5 steps, moved away from zero by the dead zone.
    """
    factor = round(float(coarser.steps[0]) / float(step))
    symbols = torch.from_numpy(coarser.symbols).to(step.device)
    centre, half = factor * symbols.abs(), factor // 2 + 0.5 - _MARGIN
    most = centre + half + float(DEAD_ZONE)
    least = torch.where(symbols == 0, -most, centre - half + float(DEAD_ZONE))
    negative = symbols < 0
    low, high = torch.where(negative, -most, least), torch.where(negative, -least, most)
    return (low * step).to(step.dtype), (high * step).to(step.dtype)
