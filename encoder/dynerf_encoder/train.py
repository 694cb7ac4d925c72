"""Training: the differentiable decoder, run backwards, one step at a time.

A step draws rays of a few frames, renders them through ``dynerf_decoder`` and lets Adam follow the squared
error of the fine colours, plus that of the coarse colours (``mlp``; DyNeRF, eq. 4) or the histogram bound
that teaches the coarse density where to sample (``planes``; mip-NeRF 360, eq. 13). In the last part of the
schedule the model is rendered as the file will hold it, and bits count too (``rate.py``).

All randomness of step n comes from (seed, n). A training resumed from a checkpoint therefore draws what the
uninterrupted one would have drawn, and on a CPU ends with the same bits.
"""

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from dynerf_decoder.ahead import Ahead
from dynerf_decoder.compile_clock import CompileClock
from dynerf_decoder.fields.field import Model
from dynerf_decoder.fields.planes import PlanesModel, without_kernels
from dynerf_decoder.sampling import Noise
from dynerf_decoder.space import Space
from dynerf_decoder.threads import threads_for_parts
from dynerf_format.errors import ConfigError, ResumeError

from .autograd_step import AutogradStep, Lesson
from .compiler import compiler_for
from .conditioning import initial_latents
from .config import Config, Optimiser
from .fast_step import Batch, FastStep, prepare, serves
from .figures import Figures
from .gpu_step import GpuStep
from .graphed_step import Graphs, graphs_on
from .importance import ImportanceMap
from .parallel import Group
from .rate_control import RateControl
from .rays import Rays, RaySource
from .rounding import is_plane
from .stages import Plan, StageName, interpolate_latents, learning_rate
from .staging import StagedRays, StagedSource, sent

_ALONE = Group()
_Drawn = Ahead[tuple[int, int], tuple[Rays, torch.Generator, Batch | None]]


@dataclass(frozen=True)
class Place:
    """Where a training is: steps done, position in the schedule (0 to 1), seconds spent, stage number."""

    step: int = 0
    position: float = 0.0
    seconds: float = 0.0
    stage: int = 0


@dataclass(frozen=True)
class Report:
    """What one step did; ``psnr`` is of the step's training rays, in dB."""

    place: Place
    stage: StageName
    loss: float
    psnr: float
    rays: int


class Trainer:
    """A model, its latents (one per frame) and Adam, taken through the plan's stages."""

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
        group: Group = _ALONE,
        kernels: bool = True,
        ahead: bool = True,
        graphs: Graphs | None = None,
    ) -> None:
        """``maps`` may lack stages that draw evenly; ``time_limit`` in seconds of training.

        ``group`` are the processes that train together. Raises ConfigError when they cannot share the batch.
        Without ``kernels`` torch alone computes, operation by operation: the reference. Rays of steps by
        kernels, and rays that are sent to a GPU, are drawn while the step before computes, unless ``ahead``
        is unset. ``graphs`` capture steps; a GPU's own do in a single process, unless there is a target.
        """
        group.check(config.schedule.frames_per_step)
        self._group = group
        self.model = model
        self.place = Place()
        self._config = config
        self._space = space
        self._source = source
        self._maps = maps
        self._plan = plan
        self._seed = seed
        self._time_limit = time_limit
        self._device = next(model.parameters()).device
        self._figures = Figures(self._device)
        on_cpu = self._device.type == "cpu" and graphs is None
        by_kernels = kernels and on_cpu and isinstance(model, PlanesModel)
        self._threads = threads_for_parts if by_kernels else nullcontext if kernels else without_kernels
        latents = initial_latents(config, plan, frames, model.latent_size, seed).to(self._device)
        self.latents = torch.nn.Parameter(latents, requires_grad=config.conditioning.kind == "latent")
        self.rate = RateControl(config.rate, config.quantisation, plan.steps)
        groups = _parameter_groups(model, self.latents, config.optimiser)
        self._parameters = [parameter for parameters, _ in groups for parameter in parameters]
        self._rates = [rate for _, rate in groups]
        # A texel that few rays touch has tiny gradients: the usual epsilon of 1e-8 would drown them.
        self._adam = torch.optim.Adam(
            [{"params": parameters, "lr": rate} for parameters, rate in groups],
            betas=(0.9, config.optimiser.beta2), eps=1e-15, fused=True,
        )  # fmt: skip
        self._fast: FastStep | None = None
        if by_kernels and group.size == 1 and isinstance(model, PlanesModel) and serves(config, model):
            self._fast = FastStep(config, model, self.latents, self._adam, self.rate)
        if graphs is None and kernels and group.size == 1 and config.rate.target == 0:
            graphs = graphs_on(self._device)  # to follow a target every step's estimate has to be read
        self._by_autograd, self._replayed = self._by_torch(graphs)
        self._draws_ahead = ahead and (self._fast is not None or isinstance(source, StagedSource))

    def _by_torch(self, graphs: Graphs | None) -> tuple[AutogradStep, GpuStep | None]:
        """Steps by torch alone; with ``graphs`` such as can be captured."""
        config, optimised = self._config, (self.model, self.latents, self._adam, self.rate)
        if graphs is None:
            return AutogradStep(config, *optimised, self._group), None
        compiler = compiler_for(config.field, self._device)
        step = AutogradStep(config, *optimised, _ALONE, compiler)  # nobody is told of what happens within
        return step, GpuStep(step, self.latents, self._adam, self._space, config.sampling, graphs)

    @property
    def finished(self) -> bool:
        """Whether the schedule has reached its end."""
        return self.place.position >= 1

    def run(self, compiling: Callable[[], None] = lambda: None) -> Generator[Report, None, None]:
        """Train to the end of the schedule, yielding after every step; stop asking to pause.

        ``compiling`` is called once if kernels have to be compiled, for which no time of the training is
        counted. Close the iterator to end its thread.
        """
        clock = CompileClock(compiling)
        with clock.running(), closing(Ahead(self._draw)) as drawn:
            yield from self._run(drawn, clock)

    def _run(self, drawn: _Drawn, clock: CompileClock) -> Iterator[Report]:
        started = time.monotonic() - clock.seconds - self.place.seconds
        while not self.finished:
            stage = self._plan.stages[self.place.stage].name
            with self._threads():
                loss, rendered_psnr, rays = self._step(drawn)
            step, seconds = self.place.step + 1, time.monotonic() - clock.seconds - started
            position = step / self._plan.steps
            if self._time_limit is not None:
                seconds = self._group.average_number(seconds, self._device)
                position = max(position, seconds / self._time_limit)
            self._move_to(step, min(position, 1.0), seconds)
            yield Report(self.place, stage, loss, rendered_psnr, rays)
            # What the caller did meanwhile is not training.
            started = time.monotonic() - clock.seconds - self.place.seconds

    def _move_to(self, step: int, position: float, seconds: float) -> None:
        stage = self._plan.index_at(position)
        leaving = stage != self.place.stage or position >= 1
        keyframes = self._plan.stages[self.place.stage].name == "keyframes"
        if keyframes and leaving and self.latents.requires_grad:
            with torch.no_grad():
                self.latents.copy_(interpolate_latents(self.latents, self._plan.keyframes))
        self.place = Place(step, position, seconds, stage)

    def _step(self, drawn: _Drawn) -> tuple[float, float, int]:
        stage = self._plan.stages[self.place.stage]
        rays, generator, batch = drawn.take((self.place.step, self.place.stage))
        if isinstance(rays, StagedRays):
            rays = rays.arrived()
        count, rays = rays.colours.shape[0] * rays.colours.shape[1], self._group.share(rays)
        if self._draws_ahead and (following := self._following()) is not None:
            drawn.begin(following)
        rate = stage.rate * learning_rate(self._config.optimiser, self.place.position, self.place.step)
        for group, base in zip(self._adam.param_groups, self._rates, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(base * rate)
            else:
                group["lr"] = base * rate
        value, squared_error = self._learn(rays, generator, batch)
        return value, -10 * math.log10(max(squared_error, 1e-10)), count

    def _learn(self, rays: Rays, generator: torch.Generator, batch: Batch | None) -> tuple[float, float]:
        """Change the model; the step's loss and squared error."""
        position = self.place.position
        if self._fast is not None and batch is not None:
            self._adam.zero_grad(set_to_none=True)
            frames = torch.as_tensor(rays.frames)
            return self._fast(batch, frames, position, self._check, self._group.ended)
        if self._replayed is not None:
            stored = self.rate.active(position)
            figures = self._replayed(rays, generator, self.place.stage, position, stored=stored)
            self._group.ended("step")
            return self._read(figures)
        noise = self._group.noise(generator, self._config.schedule.frames_per_step)
        return self._plain_step(rays, noise)

    def _draw(self, key: tuple[int, int]) -> tuple[Rays, torch.Generator, Batch | None]:
        """The rays of a step in a stage, by their numbers, and what the step draws its jitter from.

        For a step by kernels the jitter is drawn, too.
        """
        step, stage = key[0], self._plan.stages[key[1]]
        rng = np.random.default_rng([self._seed, step])
        schedule = self._config.schedule
        rays = self._source.draw(
            rng, stage.frames, schedule.frames_per_step, schedule.rays,
            self._maps.get(stage.name), self._config.importance.share,
        )  # fmt: skip
        generator = torch.Generator(self._device).manual_seed(int(rng.integers(2**62)))
        if self._fast is None:
            return rays, generator, None
        segments = self._space.clip(rays.origins, rays.directions)
        return rays, generator, prepare(rays, segments, generator, self._config)

    def _following(self) -> tuple[int, int] | None:
        """The step after this one and its stage, unless time makes it another; None after the last one."""
        step = self.place.step + 1
        position = max(step / self._plan.steps, self.place.position)
        return None if position >= 1 else (step, self._plan.index_at(position))

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise ConfigError(
                f"training diverged at step {self.place.step}: the loss is {loss}; lower "
                "optimiser.planes_rate and optimiser.network_rate"
            )

    def _plain_step(self, rays: Rays, noise: Noise) -> tuple[float, float]:
        """By autograd, operation by operation: in several processes, and the reference."""
        frames = sent(torch.from_numpy(rays.frames), self._device)
        segments = self._space.clip(rays.origins, rays.directions)
        lesson = Lesson(frames, segments, rays.directions, rays.colours, lambda: noise)
        told: list[tuple[float, float]] = []
        self._by_autograd(lesson, self.place.position, lambda figures: told.append(self._read(figures)))
        return told[0]

    def _read(self, figures: Tensor) -> tuple[float, float]:
        value, squared_error = self._figures.read(figures)
        self._check(value)
        return value, squared_error

    def export(self) -> tuple[dict[str, object], dict[str, np.ndarray]]:
        """The trainer's place and all its numbers, for a checkpoint."""
        arrays = {f"model/{name}": _array(value) for name, value in self.model.named_parameters()}
        arrays["latents"] = _array(self.latents)
        arrays["rate"] = self.rate.export()
        for index, parameter in enumerate(self._parameters):
            for name, value in self._adam.state[parameter].items():
                arrays[f"adam/{index}/{name}"] = _array(value)
        return asdict(self.place), arrays

    @torch.no_grad()
    def restore(self, place: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> None:
        """Go on where ``export`` was called. Raises ResumeError when the arrays are not this model's."""
        try:
            for name, value in self.model.named_parameters():
                _fill(value, arrays[f"model/{name}"])
            _fill(self.latents, arrays["latents"])
            self.rate.restore(arrays["rate"])
            for index, parameter in enumerate(self._parameters):
                # Adam makes its state on the first step with a gradient; make it here to fill it.
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
            self.place = _place(place, self._plan)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ResumeError(f"the checkpoint does not hold this model: {error}") from error


def _place(state: Mapping[str, object], plan: Plan) -> Place:
    """A place read from a checkpoint; KeyError or TypeError when it cannot be one of this plan."""
    step, position, seconds, stage = (state[name] for name in ("step", "position", "seconds", "stage"))
    if not (isinstance(step, int) and isinstance(stage, int)):
        raise TypeError(f"step {step!r} and stage {stage!r}, expected whole numbers")
    if not (isinstance(position, float) and isinstance(seconds, float)):
        raise TypeError(f"position {position!r} and seconds {seconds!r}, expected numbers")
    if not (step >= 0 and 0 <= position <= 1 and 0 <= seconds < math.inf and 0 <= stage < len(plan.stages)):
        raise TypeError(f"step {step} at position {position} in stage {stage} is outside the plan")
    return Place(step, position, seconds, stage)


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
        raise KeyError(f"an array of shape {array.shape} where {tuple(target.shape)} belongs")
    target.copy_(torch.as_tensor(array))
