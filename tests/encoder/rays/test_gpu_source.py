"""Rays drawn on the device equal those that the CPU draws; free memory decides which source is used."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.importance.build import ImportanceMap
from dynerf_encoder.rays import gpu_source
from dynerf_encoder.rays.cpu_source import RaySource
from dynerf_encoder.rays.gpu_source import GpuImportanceMap, GpuRaySource, bytes_needed, ray_source
from dynerf_encoder.rays.pinned_source import PinnedRaySource
from dynerf_encoder.step.deferred_metrics import DeferredMetrics
from dynerf_encoder.step.precision import half_precision_products
from dynerf_format.errors import ConfigError
from dynerf_format.frame_range import FrameRange
from support.device import DEVICES
from support.video import write_capture, write_video

_VIEWS = (0, 2)
_HEIGHT, _WIDTH, _FRAMES = 6, 150, 4  # a row of more than two blocks


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """Three views of noise, so that hardly any two pixels are alike."""
    folder = tmp_path_factory.mktemp("gpu_source") / "scene"
    write_capture(folder, frames=_FRAMES, width=_WIDTH, height=_HEIGHT)
    pictures = np.random.default_rng(0).integers(0, 256, (3, _FRAMES, _HEIGHT, _WIDTH, 3), dtype=np.uint8)
    for name, of_view in zip(("cam00", "cam02", "cam05"), pictures, strict=True):
        write_video(folder / f"{name}.mp4", of_view)
    return FrameStore.build(read_n3v(folder), folder / "store", frames=FrameRange())


def _map(seed: int, frames: np.ndarray, views: tuple[int, ...] = _VIEWS) -> ImportanceMap:
    """Weights with long runs of zeros; those of the last frame are all zero."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 256, (len(frames), len(views), _HEIGHT, _WIDTH)) * (
        rng.random((len(frames), len(views), _HEIGHT, _WIDTH)) < 0.2
    )
    weights[-1] = 0
    weights[0, 0, 2] = 0
    return ImportanceMap(weights.astype(np.uint8), weights.sum(axis=3, dtype=np.uint32), frames, views)


class TestSource:
    @pytest.mark.parametrize("device", DEVICES)
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
    def test_the_same_numbers_give_the_same_rays(
        self, store: FrameStore, device: str, weighted: bool, share: float
    ) -> None:
        importance = _map(1, np.arange(_FRAMES)) if weighted else None
        plain, on_device = RaySource(store, _VIEWS), GpuRaySource(store, _VIEWS, device)
        for step in range(3):
            rngs = [np.random.default_rng([7, step]) for _ in range(2)]
            expected = plain.draw(rngs[0], range(_FRAMES), 3, 400, importance, share)
            found = on_device.draw(rngs[1], range(_FRAMES), 3, 400, importance, share)
            assert np.array_equal(found.frames, expected.frames)
            assert torch.equal(found.colours.cpu(), expected.colours)
            assert torch.equal(found.origins.cpu(), expected.origins)
            torch.testing.assert_close(found.directions.cpu(), expected.directions, rtol=0, atol=1.2e-7)
            assert found.directions.dtype == torch.float32
            assert rngs[0].random() == rngs[1].random(), "both drew the same number of random values"

    def test_views_of_the_map_may_be_in_another_order(self, store: FrameStore) -> None:
        importance = _map(2, np.arange(_FRAMES), views=(2, 0))
        rays = [
            source.draw(np.random.default_rng(5), range(_FRAMES), 2, 200, importance, 0.5)
            for source in (RaySource(store, _VIEWS), GpuRaySource(store, _VIEWS, "cpu"))
        ]
        assert torch.equal(rays[0].colours, rays[1].colours)

    def test_a_stages_map_replaces_the_previous_one(self, store: FrameStore) -> None:
        source, plain = GpuRaySource(store, _VIEWS, "cpu"), RaySource(store, _VIEWS)
        for seed in (1, 2, 1):
            importance = _map(seed, np.arange(_FRAMES))
            found = source.draw(np.random.default_rng(1), range(3), 2, 100, importance, 1.0)
            expected = plain.draw(np.random.default_rng(1), range(3), 2, 100, importance, 1.0)
            assert torch.equal(found.colours, expected.colours)

    def test_invalid_arguments_are_refused_as_by_the_cpu_source(self, store: FrameStore) -> None:
        source, rng = GpuRaySource(store, _VIEWS, "cpu"), np.random.default_rng(0)
        with pytest.raises(ConfigError, match="3 rays of 4 frames"):
            source.draw(rng, range(_FRAMES), 4, 3, None, 0.0)
        with pytest.raises(ValueError, match="importance map of views"):
            source.draw(rng, range(_FRAMES), 2, 8, _map(1, np.arange(_FRAMES), (0, 1)), 0.5)
        with pytest.raises(IndexError, match="frame 3 has no weights, 3 other frames have"):
            source.draw(rng, [3], 1, 8, _map(1, np.arange(3)), 0.5)
        with pytest.raises(IndexError, match=f"of {_FRAMES}"):
            source.draw(rng, [_FRAMES], 1, 8, None, 0.0)


@pytest.mark.parametrize("device", DEVICES)
def test_every_number_selects_the_pixel_that_the_cpu_selects(device: str) -> None:
    frames = np.array([1, 4, 9, 10])
    importance = _map(3, frames)
    drawn = GpuImportanceMap(importance, _VIEWS, torch.device(device))
    edges = [0.0, np.nextafter(1.0, 0), 0.5]
    uniforms = np.concatenate([np.tile(edges, (4, 1)), np.random.default_rng(4).random((4, 5000))], axis=1)
    found = drawn.draw(frames, torch.from_numpy(uniforms).to(device)).cpu().numpy()
    for frame, row, numbers in zip(frames, uniforms, found, strict=True):
        views, pixels = importance.draw(frame, row)
        position, pixel = np.divmod(numbers, _HEIGHT * _WIDTH)
        assert np.array_equal(np.array(_VIEWS)[position], views)
        assert np.array_equal(pixel, pixels)


class TestChoice:
    def test_on_a_cpu_pictures_are_not_copied(self, store: FrameStore) -> None:
        assert type(ray_source(store, _VIEWS, torch.device("cpu"), pytest.fail)) is RaySource

    @pytest.mark.parametrize("ratio", [0.5, 2.0])
    def test_on_a_gpu_memory_decides(
        self, store: FrameStore, monkeypatch: pytest.MonkeyPatch, ratio: float
    ) -> None:
        needed = bytes_needed(store, _VIEWS)
        assert needed == 2 * _FRAMES * _HEIGHT * _WIDTH * (3 + 1)
        free = int(ratio * needed / 0.6)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (free, 2 * free))
        monkeypatch.setattr(gpu_source, "_uploaded", lambda *_: torch.zeros(0))
        monkeypatch.setattr(torch, "as_tensor", lambda values, **_: values)
        monkeypatch.setattr(torch.cuda, "Stream", lambda device: SimpleNamespace(device=device))
        messages: list[str] = []
        chosen = ray_source(store, _VIEWS, torch.device("cuda"), messages.append)
        assert type(chosen) is (GpuRaySource if ratio > 1 else PinnedRaySource)
        assert len(messages) == 1
        assert ("read from disk" in messages[0]) is (ratio < 1)


class TestDeferredMetrics:
    def test_on_a_cpu_every_step_is_read(self) -> None:
        metrics = DeferredMetrics(torch.device("cpu"))
        assert [metrics.read(torch.tensor([float(step)])) for step in range(3)] == [(0.0,), (1.0,), (2.0,)]

    def test_on_a_gpu_every_sixteenth_step_is_read(self) -> None:
        metrics = DeferredMetrics(torch.device("cuda"))
        values = [metrics.read(torch.tensor([float(step), 1.0]))[0] for step in range(40)]
        assert values == [0.0] * 16 + [16.0] * 16 + [32.0] * 8


def test_nothing_is_rounded_on_a_cpu() -> None:
    with half_precision_products("mlp", torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
