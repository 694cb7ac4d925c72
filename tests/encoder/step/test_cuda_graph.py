"""Captured steps equal the steps they stand for, to the bit; what cannot be captured runs eagerly.

On a CPU ``Tape`` captures: it freezes what a GPU would freeze. See ``support.graphs``.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_decoder.scene.contraction import Space
from dynerf_encoder.captures.scene_bounds import choose_space
from dynerf_encoder.config.schema import Config, FieldKind
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.rate.rate_control import RateControl
from dynerf_encoder.rays.cpu_source import RaySource
from dynerf_encoder.schedule.keyframes import fixed_keyframes
from dynerf_encoder.schedule.stages import plan_training
from dynerf_encoder.step import factory as step_factory
from dynerf_encoder.step.cuda_graph import (
    CapturedGraph,
    CudaGraphBackend,
    GraphBackend,
    GraphReplay,
    Work,
    graph_backend,
)
from dynerf_encoder.step.distributed import ProcessGroup
from dynerf_encoder.step.factory import make_step
from dynerf_encoder.step.gpu import CudaGraphStep
from dynerf_encoder.step.protocol import StepFactory, StepState
from dynerf_encoder.step.reference import StepInputs, TorchStep
from dynerf_encoder.training.trainer import StepReport, Trainer
from dynerf_format.errors import ConfigError
from support.encoding import one_thread, scene_store, tiny_config
from support.graphs import BrokenGraphs, NoGraphs, RecordedGraphs

_VIEWS = (1, 2, 3)
_WARM_UP = 3


@pytest.fixture(autouse=True)
def _as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread, and torch operations only: the tape does not record CPU kernels."""
    monkeypatch.setattr("dynerf_encoder.rate.rate_loss._has_kernels", lambda _: False)
    with one_thread():
        yield


class TestStep:
    def test_inputs_are_copied_to_the_captured_addresses(self) -> None:
        seen: list[int] = []

        def step(inputs: Sequence[Tensor]) -> Tensor:
            seen.extend(each.data_ptr() for each in inputs)
            return inputs[0] * inputs[1].sum()

        graphs = RecordedGraphs()
        replay_step = GraphReplay(step, tuple, graphs)
        for number in range(1, 8):
            batch = torch.full((2,), float(number)), torch.ones(3, dtype=torch.int64)
            assert replay_step("key", batch).tolist() == [3 * number] * 2
        assert len(set(seen)) == 2, "the same buffers at every step"
        assert (graphs.eager_steps, graphs.captured, graphs.replayed) == (_WARM_UP, 1, 7 - _WARM_UP)

    def test_what_python_reads_while_a_step_is_captured_is_frozen(self) -> None:
        """The stand-in freezes numbers as a GPU does; otherwise the tests below would detect nothing."""
        number = torch.zeros(())
        results: list[float] = []

        def frozen(inputs: Sequence[Tensor]) -> Tensor:
            return inputs[0].mul(float(len(results))).add(number)

        replay_step = GraphReplay(frozen, tuple, RecordedGraphs())
        for step in range(6):
            number.fill_(100 * step)
            results.append(float(replay_step("key", [torch.ones(())])))
        assert results == [0, 101, 202, 303, 403, 503]

    def test_a_capture_changes_nothing(self) -> None:
        total = torch.zeros(3)
        replay_step = GraphReplay(lambda inputs: total.add_(inputs[0]), lambda: [total], RecordedGraphs())
        for _ in range(6):
            replay_step("key", [torch.ones(3)])
        assert total.tolist() == [6] * 3

    @pytest.mark.parametrize("change", ["key", "shape", "type", "address"])
    def test_a_changed_step_is_captured_again(self, change: str) -> None:
        persistent = [torch.zeros(2)]
        graphs = RecordedGraphs()
        replay_step = GraphReplay(
            lambda inputs: persistent[0].add_(inputs[0].sum()).clone(), lambda: persistent, graphs
        )
        key, batch = "one", torch.ones(2)
        for _ in range(5):
            replay_step(key, [batch])
        if change == "key":
            key = "other"
        elif change == "shape":
            batch = torch.ones(1, 2)
        elif change == "type":
            batch = batch.double()
        else:
            persistent[0] = persistent[0].clone()
        found = [float(replay_step(key, [batch])[0]) for _ in range(5)]
        assert found == [12, 14, 16, 18, 20]
        assert (graphs.eager_steps, graphs.captured, graphs.replayed) == (2 * _WARM_UP, 2, 4)

    @pytest.mark.parametrize(
        "operation",
        [
            lambda value: value * float(value.sum()),
            lambda value: value + torch.tensor([1.0]),
            lambda value: value[value.nonzero().squeeze(-1)],
            lambda value: value + torch.rand(1, generator=torch.Generator().manual_seed(0)),
        ],
        ids=["read a number", "send a number", "read a size", "random numbers"],
    )
    def test_what_a_gpu_cannot_capture_runs_eagerly(
        self, operation: Callable[[Tensor], Tensor], caplog: pytest.LogCaptureFixture
    ) -> None:
        graphs = RecordedGraphs()
        replay_step = GraphReplay(lambda inputs: operation(inputs[0]), tuple, graphs)
        for number in range(1, 7):
            batch = torch.full((1,), float(number))
            assert torch.equal(replay_step("key", [batch]), operation(batch))
        assert (graphs.captured, graphs.replayed) == (0, 0)
        assert len(caplog.messages) == 1
        assert "steps cannot be captured and are launched one by one: RuntimeError: aten." in caplog.text

    def test_a_failed_capture_is_logged_on_one_line(self, caplog: pytest.LogCaptureFixture) -> None:
        replay_step = GraphReplay(lambda inputs: inputs[0] + 1, tuple, BrokenGraphs())
        for key in ("one", "one", "one", "one", "other", "other", "other", "other", "other"):
            assert replay_step(key, [torch.ones(())]) == 2
        assert caplog.messages == [
            "steps cannot be captured and are launched one by one: "
            "RuntimeError: CUDA error: operation failed with more lines"
        ]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return scene_store(tmp_path_factory.mktemp("graphed"))


def _captured_by(graphs: GraphBackend) -> StepFactory:
    """Steps captured by ``graphs``."""
    return lambda state: CudaGraphStep(TorchStep(state), state, graphs)


def _trainer(
    store: FrameStore,
    config: Config,
    make_step: StepFactory,
    device: str = "cpu",
) -> Trainer:
    torch.manual_seed(0)
    settings = config.planes if config.field == "planes" else config.mlp
    space = choose_space([store.cameras[view] for view in _VIEWS], [2.0] * 3, [8.0] * 3)
    model = build_model(config.field, settings_record(settings)).to(device)
    keys = fixed_keyframes(store.frames, config.schedule.keyframe_interval)
    plan = plan_training(config.schedule, store.frames, config.importance.strategy, keys)
    return Trainer(
        config, model, space, RaySource(store, _VIEWS, device), {}, plan,
        frames=store.frames, seed=0, time_limit=None, make_step=make_step,
    )  # fmt: skip


def _config(*settings: str, kind: FieldKind) -> Config:
    """Learning rates that change a lot, and a rate term from the middle of the second stage on."""
    changes = ("optimiser.final_rate=0.01", "optimiser.warm_up=5", "rate.start=0.5", "rate.weight=0.5")
    stages = ("schedule.keyframe_steps=5", "schedule.isg_steps=10", "schedule.ist_steps=5")
    return tiny_config(*changes, *stages, *settings, kind=kind)


def _train(trainer: Trainer, steps: int | None = None) -> list[StepReport]:
    return list(itertools.islice(trainer.run(), steps))


def _equal(one: Trainer, other: Trainer) -> bool:
    a, b = one.export()[1], other.export()[1]
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


@pytest.mark.parametrize("kind", ["planes", "mlp"])
class TestTraining:
    def test_replayed_steps_equal_eager_steps(self, store: FrameStore, kind: FieldKind) -> None:
        graphs = RecordedGraphs()
        replayed, eager = (
            _trainer(store, _config(kind=kind), _captured_by(each)) for each in (graphs, BrokenGraphs())
        )
        losses = [[report.loss for report in _train(trainer)] for trainer in (replayed, eager)]
        assert losses[0] == losses[1]
        assert _equal(replayed, eager)
        # before and after the rate term is active; Adam creates its moments in the very first step
        assert (graphs.captured, graphs.eager_steps) == (2, 1 + 2 * _WARM_UP)
        assert graphs.replayed == 20 - graphs.eager_steps

    def test_they_equal_the_reference_up_to_rounding(self, store: FrameStore, kind: FieldKind) -> None:
        config = _config("schedule.keyframe_steps=0", "schedule.ist_steps=0", kind=kind)
        losses = [
            [report.loss for report in _train(_trainer(store, config, step))]
            for step in (_captured_by(RecordedGraphs()), TorchStep)
        ]
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)

    def test_values_frozen_from_python_are_detected(self, store: FrameStore, kind: FieldKind) -> None:
        """Numbers that a step reads from Python are frozen: the tests above can detect it."""
        one_stage = _config("schedule.keyframe_steps=0", "schedule.ist_steps=0", "rate.start=1", kind=kind)
        replayed, eager = (
            _trainer(store, one_stage, _captured_by(each)) for each in (RecordedGraphs(), NoGraphs())
        )
        for trainer in (replayed, eager):
            _train(trainer, 5)
        assert _equal(replayed, eager)
        for trainer in (replayed, eager):
            assert isinstance(trainer._step, CudaGraphStep)
            step = trainer._step._decorated
            heavier = replace(one_stage.optimiser, coarse_weight=3 * one_stage.optimiser.coarse_weight)
            step.state = replace(step.state, config=replace(one_stage, optimiser=heavier))
            _train(trainer, 1)
        assert not _equal(replayed, eager)

    def test_a_resumed_training_ends_with_the_same_bits(self, store: FrameStore, kind: FieldKind) -> None:
        stages = ("schedule.keyframe_steps=0", "schedule.isg_steps=10", "schedule.ist_steps=0")
        config = _config(*stages, "rate.start=0", kind=kind)
        whole, first, second = (_trainer(store, config, _captured_by(RecordedGraphs())) for _ in range(3))
        _train(whole)
        _train(first, 6)
        saved = first.export()
        second.restore(*saved)
        _train(second)
        assert _equal(second, whole)
        _train(first, 1)
        first.restore(*saved)  # the moments have new addresses
        _train(first)
        assert _equal(first, whole)

    @pytest.mark.gpu
    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
    def test_on_a_gpu_too(
        self,
        store: FrameStore,
        kind: FieldKind,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        class Counted(CudaGraphBackend):
            replays = 0

            def capture(self, work: Work) -> CapturedGraph:
                captured = super().capture(work)

                def replay() -> None:
                    self.replays += 1
                    captured.replay()

                return CapturedGraph(replay, captured.result)

        graphs = Counted(torch.device("cuda"))
        trainers = [
            _trainer(store, _config(kind=kind), _captured_by(each), "cuda") for each in (graphs, NoGraphs())
        ]
        replayed, eager = ([report.loss for report in _train(trainer)] for trainer in trainers)
        assert graphs.replays == 20 - 1 - 2 * _WARM_UP
        assert [text for text in caplog.messages if "no graphs here" not in text] == []
        np.testing.assert_allclose(replayed, eager, rtol=2e-2)  # the order of sums varies on a GPU


def test_a_training_that_diverges_raises(store: FrameStore) -> None:
    """After the step: a replay cannot stop half way. (On a CPU torch cannot look up NaN in planes.)"""
    config = tiny_config("optimiser.network_rate=1e30", kind="mlp")
    with pytest.raises(ConfigError, match=r"diverged at step \d+: the loss is (nan|inf)"):
        _train(_trainer(store, config, _captured_by(RecordedGraphs())))


class TestWhen:
    def test_a_cpu_has_no_graphs(self, store: FrameStore) -> None:
        assert graph_backend(torch.device("cpu")) is None
        assert isinstance(_trainer(store, tiny_config(kind="mlp"), make_step)._step, TorchStep)

    @pytest.mark.parametrize(("settings", "used"), [((), True), (("rate.target=400",), False)])
    def test_a_gpu_uses_them_unless_there_is_a_target_size(
        self, store: FrameStore, monkeypatch: pytest.MonkeyPatch, settings: tuple[str, ...], used: bool
    ) -> None:
        graphs = RecordedGraphs()
        monkeypatch.setattr(step_factory, "graph_backend", lambda _device: graphs)
        _train(_trainer(store, tiny_config(*settings, kind="mlp"), make_step), 6)
        assert (graphs.replayed > 0) is used


class _CpuAccesses(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records operations that touch a CPU tensor."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0
        self.on_cpu: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        self.count += 1
        touched = [each for each in tree_leaves((args, kwargs, out)) if isinstance(each, Tensor)]
        self.on_cpu += [str(func) for each in touched if each.device.type == "cpu"]
        return out


@pytest.mark.parametrize("kind", ["planes", "mlp"])
def test_a_step_on_a_device_does_not_access_the_cpu(kind: FieldKind, monkeypatch: pytest.MonkeyPatch) -> None:
    """The meta device stands for a GPU: a transfer from it, for which a GPU would wait, is impossible."""
    monkeypatch.setattr("dynerf_encoder.step.reference.half_precision_products", lambda *_: nullcontext())
    config, device = tiny_config("rate.start=0", "rate.weight=0.5", kind=kind), torch.device("meta")
    settings = config.planes if kind == "planes" else config.mlp
    model = build_model(config.field, settings_record(settings)).to(device)
    latents = torch.nn.Parameter(torch.zeros(5, model.latent_size, device=device))
    descent = torch.optim.SGD([*model.parameters(), latents], lr=0.1)
    space, rate = (
        Space.box(np.full(3, -4.0), np.full(3, 4.0), 0.1),
        RateControl(config.rate, config.quantisation, 9),
    )
    step = TorchStep(StepState(config, space, model, latents, descent, rate, ProcessGroup()))
    rays = torch.zeros(2, 48, 3, device=device)
    jitter = [
        torch.zeros(2, 48, size, device=device)
        for size in (config.sampling.coarse - 1, config.sampling.drawn)
    ]
    frames = torch.zeros(2, dtype=torch.int64, device=device)
    with _CpuAccesses() as accesses:
        metrics = step.compute(StepInputs(frames, rays, rays, rays, *jitter), 0.0)
    assert metrics.device == device
    assert accesses.count > 1000
    assert accesses.on_cpu == []
