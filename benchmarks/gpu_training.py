"""The training part of ``gpu.py``: steps of both fields with all GPU optimisations, and with one disabled."""

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
from dynerf_encoder.captures.layouts.n3v import read_n3v
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
from gpu_parts import CAPTURE, SMALL, Bench, TimeLeft
from machine import now

_WARM_UP, _MAX_STEPS, _SECONDS = 10, 200, 2.0
_COMPARED = 17  # the step whose loss is reported; the rays are the same for all variants
_QUICK = (5, 2, 1.0)


@dataclass(frozen=True)
class _TrainingData:
    store: FrameStore
    views: tuple[int, ...]
    space: Space
    importance: ImportanceMap


@dataclass(frozen=True)
class _Variant:
    """One variant of the step: its ray source, graph recorder, and patches applied while it runs."""

    source: type[RaySource] = GpuRaySource
    graphs: Callable[[torch.device], GraphBackend] | None = None
    changes: tuple[Any, ...] = ()


class _NoGraphs:
    """Captures nothing: steps are launched operation by operation, as the baseline for captures."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def run_on_capture_stream(self, work: Work) -> Tensor:
        return work()

    def capture(self, work: Work) -> CapturedGraph:
        result = torch.zeros(2, device=self._device)
        return CapturedGraph(lambda: result.copy_(work()), result)

    def synchronise(self) -> None:
        """Nothing is pending."""


def steps(bench: Bench, left: TimeLeft) -> dict[str, Any]:
    """Rays per second, seconds of the first steps, and the loss of one step, on the same rays for all.

    Variants: captured and compiled, only one of them, neither; then each other optimisation disabled.
    """
    data = _training_data(bench)
    found: dict[str, Any] = {}
    for name, config in _configurations(bench).items():
        for label, variant in _variants(config).items():
            if left() < 2 * _SECONDS:
                found[f"{name}, {label}"] = "no time left"
                continue
            found[f"{name}, {label}"] = _measured(bench, config, data, variant)
    return found


def _training_data(bench: Bench) -> _TrainingData:
    capture = read_n3v(CAPTURE)
    store = FrameStore.build(
        capture, bench.folder / "frames", frames=FrameRange(), downscale=4 if bench.quick else 1
    )
    views = tuple(range(1, len(store.names)))
    importance = build_isg(store, views, range(store.frames), 2e-2, bench.folder / "maps", lambda *_: None)
    chosen = [capture.views[view] for view in views]
    bounds = [view.near for view in chosen], [view.far for view in chosen]
    return _TrainingData(
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


def _variants(config: Config) -> dict[str, _Variant]:
    plain = patch.object(step_factory, "compiler_for", lambda *_: None)
    every_step = patch.object(
        autograd_step, "DeferredMetrics", lambda _device: DeferredMetrics(torch.device("cpu"))
    )
    exact = patch.object(
        autograd_step,
        "half_precision_products",
        lambda _field, device: torch.autocast(device.type, torch.bfloat16, enabled=False),
    )
    variants = {
        "all on": _Variant(),
        "launched one by one": _Variant(graphs=_NoGraphs),
        "not compiled": _Variant(changes=(plain,)),
        "neither": _Variant(graphs=_NoGraphs, changes=(plain,)),
        "pictures in main memory": _Variant(source=PinnedRaySource),
        "loss read every step": _Variant(changes=(every_step,)),
        "float32 products, not compiled": _Variant(changes=(exact, plain)),
    }
    if config.field == "planes":  # not compiled, and in float32 anyway
        del variants["not compiled"], variants["neither"], variants["float32 products, not compiled"]
    return variants


def _measured(bench: Bench, config: Config, data: _TrainingData, variant: _Variant) -> dict[str, Any]:
    with ExitStack() as stack, _warnings() as warnings:
        if variant.graphs is not None:
            stack.enter_context(patch.object(step_factory, "graph_backend", variant.graphs))
        for change in variant.changes:
            stack.enter_context(change)
        trainer = _trainer(bench, config, data, variant)
        return _timed(bench, trainer) | ({"warnings": "; ".join(warnings)} if warnings else {})


def _trainer(bench: Bench, config: Config, data: _TrainingData, variant: _Variant) -> Trainer:
    torch.manual_seed(0)
    settings = config.planes if config.field == "planes" else config.mlp
    model = build_model(config.field, settings_record(settings)).to(bench.torch_device)
    every = tuple(range(data.store.frames))
    plan = Plan((Stage("isg", 1.0, every, 1.0),), 10**6, every)
    return Trainer(
        config, model, data.space, variant.source(data.store, data.views, bench.torch_device),
        {"isg": data.importance}, plan, frames=data.store.frames, seed=0, time_limit=None,
    )  # fmt: skip


def _timed(bench: Bench, trainer: Trainer) -> dict[str, Any]:
    warm_up, max_steps, seconds = _QUICK if bench.quick else (_WARM_UP, _MAX_STEPS, _SECONDS)
    begin = started = now(bench.torch_device)
    rays, found = 0, dict[str, Any]()
    for done, report in enumerate(trainer.run(), start=1):
        if done == warm_up:
            started = now(bench.torch_device)
            found["seconds of the first steps"] = started - begin
        elif done > warm_up:
            rays += report.rays
        if done == _COMPARED:
            found[f"loss at step {done}"] = report.loss
        if done >= warm_up + max_steps or (done > warm_up and time.perf_counter() - started > seconds):
            break
    return {"rays/s": rays / (now(bench.torch_device) - started), **found}


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect the encoder's warnings: what could not be captured or compiled, and why."""
    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("dynerf_encoder")
    log.addHandler(handler)
    try:
        yield messages
    finally:
        log.removeHandler(handler)
