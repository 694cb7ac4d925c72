"""Train a coarser quality layer.

Planes and networks start as those of the finished training, are rounded to wider steps, and minimise error +
price * size like any training in its last stage; the price is controlled so that the layer takes its bytes.
The values of planes stay near the finished ones. Latents are those of the finished training, which does not
change: the last layer shows exactly what it would show alone.

Freezing the networks costs the first layer of ``samples/candle`` 0.9 dB, at 13 % more bytes.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import torch
from torch import Tensor

from dynerf_decoder.fields.field import Model
from dynerf_encoder.config.schema import Config, Quantisation
from dynerf_encoder.rate.rate_control import RateControl
from dynerf_encoder.rate.step_sizes import is_plane, rounding_step
from dynerf_encoder.schedule.stages import Plan, Stage
from dynerf_encoder.training.trainer import Trainer

_CALIBRATIONS = (0.0, 0.3, 0.6, 0.85)  # positions at which the real size is measured
_RATE_SHARES = 0.45, 0.3  # of the learning rates of planes and networks: they are nearly right already
_NETWORK_FACTOR = 3  # networks are a quarter of a first layer
_FINAL_RATE = 0.1
_WARM_UP = 20


def train_layer(
    finished: Trainer,
    factor: int,
    target: int,
    size_of: Callable[[Model, Quantisation], int],
    progress: Callable[[int, int], None],
) -> tuple[Model, Quantisation]:
    """A copy of the finished model for a layer of about ``target`` bytes, and its steps.

    Those of planes are ``factor`` times the finished ones; other steps than these give a poor picture,
    because the values lie at their multiples. ``size_of`` returns the bytes of the layer.
    """
    config = _layer_config(finished, factor, target)
    steps = max(1, round(config.layers.steps * finished.progress.step))
    frames = tuple(range(len(finished.latents)))
    rate = RateControl(config.rate, config.quantisation, steps, fixed_steps=True)
    trainer = finished.branch(config, Plan((Stage("isg", 1.0, frames, 1.0),), steps, frames), rate)
    bounds = _bounds(trainer.model, config)
    calibrations = {max(1, round(position * steps)) for position in _CALIBRATIONS}
    with closing(trainer.run()) as reports:
        for report in reports:
            _limit(bounds)
            if report.progress.step in calibrations:
                trainer.rate.calibrate(size_of(trainer.model, config.quantisation))
            progress(report.progress.step, steps)
    return trainer.model, config.quantisation


def _layer_config(finished: Trainer, factor: int, target: int) -> Config:
    """Wide steps, a target instead of a price, lower learning rates, and none of the latents."""
    config, quantisation = finished.config, finished.rate.quantisation
    optimiser = config.optimiser
    return replace(
        config,
        quantisation=replace(
            quantisation, planes=quantisation.planes * factor, network=quantisation.network * _NETWORK_FACTOR
        ),
        rate=replace(config.rate, start=0.0, weight=finished.rate.weight * factor**2, target=target),
        optimiser=replace(
            optimiser, planes_rate=optimiser.planes_rate * _RATE_SHARES[0],
            network_rate=optimiser.network_rate * _RATE_SHARES[1], latent_gain=0.0,
            final_rate=_FINAL_RATE, warm_up=_WARM_UP,
        ),
    )  # fmt: skip


@torch.no_grad()
def _bounds(model: Model, config: Config) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Each stack of planes, and the least and the largest values that it may take."""
    bounds: list[tuple[Tensor, Tensor, Tensor]] = []
    for name, parameter in model.named_parameters():
        if is_plane(name):
            reach = rounding_step(name, parameter, config.quantisation) * config.layers.reach
            bounds.append((parameter, parameter - reach, parameter + reach))
    return bounds


@torch.no_grad()
def _limit(bounds: list[tuple[Tensor, Tensor, Tensor]]) -> None:
    for parameter, least, most in bounds:
        parameter.clamp_(least, most)
