"""Blurred cameras: how much of a picture's contrast between neighbours is left, against the other cameras.

The finest contrast is divided by the next coarser one, which makes the value independent of what is filmed.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, UInt8

_BLURRED = 0.45  # of the median of all cameras
_LEAST_CONTRAST = 1.0  # grey levels: below it nothing can be said


def sharpness(picture: UInt8[np.ndarray, "height width"]) -> float:
    """Contrast between neighbouring pixels over that between averages of 2x2 pixels; NaN without contrast."""
    grey = picture.astype(np.float32)
    coarse = _contrast(_halved(_halved(grey)))
    return _contrast(_halved(grey)) / coarse if coarse >= _LEAST_CONTRAST else float("nan")


def blurred(values: Mapping[str, float]) -> dict[str, float]:
    """The cameras that are blurred, with their sharpness as a share of the median."""
    usual = float(np.nanmedian(list(values.values()))) if values else float("nan")
    return {name: value / usual for name, value in values.items() if value < _BLURRED * usual}


def _halved(picture: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h2 w2"]:
    height, width = (size // 2 * 2 for size in picture.shape)
    return np.asarray(picture[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)))


def _contrast(picture: Float[np.ndarray, "h w"]) -> float:
    across, down = np.diff(picture, axis=1), np.diff(picture, axis=0)
    return float(np.sqrt((across**2).mean() + (down**2).mean()))
