"""Training steps of a clip's own field, with the sizes it was encoded with.

``dynerf_encoder.train.Trainer`` does them, from the clip's weights, on rays drawn evenly from all the clip's
cameras and with made-up colours, so no capture is needed and what reading its pictures costs is left out.
Steps of torch alone, the plain way, and the trainer's own, the fast one, take turns; bits count in both, as
they do in most of a training. The trainer's group, through which processes would exchange numbers, is where a
step's stages meet, and tells when each ends. Those of the plain way, and of the fast one where there are no
kernels for it:

    draw       which rays, and their origins and directions
    forward    fold, render, loss
    backward   gradients
    optimiser  total variation, the price of bits and Adam

A GPU replays a step of the fast way as a whole: ``draw``, ``step``, and in ``optimiser`` only what is left.

Kernels follow rays forward and back at once, and form the planes' gradients where they use them:

    draw       as above
    fold       the planes of the step's frames, rounded
    rays       render, loss, the gradients of networks and samples
    scatter    the samples' gradients, added up in the folded planes
    optimiser  the planes' gradients and all else above
"""

import copy
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from dynerf_decoder.clip import Clip
from dynerf_encoder.config import Config
from dynerf_encoder.frame_store import FrameStore
from dynerf_encoder.job import Job, check_job
from dynerf_encoder.overrides import apply_assignments, known_keys
from dynerf_encoder.parallel import Group
from dynerf_encoder.presets import PRESETS, preset
from dynerf_encoder.rays import Rays, RaySource
from dynerf_encoder.stages import Plan, Stage
from dynerf_encoder.train import Trainer
from dynerf_format.errors import ConfigError

from .effort import Effort
from .machine import Laps

_MOST_FLOATS = {
    "cpu": 2**28,
    "cuda": 2**31,
}  # of samples' features; gradients keep several times that


@dataclass(frozen=True)
class Training:
    """Rays per second of whole steps, mean seconds of each stage of a step, and a step's numbers of rays.

    Rates are of the median step. Names with ``plain`` are of torch alone. ``rays_per_step`` is below
    ``recorded_rays_per_step`` where those would not fit into memory.
    """

    rays_per_s: float
    plain_rays_per_s: float
    stages: dict[str, float]
    plain_stages: dict[str, float]
    rays_per_step: int
    recorded_rays_per_step: int


def measure_training(clip: Clip, effort: Effort, watch: Callable[[int, int], None]) -> Training:
    """Time some steps; ``watch`` is told steps done, of all.

    Raises ConfigError when the clip records settings that cannot be trained with.
    """
    recorded = recorded_config(clip)
    schedule = replace(recorded.schedule, rays=_affordable_rays(clip, recorded))
    config = replace(recorded, schedule=schedule, rate=replace(recorded.rate, start=0.0))
    ways = [_Way(clip, config, kernels=kernels) for kernels in (True, False)]
    total = effort.warm_steps + effort.steps
    for done in range(1, total + 1):
        for way in ways:
            way.step(timed=done > effort.warm_steps)
        watch(done, total)
    fast, plain = ways
    return Training(
        fast.rays / statistics.median(fast.seconds), plain.rays / statistics.median(plain.seconds),
        fast.stages(), plain.stages(), fast.rays, recorded.schedule.rays,
    )  # fmt: skip


class _Way:
    """A training, step by step."""

    def __init__(self, clip: Clip, config: Config, *, kernels: bool) -> None:
        self._laps = Laps(clip.device)
        self._steps = _trainer(clip, config, self._laps, kernels=kernels).run()
        self.seconds: list[float] = []
        self.rays = 0

    def step(self, *, timed: bool) -> None:
        """Do one step."""
        self._laps.restart()
        before = sum(self._laps.seconds.values())
        self.rays = next(self._steps).rays
        self._laps.lap("optimiser")
        if timed:
            self.seconds.append(sum(self._laps.seconds.values()) - before)
        else:
            self._laps.seconds.clear()

    def stages(self) -> dict[str, float]:
        """Mean seconds of each stage."""
        return {name: seconds / len(self.seconds) for name, seconds in self._laps.seconds.items()}


def recorded_config(clip: Clip) -> Config:
    """The settings a clip was encoded with, as far as a step's cost depends on them; a preset's for the rest.

    Raises ConfigError when they make no sense.
    """
    values = clip.header.config
    kind = clip.header.field.kind
    clip.model(0)  # so the kind of field is known, and its settings are sound
    name = values.get("preset")
    base = preset(name if name in PRESETS else "preview", "mlp" if kind == "mlp" else "planes")
    sections = {part: values.get(part) for part in ("schedule", "optimiser", "rate", "quantisation")}
    sections |= {"sampling": asdict(clip.sampling), kind: clip.header.field.settings}
    try:
        config = apply_assignments(base, _assignments(sections))
        check_job(Job(Path(), Path(), config))
    except ConfigError as error:
        raise ConfigError(f"{clip.name}: its recorded settings cannot be trained with: {error}") from error
    return config


def _assignments(sections: dict[str, Any]) -> list[str]:
    """Known settings as ``section.key=value``."""
    known = set(known_keys())
    return [
        f"{section}.{key}={_text(value)}"
        for section, values in sections.items()
        if isinstance(values, dict)
        for key, value in values.items()
        if f"{section}.{key}" in known
    ]


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _affordable_rays(clip: Clip, config: Config) -> int:
    """The recorded number of rays per step, or as many as memory may hold; at least one of each frame."""
    samples = clip.sampling.coarse + clip.sampling.fine
    most = _MOST_FLOATS[clip.device.type] // (samples * clip.fold(0.0).floats_per_sample)
    return max(config.schedule.frames_per_step, min(config.schedule.rays, most))


def _trainer(clip: Clip, config: Config, laps: Laps, *, kernels: bool) -> Trainer:
    model = copy.deepcopy(clip.model(0)).train().requires_grad_(True)
    source = RaySource(_made_up_store(clip), tuple(range(len(clip.cameras))), clip.device)
    frames = tuple(range(clip.frames))
    plan = Plan((Stage("uniform", 1.0, frames, 1.0),), 10**6, frames)
    return Trainer(
        config, model, clip.space, source, {}, plan,
        frames=clip.frames, seed=0, time_limit=None, group=_Marks(lap=laps.lap), kernels=kernels,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Marks(Group):
    """A group of one process that tells when a stage of the step has ended."""

    lap: Callable[[str], None]

    def share(self, rays: Rays) -> Rays:
        self.lap("draw")
        return super().share(rays)

    def ended(self, stage: str) -> None:
        self.lap(stage)

    def average(self, values: Tensor) -> Tensor:
        self.lap("forward")
        return super().average(values)

    def average_gradients(self, parameters: Sequence[Tensor]) -> None:
        self.lap("backward")
        super().average_gradients(parameters)


class _MadeUpStore(FrameStore):
    """Pictures that nobody filmed: smooth in the pixel's number, and changing from frame to frame."""

    def gather(self, view_idx: np.ndarray, frame_idx: np.ndarray, pixel_idx: np.ndarray) -> np.ndarray:
        rows, columns = np.divmod(pixel_idx, self.width)
        parts = (255 * rows // self.height, 255 * columns // self.width, frame_idx % 256)
        return np.stack(parts, axis=-1).astype(np.uint8)


def _made_up_store(clip: Clip) -> FrameStore:
    """A store of the clip's cameras and frames, all of the first camera's size."""
    first, count = clip.cameras[0], len(clip.cameras)
    return _MadeUpStore(
        folder=Path(),
        names=tuple(camera.name for camera in clip.cameras),
        cameras=tuple(camera.with_size(first.width, first.height) for camera in clip.cameras),
        near=(0.0,) * count,
        far=(0.0,) * count,
        frames=clip.frames,
        height=first.height,
        width=first.width,
        fps=clip.fps,
        first_source_frame=0,
        fingerprint="",
        _pictures=(),
    )
