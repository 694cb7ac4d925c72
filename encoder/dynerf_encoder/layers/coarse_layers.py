"""The quality layers of a trained model: the tensors after each layer, coarse first.

A layer is trained for each share of the weights but the last (``train_layer.py``), with steps that suit its
bytes; then the finished planes are trained to agree with the layers (``refit.py``): the symbols of each are
from then on those of the next, divided. A layer that would hold little more than the networks, or whose steps
would be nearly those of the next, is left out. Without shares but the last, and for a field without planes,
the finished symbols are divided as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from dynerf_decoder.fields.field import Model
from dynerf_encoder.config.schema import Quantisation
from dynerf_encoder.export.tensors import layered_weights
from dynerf_encoder.rate.step_sizes import is_plane
from dynerf_encoder.training.trainer import Trainer
from dynerf_format import QuantisedTensor, coarsen, key_chunks, layers_between
from dynerf_format.container.compression import compress

from .refit import refit
from .train_layer import train_layer

_SLOPE = -0.94  # approximate, of log size over log step, of layers that are trained
_OVERHEAD = 1.03  # approximate, of all layers over a single one
_AIM = 0.93  # of a layer's bytes, which a training meets within some percent
_LEAST_PLANES = 0.1  # share of the weights; less shows next to nothing

Tensors = dict[str, QuantisedTensor]
Levels = Sequence[Tensors]
Quantise = Callable[[Model, Quantisation], list[QuantisedTensor]]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CoarseLayers:
    """How many finished steps wide the steps of each layer but the last are, coarse first.

    Each is an odd multiple of the next. Empty: layers that were not trained.
    """

    factors: tuple[int, ...]

    def levels(self, final: Sequence[QuantisedTensor]) -> list[Tensors]:
        """The tensors after each layer; the last are ``final``."""
        if not self.factors:
            return layered_weights(final)
        levels = [{tensor.name: tensor for tensor in final}]
        for coarser, finer in reversed(list(pairwise([*self.factors, 1]))):
            ratio = coarser // finer
            levels.insert(0, {n: coarsen(t, ratio) if is_plane(n) else t for n, t in levels[0].items()})
        return levels


NOT_TRAINED = CoarseLayers(())


def train_layers(
    finished: Trainer, quantise: Quantise, file_bytes: Callable[[Levels], int], progress: Progress
) -> CoarseLayers:
    """Train all layers but the last, and the finished planes to agree with them.

    ``quantise`` returns the tensors of a model at given steps, ``file_bytes`` the size of a file of the
    tensors after each layer.
    """
    if not any(is_plane(name) for name, _ in finished.model.named_parameters()):
        return NOT_TRAINED
    final = quantise(finished.model, finished.rate.quantisation)
    networks = {tensor.name: tensor for tensor in final if not is_plane(tensor.name)}
    target, least = finished.config.rate.target, _stored([networks])
    whole = target - file_bytes([{}]) if target else _OVERHEAD * _stored([_with(networks, final)])
    planned = plan_layers(
        [s for s in finished.config.layers.budget[:-1] if (s - _LEAST_PLANES) * whole > least]
    )

    def tensors(model: Model, steps: Quantisation) -> Tensors:
        return _with(networks, quantise(model, steps))

    def size_of(model: Model, steps: Quantisation) -> int:
        return _stored([*trained, tensors(model, steps)])

    trained: list[Tensors] = []
    used = 0
    for number, (share, factor) in enumerate(planned, start=1):
        show = partial(progress, f"training quality layer {number}")
        coarser = trained[-1] if trained else None
        aim = max(1, int(_AIM * (share * whole - used)))
        trained.append(tensors(*train_layer(finished, coarser, factor, aim, size_of, show)))
        used += _stored(trained)
    layers = CoarseLayers(tuple(factor for _, factor in planned))
    if trained:
        show = partial(progress, "training the last quality layer")
        refit(finished, trained[-1], lambda *model: file_bytes(layers.levels(quantise(*model))), show)
    return layers


def plan_layers(shares: Sequence[float]) -> list[tuple[float, int]]:
    """The layers that are trained: their shares of the weights, and how many finished steps wide theirs are.

    Each width is an odd multiple of the next: each symbol has a middle one among those that refine it.
    """
    planned: list[tuple[float, int]] = []
    next_factor = 1
    for share in reversed(shares):
        ratio = share ** (1 / _SLOPE) / next_factor
        if planned and ratio < 2:
            continue
        next_factor *= max(3, 2 * round((ratio - 1) / 2) + 1)
        planned.insert(0, (share, next_factor))
    return planned


def _with(networks: Tensors, tensors: Sequence[QuantisedTensor]) -> Tensors:
    """The tensors by name, with the very ``networks`` that all layers share: these are stored once."""
    return {tensor.name: networks.get(tensor.name, tensor) for tensor in tensors}


def _stored(levels: Levels) -> int:
    """The bytes of the last of these layers in the file, without its chunk head."""
    chunk = key_chunks(0, layers_between(levels))[-1]
    return len(compress(chunk.payload)[1])
