"""Compiled networks train as the plain ones do; if compilation fails, the step runs without them."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import config

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_encoder.captures.scene_bounds import choose_space
from dynerf_encoder.config.schema import FieldKind
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.rays.cpu_source import RaySource
from dynerf_encoder.schedule.stages import Plan, Stage
from dynerf_encoder.step import torch_compile
from dynerf_encoder.step.gpu import CudaGraphStep
from dynerf_encoder.step.reference import TorchStep
from dynerf_encoder.step.torch_compile import Compiler, compiler_for
from dynerf_encoder.training.trainer import Trainer
from dynerf_format.errors import ConfigError
from support.encoding import one_thread, scene_store, tiny_config
from support.graphs import NoGraphs

_VIEWS, _STEPS = (1, 2, 3), 4


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return scene_store(tmp_path_factory.mktemp("compiler"))


@pytest.fixture(scope="module")
def uncompiled(store: FrameStore) -> list[float]:
    """The losses of the steps without a compiler."""
    with one_thread():
        return _losses(store, None)


@pytest.fixture(autouse=True)
def _isolated() -> Iterator[None]:
    """One thread, nothing compiled before, and no shape checks, which cannot be compiled."""
    config.update("jaxtyping_disable", True)
    with one_thread():
        yield
    config.update("jaxtyping_disable", False)
    torch.compiler.reset()


def _losses(store: FrameStore, compiler: Compiler | None, kind: FieldKind = "mlp") -> list[float]:
    settings = tiny_config("rate.start=0.5", "rate.weight=0.5", kind=kind)
    torch.manual_seed(0)
    space = choose_space([store.cameras[view] for view in _VIEWS], [2.0] * 3, [8.0] * 3)
    sizes = settings.planes if kind == "planes" else settings.mlp
    model = build_model(kind, settings_record(sizes))
    frames = tuple(range(store.frames))
    plan = Plan((Stage("isg", 1.0, frames, 1.0),), _STEPS, frames)
    trainer = Trainer(
        settings, model, space, RaySource(store, _VIEWS), {}, plan, frames=store.frames, seed=0,
        time_limit=None, make_step=lambda state: CudaGraphStep(TorchStep(state, compiler), state, NoGraphs()),
    )  # fmt: skip
    return [report.loss for report in itertools.islice(trainer.run(), _STEPS)]


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.message for each in caplog.records if each.name == torch_compile.__name__]


class TestTraining:
    @pytest.mark.parametrize("backend", [pytest.param("eager", marks=pytest.mark.extensive), "aot_eager"])
    def test_compiled_networks_learn_the_same(
        self,
        store: FrameStore,
        uncompiled: list[float],
        caplog: pytest.LogCaptureFixture,
        backend: str,
    ) -> None:
        graphs: list[Any] = []
        compile_with: Callable[..., Any] = torch._dynamo.lookup_backend(backend)

        def counted(graph: Any, inputs: Any) -> Any:
            graphs.append(graph)
            return compile_with(graph, inputs)

        compiled = _losses(store, Compiler(counted))
        np.testing.assert_allclose(compiled, uncompiled, rtol=1e-6)
        assert _warnings(caplog) == []
        assert len(graphs) == 2, "coarse and fine, once for all steps"

    def test_a_compiler_that_fails_is_not_used_again(
        self, store: FrameStore, uncompiled: list[float], caplog: pytest.LogCaptureFixture
    ) -> None:
        attempts = []

        def failing(graph: Any, _: Any) -> Any:
            attempts.append(graph)
            raise RuntimeError("no C compiler found\nfor Triton")

        compiled = _losses(store, Compiler(failing))
        assert compiled == uncompiled
        assert len(attempts) == 1
        (line,) = _warnings(caplog)
        assert line.startswith("networks cannot be compiled and are trained as they are: ")
        assert "no C compiler found" in line
        assert "\n" not in line

    def test_a_compiler_that_fails_in_the_backward_pass_is_not_used_again(
        self, store: FrameStore, uncompiled: list[float], caplog: pytest.LogCaptureFixture
    ) -> None:
        from torch._dynamo.backends.common import aot_autograd

        def failing(*_: Any) -> Any:
            raise RuntimeError("no gradients")

        backend = aot_autograd(fw_compiler=lambda graph, _: graph.forward, bw_compiler=failing)
        assert _losses(store, Compiler(backend)) == uncompiled
        assert len(_warnings(caplog)) == 1

    def test_planes_are_not_compiled(self, store: FrameStore, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch, "compile", pytest.fail)
        losses = _losses(store, Compiler("eager"), "planes")
        assert losses == _losses(store, None, "planes")


def test_errors_that_are_not_the_compiler_s_are_raised() -> None:
    compiler = Compiler("eager")

    def work(_fold: object) -> torch.Tensor:
        raise ConfigError("diverged")

    with pytest.raises(ConfigError, match="diverged"):
        compiler.attempt(lambda _: pytest.fail(), work)


def test_it_is_for_networks_on_a_gpu_with_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    for triton in (True, False):
        monkeypatch.setattr(torch_compile, "has_triton", lambda triton=triton: triton)
        available = [
            compiler_for(kind, torch.device(device)) is not None
            for kind in ("planes", "mlp")
            for device in ("cpu", "cuda")
        ]
        assert available == [False, False, False, triton]
