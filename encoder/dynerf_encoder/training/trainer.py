"""Training: rays rendered by the differentiable decoder, with gradients, one step at a time.

A step draws rays of a few frames, renders them through ``dynerf_decoder`` and lets Adam minimise the squared
error of the fine colours, plus that of the coarse colours (``mlp``; DyNeRF, eq. 4) or the histogram bound
that trains the coarse density (``planes``; mip-NeRF 360, eq. 13). In the last part of the schedule the model
is rendered as the file will hold it, and the rate term is added (``rate/rate_loss.py``).

The random numbers of step n are derived from (seed, n). A training resumed from a checkpoint therefore draws
the same ones as an uninterrupted one, and on a CPU ends with the same bits.
"""

import copy
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dynerf_decoder.backends.cpu.compile_clock import CompileClock
from dynerf_decoder.clip.prefetch import Prefetcher
from dynerf_decoder.fields.field import Model
from dynerf_decoder.scene.contraction import Space
from dynerf_encoder.config.schema import Config, Optimiser
from dynerf_encoder.importance.build import ImportanceMap
from dynerf_encoder.rate.rate_control import RateControl
from dynerf_encoder.rate.step_sizes import is_plane
from dynerf_encoder.rays.cpu_source import RaySource
from dynerf_encoder.schedule.conditioning import initial_latents
from dynerf_encoder.schedule.stages import Plan, Stage, StageName, interpolate_latents, learning_rate
from dynerf_encoder.step.distributed import ProcessGroup
from dynerf_encoder.step.factory import make_step
from dynerf_encoder.step.protocol import StepFactory, StepMetrics, StepState
from dynerf_format.errors import ConfigError, ResumeError

_SINGLE_PROCESS = ProcessGroup()
_Drawn = Prefetcher[tuple[int, int], Any]


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of a training: steps done, position in the schedule (0 to 1), seconds, stage index."""

    step: int = 0
    position: float = 0.0
    seconds: float = 0.0
    stage: int = 0


@dataclass(frozen=True)
class StepReport:
    """The result of one step; ``psnr`` is that of the step's training rays, in dB."""

    progress: TrainingProgress
    stage: StageName
    loss: float
    psnr: float
    rays: int


class Trainer:
    """Trains a model and its latents (one per frame) with Adam through the stages of a plan."""

    def __init__(
        self,
        config: Config,
        model: Model,
        space: Space,
        source: RaySource,
        maps: Mapping[StageName, ImportanceMap],
        plan: Plan,
        *,
        frames: int,
        seed: int,
        time_limit: float | None,
        group: ProcessGroup = _SINGLE_PROCESS,
        make_step: StepFactory = make_step,
        rate: RateControl | None = None,
    ) -> None:
        """``maps`` may lack stages that draw evenly; ``time_limit`` in seconds of training.

        ``rate`` replaces the rate control of the configuration. ``group`` are the processes that train
        together. Raises ConfigError when they cannot share the batch.
        """
        group.check(config.schedule.frames_per_step)
        self._group = group
        self.model = model
        self.progress = TrainingProgress()
        self.config = config
        self._space = space
        self._source = source
        self._maps = maps
        self.plan = plan
        self._seed = seed
        self._time_limit = time_limit
        self._device = next(model.parameters()).device
        latents = initial_latents(config, plan, frames, model.latent_size, seed).to(self._device)
        self.latents = torch.nn.Parameter(latents, requires_grad=config.conditioning.kind == "latent")
        self.rate = rate or RateControl(config.rate, config.quantisation, plan.steps)
        groups = _parameter_groups(model, self.latents, config.optimiser)
        self._parameters = [parameter for parameters, _ in groups for parameter in parameters]
        self._rates = [rate for _, rate in groups]
        # Gradients of a texel that few rays touch can be far smaller than the usual epsilon of 1e-8.
        self._adam = torch.optim.Adam(
            [{"params": parameters, "lr": rate} for parameters, rate in groups],
            betas=(0.9, config.optimiser.beta2), eps=1e-15, fused=True,
        )  # fmt: skip
        state = StepState(config, space, model, self.latents, self._adam, self.rate, group)
        self._step = make_step(state)
        self._prefetch = self._step.prefetch or source.prefetch

    def branch(self, config: Config, plan: Plan, rate: RateControl) -> "Trainer":
        """A training of copies of model and latents on the same rays, drawn evenly, in one process.

        It takes the rays per step that this process took.
        """
        rays = max(1, config.schedule.rays // self._group.size)
        config = replace(config, schedule=replace(config.schedule, rays=rays))
        branch = Trainer(
            config, copy.deepcopy(self.model), self._space, self._source, {}, plan,
            frames=len(self.latents), seed=self._seed, time_limit=None, rate=rate,
        )  # fmt: skip
        with torch.no_grad():
            branch.latents.copy_(self.latents)
        return branch

    @property
    def finished(self) -> bool:
        """Whether the schedule has reached its end."""
        return self.progress.position >= 1

    def run(self, on_compile: Callable[[], None] = lambda: None) -> Generator[StepReport, None, None]:
        """Train to the end of the schedule, yielding after every step; stop iterating to pause.

        ``on_compile`` is called once if kernels have to be compiled; that time does not count as training.
        Close the iterator to end its thread.
        """
        clock = CompileClock(on_compile)
        with clock.running(), closing(Prefetcher(self._draw)) as drawn:
            yield from self._run(drawn, clock)

    def _run(self, drawn: _Drawn, clock: CompileClock) -> Iterator[StepReport]:
        started = time.monotonic() - clock.seconds - self.progress.seconds
        while not self.finished:
            stage = self.plan.stages[self.progress.stage]
            metrics = self._train_step(drawn, stage)
            step, seconds = self.progress.step + 1, time.monotonic() - clock.seconds - started
            position = step / self.plan.steps
            if self._time_limit is not None:
                seconds = self._group.average_number(seconds, self._device)
                position = max(position, seconds / self._time_limit)
            self._move_to(step, min(position, 1.0), seconds)
            yield self._report(stage.name, metrics)
            # Exclude the time that the caller took.
            started = time.monotonic() - clock.seconds - self.progress.seconds

    def _move_to(self, step: int, position: float, seconds: float) -> None:
        stage = self.plan.index_at(position)
        leaving = stage != self.progress.stage or position >= 1
        keyframes = self.plan.stages[self.progress.stage].name == "keyframes"
        if keyframes and leaving and self.latents.requires_grad:
            with torch.no_grad():
                self.latents.copy_(interpolate_latents(self.latents, self.plan.keyframes))
        self.progress = TrainingProgress(step, position, seconds, stage)

    def _report(self, stage: StageName, metrics: StepMetrics) -> StepReport:
        schedule = self.config.schedule
        rays = schedule.rays // schedule.frames_per_step * schedule.frames_per_step
        psnr = -10 * math.log10(max(metrics.squared_error, 1e-10))
        return StepReport(self.progress, stage, metrics.loss, psnr, rays)

    def _train_step(self, drawn: _Drawn, stage: Stage) -> StepMetrics:
        prepared = drawn.get((self.progress.step, self.progress.stage))
        if self._prefetch and (next_step := self._next_step()) is not None:
            drawn.submit(next_step)
        rate = stage.rate * learning_rate(self.config.optimiser, self.progress.position, self.progress.step)
        for group, base in zip(self._adam.param_groups, self._rates, strict=True):
            group["lr"] = base * rate
        metrics = self._step(prepared, self.progress.position)
        if not math.isfinite(metrics.loss):
            raise ConfigError(
                f"training diverged at step {self.progress.step}: the loss is {metrics.loss}; lower "
                "optimiser.planes_rate and optimiser.network_rate"
            )
        return metrics

    def _draw(self, key: tuple[int, int]) -> Any:
        """The rays of a step in a stage, given by their numbers, drawn and prepared."""
        step, stage = key[0], self.plan.stages[key[1]]
        rng = np.random.default_rng([self._seed, step])
        schedule = self.config.schedule
        rays = self._source.draw(
            rng, stage.frames, schedule.frames_per_step, schedule.rays,
            self._maps.get(stage.name), self.config.importance.share,
        )  # fmt: skip
        generator = torch.Generator(self._device).manual_seed(int(rng.integers(2**62)))
        return self._step.prepare(rays, generator)

    def _next_step(self) -> tuple[int, int] | None:
        """The next step and its stage, unless a time limit changes the stage; None after the last one."""
        step = self.progress.step + 1
        position = max(step / self.plan.steps, self.progress.position)
        return None if position >= 1 else (step, self.plan.index_at(position))

    def export(self) -> tuple[dict[str, object], dict[str, np.ndarray]]:
        """The trainer's progress and all its parameters, for a checkpoint."""
        arrays = {f"model/{name}": _array(value) for name, value in self.model.named_parameters()}
        arrays["latents"] = _array(self.latents)
        arrays["rate"] = self.rate.export()
        for index, parameter in enumerate(self._parameters):
            for name, value in self._adam.state[parameter].items():
                arrays[f"adam/{index}/{name}"] = _array(value)
        return asdict(self.progress), arrays

    @torch.no_grad()
    def restore(self, progress: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> None:
        """Resume from what ``export`` returned. Raises ResumeError if the arrays do not fit this model."""
        try:
            for name, value in self.model.named_parameters():
                _fill(value, arrays[f"model/{name}"])
            _fill(self.latents, arrays["latents"])
            self.rate.restore(arrays["rate"])
            for index, parameter in enumerate(self._parameters):
                # Adam creates its state on the first step with a gradient; create it here to fill it.
                state = {
                    "step": torch.zeros((), dtype=torch.float32, device=self._device),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }
                if f"adam/{index}/step" not in arrays:
                    continue
                for name, moment in state.items():
                    _fill(moment, arrays[f"adam/{index}/{name}"])
                self._adam.state[parameter] = state
            self.progress = _parse_progress(progress, self.plan)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ResumeError(f"the checkpoint does not hold this model: {error}") from error


def _parse_progress(state: Mapping[str, object], plan: Plan) -> TrainingProgress:
    """The progress read from a checkpoint; KeyError or TypeError if it is not valid for this plan."""
    step, position, seconds, stage = (state[name] for name in ("step", "position", "seconds", "stage"))
    if not (isinstance(step, int) and isinstance(stage, int)):
        raise TypeError(f"step {step!r} and stage {stage!r}, expected whole numbers")
    if not (isinstance(position, float) and isinstance(seconds, float)):
        raise TypeError(f"position {position!r} and seconds {seconds!r}, expected numbers")
    if not (step >= 0 and 0 <= position <= 1 and 0 <= seconds < math.inf and 0 <= stage < len(plan.stages)):
        raise TypeError(f"step {step} at position {position} in stage {stage} is outside the plan")
    return TrainingProgress(step, position, seconds, stage)


def _parameter_groups(
    model: Model, latents: Tensor, optimiser: Optimiser
) -> list[tuple[list[Tensor], float]]:
    """Planes, networks and latents, each with its own learning rate."""
    planes: list[Tensor] = [value for name, value in model.named_parameters() if is_plane(name)]
    networks: list[Tensor] = [value for name, value in model.named_parameters() if not is_plane(name)]
    groups = [
        (planes, optimiser.planes_rate),
        (networks, optimiser.network_rate),
        ([latents] if latents.requires_grad else [], optimiser.network_rate * optimiser.latent_gain),
    ]
    return [(parameters, rate) for parameters, rate in groups if parameters]


def _array(value: Tensor) -> np.ndarray:
    array: np.ndarray = value.detach().cpu().numpy().copy()
    return array


def _fill(target: Tensor, array: np.ndarray) -> None:
    if tuple(target.shape) != array.shape:
        raise KeyError(f"an array of shape {array.shape}, expected {tuple(target.shape)}")
    target.copy_(torch.as_tensor(array))
