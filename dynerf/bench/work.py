"""How much a stage of a frame has to move and to multiply, at the least.

Bytes: the stage's inputs and outputs once each, numbers as float32 (4 bytes), pictures as 8 bits. Weights and
folded planes are inputs, read once per picture. What a stage makes and uses up itself is not counted, nor are
positions that are the same for all rays.

FLOPs: matrix products, 2 x in x out per sample (or ray), and look-ups in planes, a multiplication and an
addition for each of 4 texels x channels x 3 planes per scale. Elementwise functions (exponentials, sines,
divisions) and x264's work are not counted. So the floor made of these is low: no stage can reach it quite.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from dynerf_decoder.fields.field import FoldedDensity, FoldedModel, Model
from dynerf_decoder.fields.mlp import FoldedNetwork, MlpModel, Network
from dynerf_decoder.fields.planes import FoldedCoarse, FoldedPlanes, FoldedStack, PlanesModel, PlaneStack
from dynerf_decoder.sampling import Sampling

_FLOAT = 4  # bytes
_DIRECTION, _SEGMENT = 3, 6  # numbers per ray: a direction; the start and end in the cube
_SEGMENT_BYTES = (_SEGMENT + 4) * _FLOAT + 1  # distances and w at both ends, and whether it hits
_RAY_FLOPS = 2 * 3 * 3 + 2 * (2 * 3 * 4)  # camera to world; origin and direction through the space's matrix


@dataclass(frozen=True)
class Work:
    """Bytes to move and floating-point operations to do."""

    bytes: int
    flops: int


@dataclass(frozen=True)
class Cost:
    """Of a folded field: weights it reads, numbers it gives and FLOPs per sample, FLOPs of shading a ray."""

    weights: int
    outputs: int
    sample_flops: int
    shade_flops: int


def frame_work(model: Model, folded: FoldedModel, sampling: Sampling, pixels: int) -> dict[str, Work]:
    """The work of each stage for a picture, by the stages' names."""
    coarse, fine = _cost(folded.coarse), _cost(folded.fine)
    bins = sampling.coarse + sampling.fine if sampling.union else sampling.fine
    edges = bins + 1
    ray_in = _SEGMENT + edges + _DIRECTION
    return {
        "fold": _fold_work(model),
        "rays": Work(pixels * (_DIRECTION * _FLOAT + _SEGMENT_BYTES), pixels * _RAY_FLOPS),
        "coarse": Work(
            _FLOAT * (coarse.weights + pixels * (_SEGMENT + sampling.coarse)),
            pixels * sampling.coarse * coarse.sample_flops,
        ),
        "sample": Work(_FLOAT * pixels * (sampling.coarse + edges), 0),
        "fine": Work(
            _FLOAT * (fine.weights + pixels * (ray_in + bins * fine.outputs)),
            pixels * bins * fine.sample_flops,
        ),
        "composite": Work(
            _FLOAT * pixels * (ray_in + bins * fine.outputs + 3),
            pixels * (2 * bins * (fine.outputs - 1) + fine.shade_flops),
        ),
        "convert": Work(pixels * (3 * _FLOAT + 3), 0),
        "encode": Work(pixels * 3, 0),
    }


def _cost(field: FoldedDensity) -> Cost:
    if isinstance(field, FoldedNetwork):
        network = field.network
        weights = _numbers(network) - _latent_weights(network)
        products = sum(module.weight.numel() for module in network.modules() if isinstance(module, nn.Linear))
        return Cost(weights, 1 + 3, 2 * (products - _latent_weights(network)), 0)
    assert isinstance(field, FoldedPlanes | FoldedCoarse)
    stack = field.stack
    shade = 0
    if isinstance(field, FoldedPlanes):
        linear = [module for module in field.view.modules() if isinstance(module, nn.Linear)]
        shade = sum(2 * module.weight.numel() for module in linear)
    return Cost(_stack_weights(stack), stack.out_weight.shape[0], _stack_flops(stack), shade)


def _stack_weights(stack: FoldedStack) -> int:
    parts: list[Tensor] = [*stack.planes, stack.hidden_weight, stack.hidden_bias, stack.out_weight]
    return sum(part.numel() for part in parts)


def _stack_flops(stack: FoldedStack) -> int:
    looked_up = sum(2 * 4 * 3 * planes.shape[-1] for planes in stack.planes)
    return looked_up + 2 * (stack.hidden_weight.numel() + stack.out_weight.numel())


def _fold_work(model: Model) -> Work:
    """Weights that the latent meets, and what they become."""
    if isinstance(model, MlpModel):
        latent = sum(map(_latent_weights, {model.fine, model.coarse}))
        biases = latent // model.latent_size
        return Work(_FLOAT * (latent + model.latent_size + biases), 2 * latent)
    assert isinstance(model, PlanesModel)
    parts = [_stack_fold_work(stack) for stack in (model.fine, model.coarse)]
    return Work(sum(part.bytes for part in parts), sum(part.flops for part in parts))


def _stack_fold_work(stack: PlaneStack) -> Work:
    static = sum(planes.numel() for planes in stack.static)
    products = (
        sum(planes.numel() for planes in stack.basis)
        + stack.mix.weight.numel()
        + stack.hidden_latent.weight.numel()
    )
    folded = static + stack.hidden.out_features
    return Work(_FLOAT * (static + products + folded), 2 * products)


def _latent_weights(network: Network) -> int:
    """The columns of the layers that see the latent."""
    seeing = {0, network.settings.skip} & set(range(len(network.layers)))
    return len(seeing) * network.settings.latent * network.settings.width


def _numbers(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
