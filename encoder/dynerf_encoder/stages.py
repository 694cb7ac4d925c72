"""The paper's hierarchical training as a list of stages along one axis, the position from 0 to 1.

Keyframes first, then all frames with ISG weights, then all frames with IST weights at a lower rate (DyNeRF,
3.2). A position is normally step / steps. Under a time limit it is at least elapsed / limit, so that all
stages and the decay of the learning rate still take place, only with fewer steps.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_format.errors import ConfigError

from .config import Optimiser, Schedule

StageName = Literal["keyframes", "isg", "ist"]


@dataclass(frozen=True)
class Stage:
    """A stretch of the training: it ends at position ``end``; ``rate`` scales all learning rates."""

    name: StageName
    end: float
    frames: tuple[int, ...]
    rate: float


@dataclass(frozen=True)
class Plan:
    """All stages, the number of steps they have together, and the keyframes."""

    stages: tuple[Stage, ...]
    steps: int
    keyframes: tuple[int, ...]

    def index_at(self, position: float) -> int:
        """The number of the stage a position lies in."""
        for index, stage in enumerate(self.stages):
            if position < stage.end:
                return index
        return len(self.stages) - 1


def plan_training(schedule: Schedule, frames: int) -> Plan:
    """Lay out the stages for a clip. Raises ConfigError when nothing is left to do."""
    keys = keyframes(frames, schedule.keyframe_interval)
    every = tuple(range(frames))
    parts: list[tuple[StageName, int, tuple[int, ...], float]] = [
        ("keyframes", round(schedule.keyframe_steps * schedule.scale), keys, 1.0),
        ("isg", round(schedule.isg_steps * schedule.scale), every, 1.0),
        ("ist", round(schedule.ist_steps * schedule.scale), every, schedule.ist_rate),
    ]
    total = sum(steps for _, steps, _, _ in parts)
    if total < 1:
        raise ConfigError(
            f"schedule: {total} training steps, expected at least one (scale {schedule.scale:g})"
        )
    stages, done = [], 0
    for name, steps, chosen, rate in parts:
        done += steps
        if steps > 0:
            stages.append(Stage(name, done / total, chosen, rate))
    return Plan(tuple(stages), total, keys)


def keyframes(frames: int, interval: int) -> tuple[int, ...]:
    """Every ``interval``-th frame, and the last one, so that all others lie between two keyframes."""
    if interval < 1:
        raise ConfigError(f"schedule.keyframe_interval: found {interval}, expected 1 or more")
    return tuple(sorted({*range(0, frames, interval), frames - 1}))


def interpolate_latents(
    latents: Float[Tensor, "frame latent"], keys: Sequence[int]
) -> Float[Tensor, "frame latent"]:
    """Latents of all frames by linear interpolation between the keyframes' (DyNeRF, 3.2)."""
    result = latents.clone()
    for first, last in itertools.pairwise(keys):
        shares = torch.arange(last - first + 1, device=latents.device, dtype=latents.dtype) / (last - first)
        result[first : last + 1] = torch.lerp(latents[first], latents[last], shares.unsqueeze(-1))
    return result


def learning_rate(optimiser: Optimiser, position: float, step: int) -> float:
    """The factor on all learning rates: a short linear rise, then exponential decay over the training."""
    rise = min(1.0, (step + 1) / (optimiser.warm_up + 1))
    return float(rise * optimiser.final_rate**position)
