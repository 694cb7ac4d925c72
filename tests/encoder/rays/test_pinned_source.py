"""Rays copied to a device equal those that the CPU draws, however many are drawn after them."""

import itertools
import threading

import numpy as np
import pytest
import torch

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_encoder.captures.scene_bounds import choose_space
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.rays.cpu_source import RaySource, TrainingRays
from dynerf_encoder.rays.pinned_source import PinnedRaySource
from dynerf_encoder.schedule.stages import Plan, Stage
from dynerf_encoder.step.reference import TorchStep
from dynerf_encoder.training.trainer import Trainer
from support.device import DEVICES
from support.encoding import one_thread, scene_store, tiny_config

_VIEWS = (1, 2, 3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return scene_store(tmp_path_factory.mktemp("pinned"))


@pytest.mark.parametrize("device", DEVICES)
def test_the_same_numbers_give_the_same_rays(store: FrameStore, device: str) -> None:
    plain, pinned = RaySource(store, _VIEWS), PinnedRaySource(store, _VIEWS, device)
    drawn: list[tuple[TrainingRays, TrainingRays]] = []
    for step, rays in enumerate((40, 40, 40, 40, 24, 24, 40)):
        pair = [
            source.draw(np.random.default_rng([3, step]), range(5), 2, rays, None, 0.0)
            for source in (plain, pinned)
        ]
        drawn.append((pair[0], pair[1]))
    for expected, found in drawn:  # after all draws, so that a buffer overwritten too early would show
        found = found.wait()
        assert np.array_equal(found.frames, expected.frames)
        for name in ("origins", "directions", "colours"):
            value = getattr(found, name)
            assert value.device.type == device
            assert torch.equal(value.cpu(), getattr(expected, name))


@pytest.mark.parametrize("device", DEVICES)
def test_training_prefetches_them_and_has_the_same_loss(store: FrameStore, device: str) -> None:
    config = tiny_config(kind="mlp")
    losses, threads = [], set()

    class Recording(PinnedRaySource):
        def draw(self, *arguments, **named):  # type: ignore[no-untyped-def]
            threads.add(threading.current_thread().name)
            return super().draw(*arguments, **named)

    with one_thread():
        for source in (RaySource(store, _VIEWS, device), Recording(store, _VIEWS, device)):
            torch.manual_seed(0)
            space = choose_space([store.cameras[view] for view in _VIEWS], [2.0] * 3, [8.0] * 3)
            model = build_model("mlp", settings_record(config.mlp)).to(device)
            frames = tuple(range(store.frames))
            trainer = Trainer(
                config, model, space, source, {}, Plan((Stage("isg", 1.0, frames, 1.0),), 8, frames),
                frames=store.frames, seed=0, time_limit=None, make_step=TorchStep,
            )  # fmt: skip
            losses.append([report.loss for report in itertools.islice(trainer.run(), 8)])
    assert losses[0] == (losses[1] if device == "cpu" else pytest.approx(losses[1], rel=1e-2))
    assert threads - {threading.current_thread().name}
