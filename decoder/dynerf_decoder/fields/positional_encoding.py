"""Positional encoding (NeRF, eq. 4), preceded by the input itself as in NeRF's code."""

import torch
from jaxtyping import Float
from torch import Tensor


def encoded_size(size: int, frequencies: int) -> int:
    """Length of the encoding of a vector: itself, then sine and cosine for each frequency."""
    return size * (1 + 2 * frequencies)


def encode(values: Float[Tensor, "*n size"], frequencies: int) -> Float[Tensor, "*n encoded"]:
    """[v, sin(2^0 v), cos(2^0 v), ..., sin(2^(L-1) v), cos(2^(L-1) v)]; no pi, as in NeRF's code."""
    parts = [values]
    for power in range(frequencies):
        parts += [torch.sin(values * 2.0**power), torch.cos(values * 2.0**power)]
    return torch.cat(parts, dim=-1)
