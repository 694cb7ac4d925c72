"""When bits count in a training and how much; with a target, as much as it takes to meet it.

One number, the coarseness c, says how much quality is given for bits: all steps are c times and the weight of
the bits c^2 times what the configuration says, because the squared error of rounding grows with the square of
the step. Without a target c stays 1. With one, c follows how far the estimated size is from the target, now
(a proportional part) and on average so far (an integral part).

Estimates miss what the entropy coder makes of neighbours. The ratio of real to estimated size is therefore
told from outside now and then (``calibrate``), and final rounding closes what is left (``target_size.py``).
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from torch import Tensor

from dynerf_decoder.fields.field import Model
from dynerf_encoder.config.schema import Quantisation, Rate

from .rate_loss import Rounded, add_price, estimated_bytes, stored_form
from .step_sizes import coarsened

_PROPORTIONAL = 0.3
_INTEGRAL = 8.0  # the coarseness's logarithm moves so far, per unit of error, in a whole training
_FARTHEST = 2.0  # logarithm of the largest error: the first steps are far off whatever the coarseness
_WIDEST = 3.0  # logarithm of the largest coarseness: beyond e^3 = 20 times the steps no picture is left


class RateControl:
    """Bits in the training of one model. ``steps`` is the number of steps of the whole training."""

    def __init__(self, rate: Rate, quantisation: Quantisation, steps: int) -> None:
        self._rate = rate
        self._quantisation = quantisation
        self._gain = _INTEGRAL / steps
        self._drift = 0.0  # the integral part of log c
        self._error = 0.0  # log(size / target), the proportional part
        self._ratio = 1.0  # real to estimated size
        self._estimate = 0.0  # bytes, at the last step

    def active(self, position: float) -> bool:
        """Whether bits count at a position (0 to 1) of the schedule."""
        return position >= self._rate.start and (self._rate.weight > 0 or self._rate.target > 0)

    @property
    def coarseness(self) -> float:
        """What all steps are multiplied by."""
        return math.exp(_clamp(self._drift + _PROPORTIONAL * self._error, _WIDEST))

    @property
    def quantisation(self) -> Quantisation:
        """The steps as they are now."""
        return coarsened(self._quantisation, self.coarseness)

    @property
    def weight(self) -> float:
        """What a megabyte counts now."""
        return self._rate.weight * self.coarseness**2

    @contextmanager
    def stored_form(
        self, model: Model, latents: Tensor, position: float, *, planes: bool = True
    ) -> Iterator[list[Rounded]]:
        """While open, the parameters hold their rounded values; nothing happens before bits count.

        Without ``planes`` theirs are left to who renders them.
        """
        if not self.active(position):
            yield []
            return
        with stored_form(model, latents, self.quantisation, planes=planes) as rounded:
            yield rounded

    def charge(self, rounded: Sequence[Rounded]) -> None:
        """Add the price of the symbols to the gradients of a step made in stored form; follow the target."""
        if not rounded:
            return
        add_price(rounded, self.weight)
        if self._rate.target > 0:
            self._steer(estimated_bytes(rounded))

    def calibrate(self, size: int) -> None:
        """Tell how many bytes the model of the last step really takes."""
        if self._estimate > 0:
            self._ratio = size / self._estimate

    def _steer(self, estimate: float) -> None:
        self._estimate = estimate
        self._error = _clamp(math.log(max(estimate * self._ratio, 1.0) / self._rate.target), _FARTHEST)
        self._drift = _clamp(self._drift + self._gain * self._error, _WIDEST)

    def export(self) -> np.ndarray:
        """The state, for a checkpoint."""
        return np.array([self._drift, self._error, self._ratio, self._estimate])

    def restore(self, state: np.ndarray) -> None:
        """Go on where ``export`` was called. ValueError when it is no such state."""
        if state.shape != (4,) or not np.isfinite(state).all():
            raise ValueError(f"rate control: found a state of shape {state.shape}, expected 4 finite numbers")
        self._drift, self._error, self._ratio, self._estimate = (float(value) for value in state)


def _clamp(value: float, most: float) -> float:
    return min(max(value, -most), most)
