"""Train the planes of a coarser quality layer.

They start as those of the finished training, are rounded to wider steps, and minimise error + price * size
like any training in its last stage; the price is controlled so that the layer takes its bytes. Networks and
latents are those of the finished training: own networks would show 0.5 dB more at as many bytes, but all
layers of ``samples/candle`` would take 4 % more. The values of planes stay within little more than a
finished step of the finished ones: what is bought by that is mostly which of the smaller values are left out.
"""

from collections.abc import Mapping
from dataclasses import replace

from dynerf_decoder.fields.field import Model
from dynerf_encoder.config.schema import Config, Quantisation
from dynerf_encoder.rate.rate_control import RateControl
from dynerf_encoder.rate.step_sizes import is_plane, rounding_step
from dynerf_encoder.training.trainer import Trainer
from dynerf_format import QuantisedTensor

from .branches import Limits, Progress, SizeOf, planes_only, train_within, uniform_plan
from .cells import cells

_FINAL_RATE = 0.1


def train_layer(
    finished: Trainer,
    coarser: Mapping[str, QuantisedTensor] | None,
    factor: int,
    target: int,
    size_of: SizeOf,
    progress: Progress,
) -> tuple[Model, Quantisation]:
    """A copy of the finished model for a layer of about ``target`` bytes, and its steps.

    Those of planes are ``factor`` times the finished ones; other steps than these give a poor picture,
    because the values lie at their multiples. The planes agree with ``coarser``, the tensors after the layer
    before, whose steps are an odd multiple of these. ``size_of`` returns the bytes of the layer.
    """
    config = _layer_config(finished, factor, target)
    plan = uniform_plan(finished)
    rate = RateControl(config.rate, config.quantisation, plan.steps, fixed_steps=True)
    trainer = finished.branch(config, plan, rate)
    limits = _near(trainer.model, finished.rate.quantisation, config.layers.reach)
    if coarser is not None:
        limits += cells(trainer.model, coarser, config.quantisation)  # clamped last: these hold everywhere
    train_within(trainer, limits, size_of, progress)
    return trainer.model, config.quantisation


def _layer_config(finished: Trainer, factor: int, target: int) -> Config:
    """Wide steps of planes, and a target instead of a price."""
    config, quantisation = finished.config, finished.rate.quantisation
    return replace(
        config,
        quantisation=replace(quantisation, planes=quantisation.planes * factor),
        rate=replace(config.rate, start=0.0, weight=finished.rate.weight * factor**2, target=target),
        optimiser=planes_only(config.optimiser, 1.0, _FINAL_RATE),
    )


def _near(model: Model, finished: Quantisation, reach: float) -> Limits:
    """Each stack of planes, and the least and the largest values that it may take."""
    limits: Limits = []
    for name, parameter in model.named_parameters():
        if is_plane(name):
            distance = rounding_step(name, parameter, finished) * reach
            limits.append((parameter, parameter.detach() - distance, parameter.detach() + distance))
    return limits
