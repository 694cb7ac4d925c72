"""Quality layers: the same weights, coarse first, then what is missing to the next finer grid.

A factor f between two layers makes the coarser step f times the finer one: coarse = fine / f, rounded to
the nearest integer, and fine = f * coarse + residual. With f = 3 the residual is -1, 0 or 1. The residual
is coded knowing the coarser symbols around it, so that all layers together take little more than one alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .chunks import LAYERS_MAX, WEIGHTS, Chunk
from .errors import FormatError
from .quantise import QuantisedTensor
from .tensors import FACTOR_MAX, FACTOR_MIN, pack_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def coarsen(tensor: QuantisedTensor, factor: int) -> QuantisedTensor:
    """Return the tensor on a grid that is ``factor`` (2 to 255) times coarser; halves go towards zero."""
    if not FACTOR_MIN <= factor <= FACTOR_MAX:
        raise FormatError(f"tensor {tensor.name!r}: factor {factor}, expected {FACTOR_MIN} to {FACTOR_MAX}")
    size = (np.abs(tensor.symbols) + (factor - 1) // 2) // factor
    return QuantisedTensor(tensor.name, np.sign(tensor.symbols) * size, tensor.steps * np.float32(factor))


def weights_chunks(
    segment: int, tensors: Sequence[QuantisedTensor], factors: Mapping[str, Sequence[int]]
) -> list[Chunk]:
    """The chunks of a segment's weights, one per layer, coarse first.

    ``factors`` tells for a tensor by which factor each layer refines the one before it: (3, 3) makes three
    layers of it. A tensor without factors is complete in layer 0, one with fewer than others is complete
    sooner.
    """
    ladders = {tensor.name: _ladder(tensor, factors.get(tensor.name, ())) for tensor in tensors}
    layers = max((len(ladder) for ladder in ladders.values()), default=1)
    if layers > LAYERS_MAX:
        raise FormatError(f"weights of segment {segment}: {layers} layers, at most {LAYERS_MAX} are possible")
    base = [ladder[0] for ladder in ladders.values()]
    chunks = [Chunk(WEIGHTS, segment, 0, 0, len(base), pack_tensors(base))]
    for layer in range(1, layers):
        finer = {name: ladder for name, ladder in ladders.items() if len(ladder) > layer}
        below = {name: (ladder[layer - 1], factors[name][layer - 1]) for name, ladder in finer.items()}
        payload = pack_tensors([ladder[layer] for ladder in finer.values()], below)
        chunks.append(Chunk(WEIGHTS, segment, layer, 0, len(finer), payload))
    return chunks


def _ladder(tensor: QuantisedTensor, factors: Sequence[int]) -> list[QuantisedTensor]:
    """The tensor in all its layers, coarse first."""
    ladder = [tensor]
    for factor in reversed(factors):
        ladder.insert(0, coarsen(ladder[0], factor))
    return ladder
