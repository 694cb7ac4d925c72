"""Blurred cameras: how much of a picture's contrast between neighbours is left, against the other cameras.

The finest contrast is divided by a coarser one, which makes the value independent of what is filmed.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, UInt8

_BLURRED = 0.6  # of the median of all cameras; sharp ones have 0.85 and more
_LEAST_CONTRAST = 1.0  # grey levels: below it nothing can be said


def sharpness(picture: UInt8[np.ndarray, "height width"]) -> float:
    """Contrast of averages of 2x2 pixels over that of averages of 8x8 pixels; NaN without contrast.

    The finest detail of an enlarged picture is not its own, and noise: hence 2x2.
    """
    fine = _halved(picture.astype(np.float32))
    coarse = _contrast(_halved(_halved(fine)))
    return _contrast(fine) / coarse if coarse >= _LEAST_CONTRAST else float("nan")


def blurred(values: Mapping[str, float]) -> dict[str, float]:
    """The cameras that are blurred, with their sharpness as a share of the median."""
    known = {name: value for name, value in values.items() if np.isfinite(value)}
    if not known:
        return {}
    usual = float(np.median(list(known.values())))
    return {name: value / usual for name, value in known.items() if value < _BLURRED * usual}


def _halved(picture: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h2 w2"]:
    height, width = (size // 2 * 2 for size in picture.shape)
    return np.asarray(picture[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)))


def _contrast(picture: Float[np.ndarray, "h w"]) -> float:
    """Second differences, root mean square: they fall with the square of a blur's width."""
    across, down = np.diff(picture, 2, axis=1), np.diff(picture, 2, axis=0)
    return float(np.sqrt((across**2).mean() + (down**2).mean()))
