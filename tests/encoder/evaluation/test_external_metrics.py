"""FLIP equals the package's; JOD is tested with a fake package; moving pixels with computed examples."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import flip_evaluator  # type: ignore[import-untyped]
import numpy as np
import pytest
import torch

import dynerf
from dynerf_encoder.evaluation.evaluate import Evaluation, evaluate
from dynerf_encoder.evaluation.external_metrics import Flip, Spool
from dynerf_encoder.evaluation.metrics import MOVING, dssim, moving_psnr, mse
from support.encoding import FRAMES, HEIGHT, WIDTH, one_thread, shared_clip


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clip and its capture."""
    clip = shared_clip(tmp_path_factory)
    return clip, clip.with_name("scene")


def _evaluated(encoded: tuple[Path, Path], **options: Any) -> Evaluation:
    with one_thread(), dynerf.open(encoded[0], device="cpu") as clip:
        return evaluate(clip, encoded[1], **options)


def test_flip_equals_the_packages() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 20, 30, 3), dtype=np.float32)
    expected = flip_evaluator.evaluate(a, b, "LDR")[1]
    assert Flip()(torch.from_numpy(a), torch.from_numpy(b)) == pytest.approx(expected, abs=1e-7)
    assert expected > 0.1


def test_mse_is_exact_and_dssim_is_half_of_one_minus_ssim() -> None:
    a, b = np.random.default_rng(0).random((2, 9, 7, 3), dtype=np.float32)
    expected = np.mean((a - b).astype(np.float64) ** 2)
    assert mse(torch.from_numpy(a), torch.from_numpy(b)) == pytest.approx(expected, rel=1e-12)
    assert dssim(0.9) == pytest.approx(0.05)
    assert dssim(None) is None


def test_spooled_pictures_are_allocated_on_the_disk(tmp_path: Path) -> None:
    """Writing to a mapped sparse file would kill the process when the disk is full."""
    spool = Spool(tmp_path, "cam00", 10, 50, 40)
    spool.truth[9, 49, 39] = 7
    assert spool.decoded.shape == spool.truth.shape == (10, 50, 40, 3)
    for path in tmp_path.iterdir():
        assert 512 * path.stat().st_blocks >= path.stat().st_size == 60_000


class TestMovingPixels:
    def test_are_those_that_differ_from_the_median(self) -> None:
        median = torch.full((4, 5, 3), 0.5)
        truth = median.clone()
        truth[1, 2] += torch.tensor([0.3, 0.0, 0.0])  # 0.1 as a mean over the channels
        truth[3, 3] += 0.9 * MOVING
        decoded = truth.clone()
        decoded[1, 2] += 0.1
        decoded[0, 0] += 0.5  # does not move, so it does not count
        decoded[3, 3] += 0.5
        assert moving_psnr(decoded, truth, median) == pytest.approx(20, abs=1e-4)

    def test_a_static_picture_has_none(self) -> None:
        static = torch.rand(4, 5, 3)
        assert moving_psnr(static + 0.3, static, static) is None

    def test_the_median_is_of_all_frames_whichever_are_compared(self, encoded: tuple[Path, Path]) -> None:
        every = {score.frame: score.psnr_moving for score in _evaluated(encoded).frames}
        some = {score.frame: score.psnr_moving for score in _evaluated(encoded, every=2).frames}
        assert some == {frame: every[frame] for frame in (0, 2, 4)}
        assert None not in some.values()


class TestJod:
    def test_is_computed_from_the_whole_sequence_of_each_view(
        self, encoded: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[dict[str, Any]] = []

        class _Metric:
            def __init__(self, **options: Any) -> None:
                self.options = options

            def predict(self, test: Any, reference: Any, **options: Any) -> tuple[torch.Tensor, None]:
                errors = (test.float() - reference.float()).square().mean(dim=(1, 2, 3)) / 255**2
                calls.append({"shape": test.shape, "dtype": test.dtype, "mse": errors, **options})
                return torch.tensor(10.0 - len(calls)), None

        package = ModuleType("pycvvdp")
        package.cvvdp = _Metric  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "pycvvdp", package)
        result = _evaluated(encoded, views=["cam00", "cam02"])
        assert result.jod == 8.5
        assert "jod" not in result.missing
        for view, call in zip(("cam00", "cam02"), calls, strict=True):
            assert (tuple(call["shape"]), call["dtype"]) == ((FRAMES, HEIGHT, WIDTH, 3), torch.uint8)
            assert (call["dim_order"], call["frames_per_second"]) == ("FHWC", 30)
            expected = [score.mse for score in result.frames if score.view == view]
            assert call["mse"].tolist() == pytest.approx(expected, abs=1e-4)  # rounded to bytes

    def test_without_the_package_or_the_whole_video_a_reason_is_reported(
        self, encoded: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "pycvvdp", None)
        monkeypatch.setitem(sys.modules, "flip_evaluator", None)
        result = _evaluated(encoded)
        assert (result.jod, result.mean("flip")) == (None, None)
        assert result.missing["jod"].startswith("needs the package cvvdp: ")
        assert result.missing["flip"].startswith("needs the package flip-evaluator (dynerf[metrics]): ")
        assert "--every 1" in _evaluated(encoded, every=2).missing["jod"]
