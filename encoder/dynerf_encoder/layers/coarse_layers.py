"""The quality layers of a trained model: the tensors after each layer, coarse first.

A layer is trained for each share of the file but the last (``train_layer.py``), with steps that suit its
bytes; then the finished planes are trained to agree with the layers (``refit.py``). A layer that would hold
little more than the networks is left out. Without shares but the last, and for a field without planes,
layers are made by division: the symbols of each are those of the next, divided.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from dynerf_decoder.fields.field import Model
from dynerf_encoder.config.schema import Quantisation
from dynerf_encoder.export.tensors import layered_weights
from dynerf_encoder.rate.step_sizes import is_plane
from dynerf_encoder.training.trainer import Trainer
from dynerf_format import QuantisedTensor, key_chunks, layers_between
from dynerf_format.container.compression import compress

from .refit import refit
from .train_layer import train_layer

_SLOPE = -0.85  # approximate, of log size over log step, of layers that are trained
_OVERHEAD = 1.03  # approximate, of all layers over a single one
_AIM = 0.93  # of a layer's bytes, which a training meets within some percent
_LEAST_PLANES = 0.1  # share of the file; less shows next to nothing

Tensors = dict[str, QuantisedTensor]
Levels = Sequence[Tensors]
Quantise = Callable[[Model, Quantisation], list[QuantisedTensor]]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CoarseLayers:
    """The tensors after each layer but the last, in the order of the file; empty: layers by division."""

    trained: Sequence[Tensors]

    def levels(self, final: Sequence[QuantisedTensor]) -> list[Tensors]:
        """The tensors after each layer; the last are ``final``."""
        if not self.trained:
            return layered_weights(final)
        return [*self.trained, _unchanged_from(self.trained[-1], _by_name(final))]


BY_DIVISION = CoarseLayers(())


def train_layers(
    finished: Trainer, quantise: Quantise, file_bytes: Callable[[Levels], int], progress: Progress
) -> CoarseLayers:
    """Train all layers but the last, and the finished planes to agree with them.

    ``quantise`` returns the tensors of a model at given steps, ``file_bytes`` the size of a file of the
    tensors after each layer.
    """
    budget, target = finished.config.layers.budget, finished.config.rate.target
    if len(budget) == 1 or not any(is_plane(name) for name, _ in finished.model.named_parameters()):
        return BY_DIVISION

    def quantised(model: Model, steps: Quantisation) -> Tensors:
        return _by_name(quantise(model, steps))

    def size_of(model: Model, steps: Quantisation) -> int:
        return _stored([*trained, quantised(model, steps)])

    whole = quantised(finished.model, finished.rate.quantisation)
    whole_bytes = target or file_bytes([{}]) + _OVERHEAD * _stored([whole])
    networks = _stored([{name: each for name, each in whole.items() if not is_plane(name)}])
    trained: list[Tensors] = []
    used = 0
    shares = [share for share in budget[:-1] if share * whole_bytes > networks + _LEAST_PLANES * whole_bytes]
    for number, (share, factor) in enumerate(zip(shares, step_factors(shares), strict=True), start=1):
        show = partial(progress, f"training quality layer {number}")
        coarser = trained[-1] if trained else None
        aim = int(_AIM * (share * whole_bytes - used))
        layer = quantised(*train_layer(finished, coarser, factor, aim, size_of, show))
        trained.append(_unchanged_from(trained[-1], layer) if trained else layer)
        used += _stored(trained)
    if trained:
        show = partial(progress, "training the last quality layer")
        refit(finished, trained[-1], lambda *model: file_bytes([*trained, quantised(*model)]), show)
    return CoarseLayers(trained)


def step_factors(shares: Sequence[float]) -> list[int]:
    """How many finished steps wide the steps of layers are that end at these shares of a file.

    Each is an odd multiple of the next, so that each symbol has a middle one among those that refine it.
    """
    factors = [1]
    for share in reversed(shares):
        factors.append(factors[-1] * max(3, 2 * round((share ** (1 / _SLOPE) / factors[-1] - 1) / 2) + 1))
    return factors[:0:-1]


def _unchanged_from(coarser: Tensors, finer: Tensors) -> Tensors:
    """``finer`` with the very tensors of ``coarser`` where these are equal: they are not stored again."""

    def chosen(name: str, tensor: QuantisedTensor) -> QuantisedTensor:
        before = coarser[name]
        same = np.array_equal(before.symbols, tensor.symbols) and np.array_equal(before.steps, tensor.steps)
        return before if same else tensor

    return {name: chosen(name, tensor) for name, tensor in finer.items()}


def _by_name(tensors: Sequence[QuantisedTensor]) -> Tensors:
    return {tensor.name: tensor for tensor in tensors}


def _stored(levels: Sequence[Tensors]) -> int:
    """The bytes of the last of these layers in the file, without its chunk head."""
    chunk = key_chunks(0, layers_between(levels))[-1]
    return len(compress(chunk.payload)[1])
