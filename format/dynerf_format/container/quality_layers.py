"""Quality layers: the weights with coarse steps first, then refinements to finer steps.

A factor f between two layers makes the coarser step f times the finer one: coarse = fine / f, rounded to the
nearest integer, and fine = f * coarse + residual. With f = 3 the residual is -1, 0 or 1. Its context is made
of the coarser symbols around it, so that all layers together take little more than a single layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from dynerf_format.errors import FormatError
from dynerf_format.tensors.quantise import QuantisedTensor
from dynerf_format.tensors.tensor_head import ANEW, FACTOR_MAX, FACTOR_MIN, REFINED_MAX
from dynerf_format.tensors.tensor_payload import pack_parts, pack_tensors

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
    """The tensors of one layer.

    ``below`` holds all tensors of the layers below by name, in the order of layer 0, each with the factor to
    this layer, or 0 where this layer does not refine it (it may code it anew).
    """

    tensors: Sequence[QuantisedTensor]
    below: Mapping[str, tuple[QuantisedTensor, int]] | None


def weights_chunks(
    segment: int, tensors: Sequence[QuantisedTensor], factors: Mapping[str, Sequence[int]]
) -> list[Chunk]:
    """The chunks of a segment's weights, one per layer, coarse first.

    ``factors`` holds, per tensor, the factor by which each layer refines the one below: (3, 3) makes three
    layers. A tensor without factors is complete in layer 0; one with fewer factors is complete earlier.
    """
    return key_chunks(segment, split_layers(tensors, factors))


def key_chunks(segment: int, layers: Sequence[QualityLayer]) -> list[Chunk]:
    """The chunks of a segment's layers, building on no other segment."""
    return [
        Chunk(WEIGHTS, segment, n, 0, len(layer.tensors), pack_tensors(layer.tensors, layer.below))
        for n, layer in enumerate(layers)
    ]


def continued_chunks(
    segment: int,
    layers: Sequence[QualityLayer],
    previous: Sequence[Mapping[str, QuantisedTensor]],
    depth: int,
) -> list[Chunk]:
    """As :func:`key_chunks`, building on the previous segment, which builds on ``depth`` - 1 others.

    ``previous`` holds its tensors after each of its layers. Returns an empty list when this makes no tensor
    smaller or the previous segment has fewer layers.
    """
    if len(previous) < len(layers):
        return []
    packed = [
        pack_parts(layer.tensors, layer.below, below_previous)
        for layer, below_previous in zip(layers, previous, strict=False)
    ]
    if not any(parts.continued for parts in packed):
        return []
    return [
        Chunk(WEIGHTS, segment, n, depth, len(layer.tensors), parts.payload)
        for n, (layer, parts) in enumerate(zip(layers, packed, strict=True))
    ]


def split_layers(
    tensors: Sequence[QuantisedTensor], factors: Mapping[str, Sequence[int]]
) -> list[QualityLayer]:
    """The layers of a segment's weights, coarse first; ``factors`` as in :func:`weights_chunks`."""
    levels_by_name = {tensor.name: _levels(tensor, factors.get(tensor.name, ())) for tensor in tensors}
    layers = max((len(levels) for levels in levels_by_name.values()), default=1)
    return layers_between(
        [
            {name: levels[min(n, len(levels) - 1)] for name, levels in levels_by_name.items()}
            for n in range(layers)
        ]
    )


def layers_between(levels: Sequence[Mapping[str, QuantisedTensor]]) -> list[QualityLayer]:
    """The layers after which a reader has each of ``levels``: all tensors by name, coarse first.

    A tensor that is the same object in two successive levels is not stored again. Otherwise its factor is the
    ratio of the two steps, rounded; below 2 it is coded anew. FormatError when there are too many layers.
    """
    if len(levels) > LAYERS_MAX:
        raise FormatError(f"weights: {len(levels)} layers, at most {LAYERS_MAX} are possible")
    layers = [QualityLayer(list(levels[0].values()), None)]
    for coarser, finer in pairwise(levels):
        changed = {name: tensor for name, tensor in finer.items() if tensor is not coarser[name]}
        below = {
            name: (tensor, _factor(tensor, changed[name]) if name in changed else 0)
            for name, tensor in coarser.items()
        }
        layers.append(QualityLayer(list(changed.values()), below))
    return layers


def _factor(coarser: QuantisedTensor, finer: QuantisedTensor) -> int:
    """How many of the finer steps make a coarser one; 0 where a refinement by that is not possible."""
    factor = round(float(coarser.steps.mean() / finer.steps.mean()))
    possible = FACTOR_MIN <= factor <= FACTOR_MAX
    return factor if possible and factor * int(np.abs(coarser.symbols).max()) <= REFINED_MAX else ANEW


def _levels(tensor: QuantisedTensor, factors: Sequence[int]) -> list[QuantisedTensor]:
    """The tensor at the steps of each layer, coarse first."""
    levels = [tensor]
    for factor in reversed(factors):
        levels.insert(0, coarsen(levels[0], factor))
    return levels
