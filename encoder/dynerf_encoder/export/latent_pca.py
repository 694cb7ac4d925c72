"""Latents in the axes along which a clip's frames differ most: most of their numbers are then zero.

A field that sees its latents only through products W z is the same one for any turn of the latents' space:
W z = (W Q)(Q' z). N frames span at most N of its dimensions, a thousand in the paper, and frames next to
each other are alike, so they span fewer still. With the principal axes as Q the numbers of z are large in the
first few places, below what rounding keeps in all others, and the columns of W Q that meet zeros only are
left out as zeros. The training knows nothing of this; what a decoder computes is the same to rounding.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.fields.field import Model


@dataclass(frozen=True)
class RotatedLatents:
    """The latents in their principal axes, and the weights that changed with them, by parameter name."""

    latents: Float[Tensor, "frame latent"]
    weights: dict[str, Tensor]


@torch.no_grad()
def rotate_to_principal_axes(
    model: Model, latents: Float[Tensor, "frame latent"], step: float
) -> RotatedLatents:
    """What to store instead of latents that will be rounded to ``step``; a model that tells no columns stays.

    Axes along which no frame reaches half a step are left out.
    """
    columns = model.latent_columns()
    if not columns:
        return RotatedLatents(latents, {})
    _, _, axes = torch.linalg.svd(latents.double(), full_matrices=False)
    coordinates = latents.double() @ axes.T
    seen = coordinates.abs().amax(dim=0) > step / 2
    axes = axes[seen]
    stored = torch.zeros_like(latents)
    stored[:, : len(axes)] = coordinates[:, seen].to(latents.dtype)
    weights = {}
    for name, span in columns.items():
        weight = model.get_parameter(name).detach().clone()
        turn = (weight[:, span].double() @ axes.T).to(weight.dtype)
        weight[:, span] = 0
        weight[:, span.start : span.start + len(axes)] = turn
        weights[name] = weight
    return RotatedLatents(stored, weights)
