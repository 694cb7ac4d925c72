"""Progress reports of work of known length, for the calling program."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Progress:
    """One report: ``done`` of ``total`` units of a task, such as pictures.

    A message without a count has ``total`` 0. ``detail`` is text for people; ``metrics`` has numbers by
    name. A training reports step, loss, psnr and held_out_psnr (dB), rays_per_second and seconds. ``str``
    gives one line.
    """

    task: str
    done: int | float
    total: int | float
    detail: str = ""
    metrics: Mapping[str, int | float] = field(default_factory=dict)

    def __str__(self) -> str:
        share = f"{100 * self.done / self.total:.0f} %" if self.total else ""
        return f"{self.task}: " + ", ".join(part for part in (share, self.detail) if part)


OnProgress: TypeAlias = Callable[[Progress], object]
