"""Metrics of a training, read back from the device every few steps.

Reading a number from a GPU waits for all launched work, and the GPU is idle until the next step is launched.
On a GPU the metrics are therefore read every 16 steps and repeated in between, so a diverging training is
detected up to that much later. On a CPU they are read at every step.
"""

import torch
from jaxtyping import Float
from torch import Tensor

_STEPS = {"cpu": 1}
_STEPS_ON_GPU = 16


class DeferredMetrics:
    """The last metrics read of a training on ``device``."""

    def __init__(self, device: torch.device) -> None:
        self._every = _STEPS.get(device.type, _STEPS_ON_GPU)
        self._unread = 0  # steps since the last read
        self._last: tuple[float, ...] = ()

    def read(self, values: Float[Tensor, " metric"]) -> tuple[float, ...]:
        """The metrics of this step, or of the last step that was read; the first step always is."""
        self._unread += 1
        if not self._last or self._unread >= self._every:
            self._last = tuple(values.tolist())
            self._unread = 0
        return self._last
