"""Rotate latents to their principal axes, where most of their components are zero.

A field that uses its latents only in products W z is unchanged by any rotation of the latents: W z = (W Q)(Q'
z). N frames span at most N of its dimensions (a thousand in the paper), and adjacent frames are similar, so
they span fewer still. With the principal axes as Q the first few components of z are large and all others are
below the rounding step; the columns of W Q that meet only zeros are set to zero. The training is not
affected, and a decoder computes the same up to rounding.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.fields.field import Model


@dataclass(frozen=True)
class RotatedLatents:
    """The latents in their principal axes, and the weights rotated with them, by parameter name."""

    latents: Float[Tensor, "frame latent"]
    weights: dict[str, Tensor]


@torch.no_grad()
def rotate_to_principal_axes(
    model: Model, latents: Float[Tensor, "frame latent"], step: float
) -> RotatedLatents:
    """What to store for latents that will be rounded to ``step``.

    Axes along which no frame reaches half a step are left out. A model without latent columns is returned
    unchanged.
    """
    columns = model.latent_columns()
    if not columns:
        return RotatedLatents(latents, {})
    _, _, axes = torch.linalg.svd(latents.double(), full_matrices=False)
    coordinates = latents.double() @ axes.T
    kept = coordinates.abs().amax(dim=0) > step / 2
    axes = axes[kept]
    stored = torch.zeros_like(latents)
    stored[:, : len(axes)] = coordinates[:, kept].to(latents.dtype)
    weights = {}
    for name, span in columns.items():
        weight = model.get_parameter(name).detach().clone()
        rotated = (weight[:, span].double() @ axes.T).to(weight.dtype)
        weight[:, span] = 0
        weight[:, span.start : span.start + len(axes)] = rotated
        weights[name] = weight
    return RotatedLatents(stored, weights)
