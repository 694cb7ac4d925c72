"""PSNR and SSIM compared with their formulas in NumPy and with scikit-image."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from dynerf_encoder.evaluation.metrics import psnr, ssim


def _pictures(height: int, width: int, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """A smooth picture with different channels, and a noisy copy; float32 in 0..1."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width] / 7
    smooth = 0.5 + 0.4 * np.stack([np.sin(rows), np.cos(columns), np.sin(rows + 2 * columns)], axis=-1)
    noisy = (smooth + noise * rng.standard_normal(smooth.shape)).clip(0, 1)
    return smooth.astype(np.float32), noisy.astype(np.float32)


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    return psnr(torch.from_numpy(a), torch.from_numpy(b))


def _ssim(a: np.ndarray, b: np.ndarray) -> float | None:
    return ssim(torch.from_numpy(a), torch.from_numpy(b))


class TestPsnr:
    @pytest.mark.parametrize("noise", [0.003, 0.1, 0.8])
    def test_is_the_formula_over_all_pixels_and_channels(self, noise: float) -> None:
        a, b = _pictures(13, 17, noise)
        expected = 10 * np.log10(1 / np.mean((a - b).astype(np.float64) ** 2))
        assert _psnr(a, b) == pytest.approx(expected, rel=1e-12)

    def test_black_against_white_is_0_db_and_a_tenth_off_is_20_db(self) -> None:
        black = torch.zeros(4, 5, 3)
        assert psnr(black, black + 1) == pytest.approx(0, abs=1e-12)
        assert psnr(black, black + 0.1) == pytest.approx(20, abs=1e-6)  # 0.1 is rounded to float32

    def test_equal_pictures_have_100_db(self) -> None:
        a, _ = _pictures(8, 8)
        assert _psnr(a, a) == 100


class TestSsim:
    @pytest.mark.parametrize("size", [(11, 11), (11, 40), (24, 31), (48, 64)])
    @pytest.mark.parametrize("noise", [0.02, 0.3])
    def test_is_scikit_images_over_the_pixels_whose_window_fits(
        self, size: tuple[int, int], noise: float
    ) -> None:
        a, b = _pictures(*size, noise)
        # scikit-image excludes the same border of 5 pixels, (win_size - 1) / 2, from its mean.
        expected = structural_similarity(  # type: ignore[no-untyped-call]
            a.astype(np.float64), b.astype(np.float64), gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, data_range=1, channel_axis=2,
        )  # fmt: skip
        assert _ssim(a, b) == pytest.approx(expected, abs=1e-6)
        assert abs(expected) < 0.999

    def test_pixels_near_the_border_have_less_weight(self) -> None:
        a, _ = _pictures(24, 24)
        b = a.copy()
        b[12, 12] = 1 - b[12, 12]
        centre = _ssim(a, b)
        b = a.copy()
        b[0, 0] = 1 - b[0, 0]
        corner = _ssim(a, b)
        assert centre is not None
        assert corner is not None
        assert centre < corner < 1

    def test_equal_pictures_have_1(self) -> None:
        a, _ = _pictures(16, 16)
        assert _ssim(a, a) == pytest.approx(1, abs=1e-12)

    @pytest.mark.parametrize("size", [(10, 40), (40, 10), (1, 1)])
    def test_pictures_smaller_than_the_window_have_none(self, size: tuple[int, int]) -> None:
        assert _ssim(*_pictures(*size)) is None
