"""What steps reached, read from the device now and then instead of after every step.

Reading a number from a GPU waits for all it was told to do, and until the next step has been told it idles.
So on a GPU a step's loss is read every few steps and told for those in between, too: a training that diverges
is found so many steps later. On a CPU every step is read.
"""

import torch
from jaxtyping import Float
from torch import Tensor

_STEPS = {"cpu": 1}
_STEPS_ON_GPU = 16


class DeferredMetrics:
    """The last figures read of a training on ``device``."""

    def __init__(self, device: torch.device) -> None:
        self._every = _STEPS.get(device.type, _STEPS_ON_GPU)
        self._waiting = 0  # steps that were not read
        self._last: tuple[float, ...] = ()

    def read(self, values: Float[Tensor, " figure"]) -> tuple[float, ...]:
        """This step's figures, or those of the last step that was read; the first step always is."""
        self._waiting += 1
        if not self._last or self._waiting >= self._every:
            self._last = tuple(values.tolist())
            self._waiting = 0
        return self._last
