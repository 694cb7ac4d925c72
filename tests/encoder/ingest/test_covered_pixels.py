"""Pixels without source are neither drawn as training rays nor measured on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dynerf_encoder.captures.layouts.capture_json import write_capture_json
from dynerf_encoder.captures.layouts.read_capture import read_capture
from dynerf_encoder.captures.recording import RecordedCamera, Recording, checked_recording
from dynerf_encoder.evaluation.metrics import moving_psnr, mse, psnr, ssim
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.importance.build import build_isg, build_ist
from dynerf_encoder.importance.map import ImportanceMap
from dynerf_encoder.rays.cpu_source import RaySource
from dynerf_encoder.rays.gpu_source import GpuImportanceMap, GpuRaySource
from dynerf_format.frame_range import FrameRange
from support.lenses import make_lens
from support.video import example_pose, noisy_pictures, write_video

_FRAMES = 4


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """An upright camera, a wide one, and one with a pincushion lens; no picture has a black pixel."""
    folder = tmp_path_factory.mktemp("scene")
    lenses = (
        make_lens(24, 32, 40, 40, 12, 16),
        make_lens(32, 24, 40, 40, 16, 12),
        make_lens(32, 24, 40, 40, 16, 12, "SIMPLE_RADIAL", (0.4,)),
    )
    cameras = []
    for index, lens in enumerate(lenses):
        pictures = noisy_pictures(_FRAMES, lens.width, lens.height, index) // 2 + 100
        video = write_video(folder / f"cam{index:02}.mp4", pictures)
        cameras.append(RecordedCamera(video.stem, video, lens, example_pose(index), 0.5, 8.0))
    recording = Recording(folder, "capture.json", tuple(cameras))
    write_capture_json(checked_recording(recording), folder / "capture.json")
    return FrameStore.build(read_capture(folder), folder / "stored", frames=FrameRange())


def _dark(colours: torch.Tensor) -> int:
    """How many colours are of pixels without source, which are black."""
    return int((colours.sum(dim=-1) < 0.3).sum())


def test_the_store_knows_which_pixels_have_a_source(store: FrameStore) -> None:
    assert (store.width, store.height) == (32, 32)
    shares = [1.0 if mask is None else float(mask.mean()) for mask in store.covered]
    assert shares[0] == shares[1] == 0.75
    assert 0.5 < shares[2] < 0.75
    for index, mask in enumerate(store.covered):
        assert mask is not None
        assert not store.view(index)[:, ~mask].any()
        assert (store.view(index)[:, mask].sum(axis=-1) > 200).all()


def test_rays_drawn_evenly_are_of_pixels_with_a_source(store: FrameStore) -> None:
    rays = RaySource(store, (0, 1, 2)).draw(np.random.default_rng(0), [0, 1, 2], 2, 4000, None, 0.0)
    assert _dark(rays.colours) == 0
    cameras = {tuple(origin) for origin in rays.origins.reshape(-1, 3).tolist()}
    assert len(cameras) == 3


def test_a_gpu_draws_the_same_rays(store: FrameStore, tmp_path: Path) -> None:
    importance = build_ist(store, (2, 0), 2, 0.1, tmp_path)
    drawn = [
        kind(store, (0, 2), "cpu").draw(np.random.default_rng(3), [0, 1, 3], 2, 600, importance, 0.5)
        for kind in (RaySource, GpuRaySource)
    ]
    assert torch.equal(drawn[0].colours, drawn[1].colours)
    assert _dark(drawn[0].colours) == 0


@pytest.mark.parametrize("floor", [0.0, 0.2])
def test_weights_of_pixels_without_source_are_zero(store: FrameStore, tmp_path: Path, floor: float) -> None:
    maps = [
        build_isg(store, (0, 2), range(_FRAMES), 0.02, tmp_path),
        build_ist(store, (0, 2), 2, floor, tmp_path),
    ]
    for found in maps:
        for frame in range(_FRAMES):
            weights = found.weights(frame)
            for position, view in enumerate((0, 2)):
                mask = store.covered[view]
                assert mask is not None
                assert not weights[position][~mask].any()
                assert weights[position][mask].any()


def test_a_frame_without_weights_is_drawn_evenly_from_pixels_with_a_source(store: FrameStore) -> None:
    covered = store.covered_pixels((0, 2))
    assert covered is not None
    weights = np.zeros((1, 2, 32, 32), np.uint8)
    importance = ImportanceMap(weights, np.zeros((1, 2, 32), np.uint32), np.array([0]), (0, 2), covered)
    uniforms = np.random.default_rng(0).random(5000)
    views, pixels = importance.draw(0, uniforms)
    drawn = np.where(views == 2, 1, 0) * 1024 + pixels
    assert covered[drawn].all()
    assert len(set(drawn.tolist())) > 0.9 * covered.sum()
    on_device = GpuImportanceMap(importance, (0, 2), torch.device("cpu"))
    np.testing.assert_array_equal(on_device.draw(np.array([0]), torch.as_tensor(uniforms)[None])[0], drawn)


class TestMetrics:
    def test_they_are_those_of_the_covered_part(self) -> None:
        generator = torch.Generator().manual_seed(0)
        a, b = torch.rand(40, 30, 3, generator=generator), torch.rand(40, 30, 3, generator=generator)
        covered = torch.zeros(40, 30, dtype=torch.bool)
        covered[5:35, 4:26] = True
        inner = a[5:35, 4:26], b[5:35, 4:26]
        assert mse(a, b, covered) == pytest.approx(mse(*inner))
        assert psnr(a, b, covered) == pytest.approx(psnr(*inner))
        assert ssim(a, b, covered) == pytest.approx(ssim(*inner))
        median = torch.full_like(b, 0.5)
        assert moving_psnr(a, b, median, covered) == pytest.approx(moving_psnr(*inner, median[5:35, 4:26]))

    def test_without_a_covered_window_there_is_no_ssim(self) -> None:
        picture = torch.rand(20, 20, 3)
        covered = torch.zeros(20, 20, dtype=torch.bool)
        covered[:8] = True
        assert ssim(picture, picture, covered) is None
