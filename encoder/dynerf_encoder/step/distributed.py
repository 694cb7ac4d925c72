"""One training in several processes with a GPU each: ``torchrun --nproc-per-node 8 -m dynerf encode ...``.

The batch is the same as in one process: every process draws the same rays and renders its share of the step's
frames, and the gradients are averaged before anything else is added to them. The loss is therefore the same
up to the order of summation. Process 0 leads: it decodes videos, builds maps and writes checkpoint and file;
all share its work folder.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

# Imported before a group exists: its functions hold the default group of that moment as a default argument.
# Imported later, by an optimiser, they keep the group's threads alive after destroy_process_group. One that
# releases a tensor while the interpreter shuts down aborts the process (pytorch/pytorch#190489).
import torch.distributed.nn.functional
from torch import Tensor

from dynerf_format.errors import ConfigError

_TIMEOUT = timedelta(days=1)  # the others wait while process 0 decodes the videos


@dataclass(frozen=True)
class ProcessGroup:
    """This process's rank and the number of processes; with one process no method has an effect."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def check(self, frames_per_step: int) -> None:
        """Refuse a batch that cannot be shared evenly. Raises ConfigError."""
        if frames_per_step % self.size:
            raise ConfigError(
                f"schedule.frames_per_step: found {frames_per_step}, expected a multiple of the "
                f"{self.size} processes, each of which renders as many frames of a step as the others"
            )

    def share(self, frames: int) -> slice:
        """The slice of a step's frames that this process renders."""
        count = frames // self.size
        return slice(self.rank * count, (self.rank + 1) * count)

    def average(self, values: Tensor) -> Tensor:
        """The mean over all processes, the same in each."""
        if self.size == 1:
            return values
        total = values.detach().clone()
        dist.all_reduce(total)
        return total / self.size

    def average_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Replace each gradient by its mean over all processes: one exchange for all of them."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        means = self.average(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(means, [gradient.numel() for gradient in gradients])
        for gradient, mean in zip(gradients, parts, strict=True):
            gradient.copy_(mean.view_as(gradient))

    def average_number(self, value: float, device: torch.device | str) -> float:
        """The mean of a plain number; ``device`` is where the processes compute."""
        if self.size == 1:
            return value  # without a transfer to the device
        return float(self.average(torch.tensor(value, dtype=torch.float64, device=device)))

    def any(self, flag: bool, device: torch.device | str) -> bool:
        """Whether the flag is set in any process, so that all act on it at the same step."""
        return self.average_number(float(flag), device) > 0

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """Run the block in process 0 before the others, which find its results."""
        if self.size > 1 and not self.leads:
            dist.barrier()
        yield
        if self.size > 1 and self.leads:
            dist.barrier()


@contextmanager
def process_group(device: str) -> Iterator[ProcessGroup]:
    """The group that torchrun started this process in; a group of one without torchrun."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ProcessGroup()
        return
    cuda = torch.device(device).type == "cuda"
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if cuda else "gloo", timeout=_TIMEOUT)
    try:
        yield ProcessGroup(dist.get_rank(), size)
        dist.barrier()  # no process may exit while another is in its last collective operation
    finally:
        dist.destroy_process_group()
