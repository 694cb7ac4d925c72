"""Initial latents of a training: learned ones, or the paper's baselines as fixed latents.

NeRF-T (DyNeRF, 4.2) conditions the network on the positional encoding of time instead of a latent; a NeRF per
frame is not conditioned. Both are expressed as latents that are not learned, so they need no separate
network, file format or decoder. Between two frames a decoder interpolates them like any others: for NeRF-T
that interpolates the encoding linearly instead of encoding the time between.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.fields.positional_encoding import encode, encoded_size
from dynerf_encoder.config.schema import Conditioning, Config

from .stages import Plan, interpolate_latents

_LATENT_STREAM = 2**40  # a step number that no training reaches: seeds the latents' own random stream


def fit_latents(config: Config) -> Config:
    """The configuration with the latent size that its conditioning requires; that of learned ones stays."""
    conditioning = config.conditioning
    if conditioning.kind == "latent":
        return config
    size = encoded_size(1, conditioning.frequencies) if conditioning.kind == "time" else 1
    planes, mlp = replace(config.planes, latent=size), replace(config.mlp, latent=size)
    return replace(config, planes=planes, mlp=mlp)


def initial_latents(
    config: Config, plan: Plan, frames: int, size: int, seed: int
) -> Float[Tensor, "frame latent"]:
    """Learned latents start at random at keyframes, N(0, latent_sigma), and interpolated between them."""
    if config.conditioning.kind == "time":
        return time_latents(frames, config.conditioning)
    if config.conditioning.kind == "none":
        return torch.zeros(frames, size)
    random = np.random.default_rng([seed, _LATENT_STREAM]).standard_normal((frames, size))
    latents = torch.as_tensor(random * config.optimiser.latent_sigma, dtype=torch.float32)
    return interpolate_latents(latents, plan.keyframes)


def time_latents(frames: int, conditioning: Conditioning) -> Float[Tensor, "frame latent"]:
    """The encoding of t, from -1 in the first frame to 1 in the last, as NeRF encodes a coordinate."""
    times = torch.linspace(-1, 1, frames) if frames > 1 else torch.zeros(1)
    return encode(times.unsqueeze(-1), conditioning.frequencies)
