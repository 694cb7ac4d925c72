"""The quantisation steps of parameters, the same in training and when the file is written."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_encoder.config.schema import Quantisation

SMALLEST_STEP = 2.0**-40  # for tensors of zeros, where any step is right


def is_plane(name: str) -> bool:
    """Whether a parameter of a model is a stack of feature planes (and not a network's weight)."""
    return ".static." in name or ".basis." in name


@torch.no_grad()
def rounding_step(name: str, values: Tensor, quantisation: Quantisation) -> Float[Tensor, ""]:
    """The step of a parameter, or of all ``latents``: absolute for planes, a share of the RMS for others."""
    if is_plane(name):
        factor = 1.0
        if name.startswith("coarse."):
            factor = quantisation.coarse * (quantisation.coarse_basis if ".basis." in name else 1.0)
        return values.new_full((), quantisation.planes * factor)  # made on the device, without a transfer
    share = rounding_share(name, quantisation)
    rms = values.double().square().mean().sqrt()
    return (share * rms).clamp_min(SMALLEST_STEP).to(values.dtype)


def rounding_share(name: str, quantisation: Quantisation) -> float:
    """The step of a network's parameter, or of the latents, as a share of its root mean square."""
    if name == "latents":
        return quantisation.latents
    return quantisation.network * (quantisation.coarse if name.startswith("coarse.") else 1.0)


def coarsened(quantisation: Quantisation, factor: float) -> Quantisation:
    """All steps ``factor`` times as wide."""
    return replace(
        quantisation,
        planes=quantisation.planes * factor,
        network=quantisation.network * factor,
        latents=quantisation.latents * factor,
    )
