"""The training part of ``gpu.py``: steps of both fields with all that a GPU has, and with one thing less."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_decoder.scene.contraction import Space
from dynerf_encoder.captures.n3v import read_n3v
from dynerf_encoder.captures.scene_bounds import choose_space
from dynerf_encoder.config.presets import preset
from dynerf_encoder.config.schema import Config
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.importance.build import ImportanceMap, build_isg
from dynerf_encoder.rays.cpu_source import RaySource
from dynerf_encoder.rays.gpu_source import GpuRaySource
from dynerf_encoder.rays.pinned_source import PinnedRaySource
from dynerf_encoder.schedule.stages import Plan, Stage
from dynerf_encoder.step import factory as step_factory
from dynerf_encoder.step import reference as autograd_step
from dynerf_encoder.step.cuda_graph import CapturedGraph, GraphBackend, Work
from dynerf_encoder.step.deferred_metrics import DeferredMetrics
from dynerf_encoder.training.trainer import Trainer
from dynerf_format.frame_range import FrameRange
from gpu_parts import CAPTURE, SMALL, Bench, Left
from machine import now

_WARM, _MOST, _SECONDS = 10, 200, 2.0
_COMPARED = 17  # the step whose loss is told: the same rays for all; on a GPU every 16th is read
_QUICK = (5, 2, 1.0)


@dataclass(frozen=True)
class _Material:
    store: FrameStore
    views: tuple[int, ...]
    space: Space
    importance: ImportanceMap


@dataclass(frozen=True)
class _Way:
    """How steps are done: what draws their rays, what captures them, and what is exchanged meanwhile."""

    source: type[RaySource] = GpuRaySource
    graphs: Callable[[torch.device], GraphBackend] | None = None
    changes: tuple[Any, ...] = ()


class _OneByOne:
    """Captures nothing: steps are launched operation by operation, and captures compared with that."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def run_on_capture_stream(self, work: Work) -> Tensor:
        return work()

    def capture(self, work: Work) -> CapturedGraph:
        result = torch.zeros(2, device=self._device)
        return CapturedGraph(lambda: result.copy_(work()), result)

    def synchronise(self) -> None:
        """Nothing runs asynchronously."""


def steps(bench: Bench, left: Left) -> dict[str, Any]:
    """Rays per second, seconds of the first steps, the loss of one step; all learn from the same rays.

    Captured and compiled, only one of them, neither; then other options for themselves switched off.
    """
    material = _material(bench)
    found: dict[str, Any] = {}
    for name, config in _configurations(bench).items():
        for way, how in _ways(config).items():
            if left() < 2 * _SECONDS:
                found[f"{name}, {way}"] = "no time left"
                continue
            found[f"{name}, {way}"] = _measured(bench, config, material, how)
    return found


def _material(bench: Bench) -> _Material:
    capture = read_n3v(CAPTURE)
    store = FrameStore.build(
        capture, bench.folder / "frames", frames=FrameRange(), downscale=4 if bench.quick else 1
    )
    views = tuple(range(1, len(store.names)))
    importance = build_isg(store, views, range(store.frames), 2e-2, bench.folder / "maps", lambda *_: None)
    chosen = [capture.views[view] for view in views]
    bounds = [view.near for view in chosen], [view.far for view in chosen]
    return _Material(
        store, views, choose_space([view.camera for view in chosen], *bounds, "auto"), importance
    )


def _configurations(bench: Bench) -> dict[str, Config]:
    if bench.quick:
        small = replace(preset("preview", "mlp"), mlp=SMALL)
        return {"planes": preset("preview"), "mlp": replace(small, schedule=replace(small.schedule, rays=64))}
    paper = preset("paper")
    return {"planes (fast)": preset("fast"), "mlp (paper, 4,096 rays)": replace(
        paper, schedule=replace(paper.schedule, rays=4096)
    )}  # fmt: skip


def _ways(config: Config) -> dict[str, _Way]:
    plain = patch.object(step_factory, "compiler_for", lambda *_: None)
    every_step = patch.object(
        autograd_step, "DeferredMetrics", lambda _device: DeferredMetrics(torch.device("cpu"))
    )
    exact = patch.object(
        autograd_step,
        "half_precision_products",
        lambda _field, place: torch.autocast(place.type, torch.bfloat16, enabled=False),
    )
    ways = {
        "all on": _Way(),
        "launched one by one": _Way(graphs=_OneByOne),
        "not compiled": _Way(changes=(plain,)),
        "neither": _Way(graphs=_OneByOne, changes=(plain,)),
        "pictures in main memory": _Way(source=PinnedRaySource),
        "loss read every step": _Way(changes=(every_step,)),
        "float32 products, not compiled": _Way(changes=(exact, plain)),
    }
    if config.field == "planes":  # they have neither
        del ways["not compiled"], ways["neither"], ways["float32 products, not compiled"]
    return ways


def _measured(bench: Bench, config: Config, material: _Material, way: _Way) -> dict[str, Any]:
    with ExitStack() as stack, _warnings() as said:
        if way.graphs is not None:
            stack.enter_context(patch.object(step_factory, "graph_backend", way.graphs))
        for change in way.changes:
            stack.enter_context(change)
        trainer = _trainer(bench, config, material, way)
        return _timed(bench, trainer) | ({"said": "; ".join(said)} if said else {})


def _trainer(bench: Bench, config: Config, material: _Material, way: _Way) -> Trainer:
    torch.manual_seed(0)
    settings = config.planes if config.field == "planes" else config.mlp
    model = build_model(config.field, settings_record(settings)).to(bench.place)
    every = tuple(range(material.store.frames))
    plan = Plan((Stage("isg", 1.0, every, 1.0),), 10**6, every)
    return Trainer(
        config, model, material.space, way.source(material.store, material.views, bench.place),
        {"isg": material.importance}, plan, frames=material.store.frames, seed=0, time_limit=None,
    )  # fmt: skip


def _timed(bench: Bench, trainer: Trainer) -> dict[str, Any]:
    warm, most, seconds = _QUICK if bench.quick else (_WARM, _MOST, _SECONDS)
    begun = started = now(bench.place)
    rays, found = 0, dict[str, Any]()
    for done, report in enumerate(trainer.run(), start=1):
        if done == warm:
            started = now(bench.place)
            found["seconds of the first steps"] = started - begun
        elif done > warm:
            rays += report.rays
        if done == _COMPARED:
            found[f"loss at step {done}"] = report.loss
        if done >= warm + most or (done > warm and time.perf_counter() - started > seconds):
            break
    return {"rays/s": rays / (now(bench.place) - started), **found}


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What the encoder's log warns of meanwhile: what could not be captured or compiled, and why."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("dynerf_encoder")
    log.addHandler(handler)
    try:
        yield said
    finally:
        log.removeHandler(handler)
