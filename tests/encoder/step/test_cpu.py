"""A step by kernels equals a step by autograd: loss, every gradient, and Adam's update."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_encoder.captures.scene_bounds import choose_space
from dynerf_encoder.config.schema import Config
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.rays.cpu_source import RaySource
from dynerf_encoder.schedule.stages import Plan, Stage
from dynerf_encoder.step.cpu import CpuKernelStep, supports
from dynerf_encoder.step.factory import make_step
from dynerf_encoder.step.protocol import StepFactory
from dynerf_encoder.step.reference import TorchStep
from dynerf_encoder.training.trainer import StepReport, Trainer
from support.encoding import scene_store, tiny_config

_VIEWS = (1, 2, 3)
_STORED = ("rate.start=0", "rate.weight=0.5")
_ODD = (
    "schedule.rays=102",
    "sampling.coarse=5",
    "sampling.fine=3",
    "planes.hidden=17",
    "planes.view_features=0",
    "planes.channels=1",
    "planes.scales=1,6",
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return scene_store(tmp_path_factory.mktemp("fast"))


def _trainer(store: FrameStore, config: Config, make_step: StepFactory = make_step) -> Trainer:
    torch.manual_seed(3)
    space = choose_space([store.cameras[view] for view in _VIEWS], [2.0] * 3, [8.0] * 3)
    model = build_model("planes", settings_record(config.planes))
    frames = tuple(range(store.frames))
    plan = Plan((Stage("uniform", 1.0, frames, 1.0),), 1000, frames)
    trainer = Trainer(
        config, model, space, RaySource(store, _VIEWS), {}, plan,
        frames=store.frames, seed=4, time_limit=None, make_step=make_step,
    )  # fmt: skip
    with torch.no_grad():  # away from zero, so that everything has a gradient
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.2)
    return trainer


def _train(trainer: Trainer, steps: int) -> list[StepReport]:
    return list(itertools.islice(trainer.run(), steps))


def _config(settings: Sequence[str]) -> Config:
    return tiny_config("optimiser.total_variation=0.1", *settings)


class TestAgainstAutograd:
    @pytest.mark.parametrize("stored", [(), _STORED], ids=["exact", "stored"])
    @pytest.mark.parametrize("sizes", [(), _ODD], ids=["usual", "odd"])
    def test_one_step(self, store: FrameStore, sizes: tuple[str, ...], stored: tuple[str, ...]) -> None:
        config = _config((*sizes, *stored))
        by_kernels, by_torch = (_trainer(store, config, step) for step in (CpuKernelStep, TorchStep))
        (report,), (expected,) = _train(by_kernels, 1), _train(by_torch, 1)
        assert report.loss == pytest.approx(expected.loss, rel=2e-4)
        assert report.psnr == pytest.approx(expected.psnr, abs=1e-2)
        names = [name for name, _ in by_kernels.model.named_parameters()]
        found, reference = by_kernels.export()[1], by_torch.export()[1]
        assert found.keys() == reference.keys()
        means = [name for name in reference if name.endswith("exp_avg")]
        assert len(means) >= len(names)
        for name in means:  # after one step a tenth of the gradient
            size = np.abs(reference[name]).max()
            assert size > 0, name
            np.testing.assert_allclose(found[name] / size, reference[name] / size, atol=3e-3, err_msg=name)

    @pytest.mark.parametrize("stored", [(), _STORED], ids=["exact", "stored"])
    def test_many_steps(self, store: FrameStore, stored: tuple[str, ...]) -> None:
        config = _config(stored)
        by_kernels, by_torch = (_trainer(store, config, step) for step in (CpuKernelStep, TorchStep))
        losses = [[report.loss for report in _train(trainer, 12)] for trainer in (by_kernels, by_torch)]
        assert losses[0][-1] < 0.95 * losses[0][0]
        np.testing.assert_allclose(losses[0], losses[1], rtol=0.03)

    def test_rate_control_is_the_same(self, store: FrameStore) -> None:
        config = _config(("rate.start=0", "rate.target=400"))
        by_kernels, by_torch = (_trainer(store, config, step) for step in (CpuKernelStep, TorchStep))
        for trainer in (by_kernels, by_torch):
            _train(trainer, 4)
        assert by_kernels.rate.coarseness > 1
        assert by_kernels.rate.coarseness == pytest.approx(by_torch.rate.coarseness, rel=1e-3)


@pytest.mark.parametrize("stored", [(), _STORED], ids=["exact", "stored"])
def test_the_number_of_threads_changes_no_bit(
    store: FrameStore, stored: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynerf_encoder.step.cpu._PART_RAYS", 16)
    found = []
    for threads in (1, 2, 3):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        trainer = _trainer(store, _config(stored))
        _train(trainer, 5)
        torch.set_num_threads(before)
        found.append(trainer.export()[1])
    for name, array in found[0].items():
        for other in found[1:]:
            assert array.tobytes() == other[name].tobytes(), name


@pytest.mark.parametrize("stored", [(), _STORED], ids=["exact", "stored"])
def test_a_resumed_training_ends_with_the_same_bits(store: FrameStore, stored: tuple[str, ...]) -> None:
    whole, first, second = (_trainer(store, _config(stored)) for _ in range(3))
    _train(whole, 6)
    _train(first, 2)
    second.restore(*first.export())
    _train(second, 4)
    expected, found = whole.export()[1], second.export()[1]
    assert all(array.tobytes() == found[name].tobytes() for name, array in expected.items())


def test_what_the_kernels_support() -> None:
    config = _config(())
    model = build_model("planes", settings_record(config.planes))
    assert supports(config, model)
    assert not supports(tiny_config("sampling.union=true"), model)
    assert not supports(config, build_model("mlp", settings_record(config.mlp)))
    assert not supports(config, model.double())


@pytest.mark.parametrize("settings", ["sampling.union=true", "planes.channels=40"])
def test_unsupported_planes_are_trained_by_torch(store: FrameStore, settings: str) -> None:
    trainer = _trainer(store, _config([settings]))
    assert isinstance(trainer._step, TorchStep)
    losses = [report.loss for report in _train(trainer, 12)]
    assert losses[-1] < 0.95 * losses[0]
