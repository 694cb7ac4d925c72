"""The quality layers of a trained model: the tensors after each layer, coarse first.

A layer is trained for each share of the file but the last (``train.py``), with steps that are ``STEP_RATIO``
times those of the next. A layer that would hold little more than the networks is left out. A field without
planes, or a training of no steps, has layers by division: the symbols of each are those of the next, divided.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dynerf_decoder.fields.field import Model
from dynerf_encoder.config.schema import Quantisation
from dynerf_encoder.export.tensors import layered_weights
from dynerf_encoder.rate.step_sizes import is_plane, rounding_step
from dynerf_encoder.training.trainer import Trainer
from dynerf_format import QuantisedTensor, key_chunks, layers_between, quantise
from dynerf_format.container.compression import compress

from .train import train_layer

STEP_RATIO = 3  # symbols of a refinement are mostly -1, 0 and 1, which its context model is made for
_OVERHEAD = 1.1  # approximate, of all layers over a single one
_AIM = 0.97  # of a layer's bytes: a training meets its target within some percent
_LEAST_PLANES = 0.02  # share of the file
_TRIALS = 6
_SLOPE = 0.8  # approximate, of log size over log step

Tensors = dict[str, QuantisedTensor]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CoarseLayers:
    """The trained planes of all layers but the last, in the order of the file; empty: layers by division."""

    planes: Sequence[Tensors]

    def levels(self, final: Sequence[QuantisedTensor]) -> list[Tensors]:
        """The tensors after each layer; the last are ``final``."""
        if not self.planes:
            return layered_weights(final)
        whole = {tensor.name: tensor for tensor in final}
        return [*(whole | planes for planes in self.planes), whole]


BY_DIVISION = CoarseLayers(())


def train_layers(
    finished: Trainer, final: Sequence[QuantisedTensor], other_bytes: int, progress: Progress
) -> CoarseLayers:
    """Train the planes of all layers but the last of a file with ``other_bytes`` besides the weights.

    ``final`` are the tensors of the last layer.
    """
    layers = finished.config.layers
    whole = {tensor.name: tensor for tensor in final}
    if layers.steps == 0 or not any(is_plane(name) for name in whole):
        return BY_DIVISION
    file_bytes = other_bytes + _OVERHEAD * _stored([whole])
    networks = _stored([{name: each for name, each in whole.items() if not is_plane(name)}])
    levels: list[Tensors] = []
    used = 0
    for number, share in enumerate(layers.budget[:-1]):
        target = int(share * file_bytes) - used
        if target - (0 if levels else networks) < _LEAST_PLANES * file_bytes:
            continue
        factor = STEP_RATIO ** (len(layers.budget) - 1 - number)
        steps = replace(finished.rate.quantisation, planes=finished.rate.quantisation.planes * factor)

        def size_of(model: Model, steps: Quantisation = steps) -> int:
            return _stored([*levels, whole | _planes(model, steps)])

        def show(done: int, total: int, number: int = number) -> None:
            progress(f"training quality layer {number + 1}", done, total)

        model = train_layer(finished, factor, int(_AIM * target), size_of, show)
        level = _fitted(model, steps, target, size_of)
        levels.append(whole | level)
        used += _stored(levels)
    return CoarseLayers([{name: each for name, each in level.items() if is_plane(name)} for level in levels])


def _planes(model: Model, steps: Quantisation) -> Tensors:
    """The planes of a model, quantised."""
    return {
        name: quantise(name, parameter.detach().cpu().numpy(), float(rounding_step(name, parameter, steps)))
        for name, parameter in model.named_parameters()
        if is_plane(name) and parameter.numel() > 0
    }


def _fitted(
    model: Model, steps: Quantisation, target: int, size_of: Callable[[Model, Quantisation], int]
) -> Tensors:
    """The quantised planes of a model, with wider steps if the layer is above ``target`` bytes."""
    for _ in range(_TRIALS):
        size = size_of(model, steps)
        if size <= target:
            break
        steps = replace(steps, planes=steps.planes * (size / target) ** (1.05 / _SLOPE))
    return _planes(model, steps)


def _stored(levels: Sequence[Tensors]) -> int:
    """The bytes of the last of these layers in the file, without its chunk head."""
    chunk = key_chunks(0, layers_between(levels))[-1]
    return len(compress(chunk.payload)[1])
