"""Train the finished planes to agree with the last of the coarser layers.

The planes are moved into that layer's cells (``cells.py``) and trained within them; networks and latents stay
as they are, so the coarser layers do too. On ``samples/candle`` 0.7 % of the values lie outside before.
Without this, two layers take 11 % more bytes than one, with it 3 %.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch

from dynerf_encoder.rate.rate_control import RateControl
from dynerf_encoder.training.trainer import Trainer
from dynerf_format import QuantisedTensor

from .branches import Progress, SizeOf, planes_only, train_within, uniform_plan
from .cells import cells

_RATE_SHARE, _FINAL_RATE = 0.02, 0.4  # of the learning rate: the planes are nearly right already
_GAIN = 6.0  # of the control of a target size: a slow training has to follow it


def refit(
    finished: Trainer, coarser: Mapping[str, QuantisedTensor], size_of: SizeOf, progress: Progress
) -> None:
    """Change the finished planes to agree with ``coarser``, the tensors after the last coarser layer.

    Steps do not change; with a target size the price of bits is controlled, and ``size_of`` returns the bytes
    of the file.
    """
    config, steps = finished.config, finished.rate.quantisation
    config = replace(
        config,
        rate=replace(config.rate, start=0.0, weight=finished.rate.weight),
        optimiser=planes_only(config.optimiser, _RATE_SHARE, _FINAL_RATE),
    )
    plan = uniform_plan(finished)
    rate = RateControl(config.rate, steps, plan.steps, fixed_steps=True, gain=_GAIN)
    trainer = finished.branch(config, plan, rate)
    train_within(trainer, cells(trainer.model, coarser, steps), size_of, progress)
    with torch.no_grad():
        for parameter, refitted in zip(finished.model.parameters(), trainer.model.parameters(), strict=True):
            parameter.copy_(refitted)
