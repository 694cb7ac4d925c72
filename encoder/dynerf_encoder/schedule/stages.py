"""Plans the paper's hierarchical training: stages along one axis, the position from 0 to 1.

Keyframes first, then all frames with ISG weights, then all frames with IST weights at a lower learning rate
(DyNeRF, 3.2). The position is normally step / steps. Under a time limit it is at least elapsed / limit, so
that all stages and the full decay of the learning rate still happen, only with fewer steps.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_encoder.config.schema import Optimiser, Schedule, Strategy
from dynerf_format.errors import ConfigError

StageName = Literal["keyframes", "uniform", "isg", "ist"]


@dataclass(frozen=True)
class Stage:
    """A part of the training that ends at position ``end``; ``rate`` scales all learning rates."""

    name: StageName
    end: float
    frames: tuple[int, ...]
    rate: float


@dataclass(frozen=True)
class Plan:
    """All stages, their total number of steps, and the keyframes."""

    stages: tuple[Stage, ...]
    steps: int
    keyframes: tuple[int, ...]

    def index_at(self, position: float) -> int:
        """The index of the stage that contains a position."""
        for index, stage in enumerate(self.stages):
            if position < stage.end:
                return index
        return len(self.stages) - 1


def plan_training(schedule: Schedule, frames: int, strategy: Strategy, keys: tuple[int, ...]) -> Plan:
    """Plan the stages of a clip with the keyframes ``keys``. Raises ConfigError when no step remains.

    Without ``schedule.hierarchical`` every frame counts as a keyframe and stage 1 is omitted; the total
    number of steps stays. A strategy other than "isg+ist" merges stages 2 and 3, at the full learning rate.
    """
    every = tuple(range(frames))
    keyframe_steps, isg_steps, ist_steps = (
        round(steps * schedule.scale)
        for steps in (schedule.keyframe_steps, schedule.isg_steps, schedule.ist_steps)
    )
    if not schedule.hierarchical:
        keys, isg_steps, keyframe_steps = every, isg_steps + keyframe_steps, 0
    parts: list[tuple[StageName, int, tuple[int, ...], float]] = [("keyframes", keyframe_steps, keys, 1.0)]
    if strategy == "isg+ist":
        parts += [("isg", isg_steps, every, 1.0), ("ist", ist_steps, every, schedule.ist_rate)]
    else:
        parts += [(strategy, isg_steps + ist_steps, every, 1.0)]
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


def interpolate_latents(
    latents: Float[Tensor, "frame latent"], keys: Sequence[int]
) -> Float[Tensor, "frame latent"]:
    """Latents of all frames, interpolated linearly between those of the keyframes (DyNeRF, 3.2)."""
    result = latents.clone()
    for first, last in itertools.pairwise(keys):
        shares = torch.arange(last - first + 1, device=latents.device, dtype=latents.dtype) / (last - first)
        result[first : last + 1] = torch.lerp(latents[first], latents[last], shares.unsqueeze(-1))
    return result


def learning_rate(optimiser: Optimiser, position: float, step: int) -> float:
    """The factor on all learning rates: a linear warm-up, and exponential decay over the training."""
    warm_up = min(1.0, (step + 1) / (optimiser.warm_up + 1))
    return float(warm_up * optimiser.final_rate**position)
