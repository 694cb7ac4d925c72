"""When the rate term is active and how much it weighs; with a target size, as much as is needed to meet it.

One number, the coarseness c, trades quality for bits: all steps are c times and the rate weight c^2 times
those of the configuration, because the squared rounding error grows with the square of the step. Without a
target c stays 1. With one, c follows the logarithmic error of the estimated size, by a proportional and an
integral part.

The estimate ignores what the entropy coder gains from neighbouring symbols. The ratio of real to estimated
size is therefore measured now and then (``calibrate``), and the final rounding corrects the rest
(``target_size.py``).
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from torch import Tensor

from dynerf_decoder.fields.field import Model
from dynerf_encoder.config.schema import Quantisation, Rate

from .rate_loss import RoundedParameter, add_rate_gradient, estimated_bytes, stored_form
from .step_sizes import coarsened

_PROPORTIONAL = 0.3
_INTEGRAL = 8.0  # change of log c per unit of error over a whole training
_MAX_ERROR = 2.0  # logarithm: the first steps are far off at any coarseness
_MAX_LOG_COARSENESS = 3.0  # at e^3 = 20 times the steps nothing is left of the picture


class RateControl:
    """Rate control of one training. ``steps`` is the number of steps of the whole training.

    With ``fixed_steps`` the rounding steps stay as configured and only the weight follows c. ``gain``
    multiplies the control of c.
    """

    def __init__(
        self,
        rate: Rate,
        quantisation: Quantisation,
        steps: int,
        *,
        fixed_steps: bool = False,
        gain: float = 1.0,
    ) -> None:
        self._rate = rate
        self._fixed_steps = fixed_steps
        self._quantisation = quantisation
        self._proportional, self._gain = gain * _PROPORTIONAL, gain * _INTEGRAL / steps
        self._integral = 0.0  # the integral part of log c
        self._error = 0.0  # log(size / target), the proportional part
        self._ratio = 1.0  # real to estimated size
        self._estimate = 0.0  # bytes, at the last step
        self._rescaled = 1.0  # the factor of ``rescale``

    def active(self, position: float) -> bool:
        """Whether the rate term is active at a position (0 to 1) of the schedule."""
        return position >= self._rate.start and (self._rate.weight > 0 or self._rate.target > 0)

    @property
    def coarseness(self) -> float:
        """The factor of all steps."""
        controlled = self._integral + self._proportional * self._error
        return self._rescaled * math.exp(_clamp(controlled, _MAX_LOG_COARSENESS))

    def rescale(self, factor: float) -> None:
        """Make all steps ``factor`` times as wide, after the training; a checkpoint does not keep this."""
        self._rescaled *= factor

    @property
    def quantisation(self) -> Quantisation:
        """The current steps."""
        return self._quantisation if self._fixed_steps else coarsened(self._quantisation, self.coarseness)

    @property
    def weight(self) -> float:
        """The current weight of a megabyte in the loss."""
        return self._rate.weight * self.coarseness**2

    @contextmanager
    def stored_form(
        self, model: Model, latents: Tensor, position: float, *, planes: bool = True
    ) -> Iterator[list[RoundedParameter]]:
        """While open, the parameters hold their rounded values, if the rate term is active.

        With ``planes=False`` the planes are left to the caller.
        """
        if not self.active(position):
            yield []
            return
        with stored_form(model, latents, self.quantisation, planes=planes) as rounded:
            yield rounded

    def add_gradient(self, rounded: Sequence[RoundedParameter]) -> None:
        """Add the rate term's gradient to that of a step made in stored form; update the control."""
        if not rounded:
            return
        add_rate_gradient(rounded, self.weight)
        if self._rate.target > 0:
            self._update(estimated_bytes(rounded))

    def calibrate(self, size: int) -> None:
        """Set the real size in bytes of the model of the last step."""
        if self._estimate > 0:
            self._ratio = size / self._estimate

    def _update(self, estimate: float) -> None:
        self._estimate = estimate
        self._error = _clamp(math.log(max(estimate * self._ratio, 1.0) / self._rate.target), _MAX_ERROR)
        self._integral = _clamp(self._integral + self._gain * self._error, _MAX_LOG_COARSENESS)

    def export(self) -> np.ndarray:
        """The state, for a checkpoint."""
        return np.array([self._integral, self._error, self._ratio, self._estimate])

    def restore(self, state: np.ndarray) -> None:
        """Restore an exported state. Raises ValueError if it is not one."""
        if state.shape != (4,) or not np.isfinite(state).all():
            raise ValueError(f"rate control: found a state of shape {state.shape}, expected 4 finite numbers")
        self._integral, self._error, self._ratio, self._estimate = (float(value) for value in state)


def _clamp(value: float, most: float) -> float:
    return min(max(value, -most), most)
