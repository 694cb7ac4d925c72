"""Distortion metrics of RGB pictures with values in 0..1 (data range 1).

``psnr`` is over all pixels and channels together. ``ssim`` is the original one (Wang et al., 2004): Gaussian
window of 11 x 11 pixels with sigma 1.5, population covariance, K1 = 0.01, K2 = 0.03, computed per channel and
averaged over channels and over the pixels whose window is inside the picture. This equals scikit-image's
``structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1)``.
``dssim`` is (1 - SSIM) / 2.

``moving_psnr`` is over moving pixels only: those whose true colour differs from the temporal median of its
view by more than ``MOVING``, as a mean over the channels. The mask depends on the true picture only.
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor

Covered = Bool[Tensor, "height width"] | None
"""Which pixels of the true picture have a source and are compared; None: all."""

_SIGMA, _RADIUS = 1.5, 5
_C1, _C2 = 0.01**2, 0.03**2
MOVING = 0.04  # of 0..1, about ten levels: above the noise of compressed video, below visible motion
_MIN_ERROR = 1e-10  # squared error; limits PSNR to 100 dB


def psnr(
    a: Float[Tensor, "height width 3"], b: Float[Tensor, "height width 3"], covered: Covered = None
) -> float:
    """Peak signal-to-noise ratio in dB, at most 100."""
    return _decibels(mse(a, b, covered))


def mse(
    a: Float[Tensor, "height width 3"], b: Float[Tensor, "height width 3"], covered: Covered = None
) -> float:
    """Mean squared error over all covered pixels and channels."""
    squares = (a - b).double().square()
    return float((squares if covered is None else squares[covered]).mean())


def moving_psnr(
    decoded: Float[Tensor, "height width 3"],
    truth: Float[Tensor, "height width 3"],
    median: Float[Tensor, "height width 3"],
    covered: Covered = None,
) -> float | None:
    """PSNR in dB over the moving, covered pixels; None when no pixel moves."""
    moving = (truth - median).abs().mean(dim=-1) > MOVING
    if covered is not None:
        moving &= covered
    if not moving.any():
        return None
    return _decibels(float((decoded - truth)[moving].double().square().mean()))


def dssim(similarity: float | None) -> float | None:
    """Structural dissimilarity from SSIM."""
    return None if similarity is None else (1 - similarity) / 2


def _decibels(squared_error: float) -> float:
    return -10 * math.log10(max(squared_error, _MIN_ERROR))


def ssim(
    a: Float[Tensor, "height width 3"], b: Float[Tensor, "height width 3"], covered: Covered = None
) -> float | None:
    """Mean structural similarity over windows whose pixels are all covered; None when there is no window."""
    if min(a.shape[:2]) <= 2 * _RADIUS:
        return None
    x, y = a.double().permute(2, 0, 1), b.double().permute(2, 0, 1)
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x, variance_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    similarity = ((2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)) / (
        (mean_x**2 + mean_y**2 + _C1) * (variance_x + variance_y + _C2)
    )
    if covered is None:
        return float(similarity.mean())
    missing = F.max_pool2d((~covered)[None].float(), 2 * _RADIUS + 1, stride=1)[0] > 0
    return None if missing.all() else float(similarity[:, ~missing].mean())


def _blur(
    pictures: Float[Tensor, "channel height width"],
) -> Float[Tensor, "channel inner_height inner_width"]:
    """Gaussian-weighted means at pixels where the window fits into the picture."""
    offsets = torch.arange(-_RADIUS, _RADIUS + 1, dtype=pictures.dtype, device=pictures.device)
    window = torch.exp(-0.5 * (offsets / _SIGMA) ** 2)
    window = window / window.sum()
    blurred = F.conv2d(pictures.unsqueeze(1), window.view(1, 1, 1, -1))
    return F.conv2d(blurred, window.view(1, 1, -1, 1)).squeeze(1)
