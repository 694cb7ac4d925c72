"""Quality layers: the same weights, coarse first, then what is missing to the next finer grid.

A factor f between two layers makes the coarser step f times the finer one: coarse = fine / f, rounded to
the nearest integer, and fine = f * coarse + residual. With f = 3 the residual is -1, 0 or 1. The residual
is coded knowing the coarser symbols around it, so that all layers together take little more than one alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dynerf_format.errors import FormatError
from dynerf_format.tensors.payload import pack_parts, pack_tensors
from dynerf_format.tensors.quantise import QuantisedTensor
from dynerf_format.tensors.tensor_head import FACTOR_MAX, FACTOR_MIN

from .chunks import LAYERS_MAX, WEIGHTS, Chunk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def coarsen(tensor: QuantisedTensor, factor: int) -> QuantisedTensor:
    """Return the tensor on a grid that is ``factor`` (2 to 255) times coarser; halves go towards zero."""
    if not FACTOR_MIN <= factor <= FACTOR_MAX:
        raise FormatError(f"tensor {tensor.name!r}: factor {factor}, expected {FACTOR_MIN} to {FACTOR_MAX}")
    size = (np.abs(tensor.symbols) + (factor - 1) // 2) // factor
    return QuantisedTensor(tensor.name, np.sign(tensor.symbols) * size, tensor.steps * np.float32(factor))


@dataclass(frozen=True, eq=False)
class QualityLayer:
    """What one layer adds: its tensors.

    ``below`` are all tensors of the layers below by name, in the order of layer 0, each with the factor to
    this layer, or 0 where this layer does not refine it.
    """

    tensors: Sequence[QuantisedTensor]
    below: Mapping[str, tuple[QuantisedTensor, int]] | None


def weights_chunks(
    segment: int, tensors: Sequence[QuantisedTensor], factors: Mapping[str, Sequence[int]]
) -> list[Chunk]:
    """The chunks of a segment's weights, one per layer, coarse first.

    ``factors`` tells for a tensor by which factor each layer refines the one before it: (3, 3) makes three
    layers of it. A tensor without factors is complete in layer 0, one with fewer than others is complete
    sooner.
    """
    return key_chunks(segment, split_layers(tensors, factors))


def key_chunks(segment: int, layers: Sequence[QualityLayer]) -> list[Chunk]:
    """The chunks of a segment's layers, building on no other segment."""
    return [
        Chunk(WEIGHTS, segment, n, 0, len(layer.tensors), pack_tensors(layer.tensors, layer.below))
        for n, layer in enumerate(layers)
    ]


def continued_chunks(
    segment: int, layers: Sequence[QualityLayer], before: Sequence[Mapping[str, QuantisedTensor]], depth: int
) -> list[Chunk]:
    """As :func:`key_chunks`, building on the segment before, which builds on ``depth`` - 1 others.

    ``before`` are its tensors after each of its layers. Returns nothing when that makes no tensor smaller or
    the segment before has fewer layers.
    """
    if len(before) < len(layers):
        return []
    packed = [
        pack_parts(layer.tensors, layer.below, known) for layer, known in zip(layers, before, strict=False)
    ]
    if not any(one.continued for one in packed):
        return []
    return [
        Chunk(WEIGHTS, segment, n, depth, len(layer.tensors), one.payload)
        for n, (layer, one) in enumerate(zip(layers, packed, strict=True))
    ]


def split_layers(
    tensors: Sequence[QuantisedTensor], factors: Mapping[str, Sequence[int]]
) -> list[QualityLayer]:
    """The layers of a segment's weights, coarse first; ``factors`` as in :func:`weights_chunks`."""
    ladders = {tensor.name: _ladder(tensor, factors.get(tensor.name, ())) for tensor in tensors}
    layers = max((len(ladder) for ladder in ladders.values()), default=1)
    if layers > LAYERS_MAX:
        raise FormatError(f"weights: {layers} layers, at most {LAYERS_MAX} are possible")
    split = [QualityLayer([ladder[0] for ladder in ladders.values()], None)]
    for layer in range(1, layers):
        finer = {name: ladder for name, ladder in ladders.items() if len(ladder) > layer}
        below = {
            name: (ladder[layer - 1], factors[name][layer - 1]) if name in finer else (ladder[-1], 0)
            for name, ladder in ladders.items()
        }
        split.append(QualityLayer([ladder[layer] for ladder in finer.values()], below))
    return split


def _ladder(tensor: QuantisedTensor, factors: Sequence[int]) -> list[QuantisedTensor]:
    """The tensor in all its layers, coarse first."""
    ladder = [tensor]
    for factor in reversed(factors):
        ladder.insert(0, coarsen(ladder[0], factor))
    return ladder
