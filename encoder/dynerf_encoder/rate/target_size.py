"""The last few per cent to a size in bytes: all rounding steps are scaled until the real file fits."""

import math
from collections.abc import Callable

from dynerf_encoder.config.schema import Quantisation
from dynerf_format.errors import ConfigError

from .step_sizes import coarsened

_TOLERANCE = 0.05  # of the target; what is promised
_ENOUGH = 0.01  # of the target; where the search stops
_TRIALS = 10  # each packs the whole model
_WIDEST = math.log(8.0)  # further off than this, the model was trained for quite another size
_SLOPE = -0.8  # of log size over log step, about; for the first guess


def meet_target(size_of: Callable[[Quantisation], int], trained: Quantisation, target: int) -> Quantisation:
    """The trained steps, scaled so that ``size_of`` them is ``target`` bytes, within 5 %.

    Raises ConfigError, telling what was reached, when no scale in 1/8 to 8 does that.
    """
    low, high = -_WIDEST, _WIDEST  # log scales: the file is too large at the one, too small at the other
    scale = 0.0
    tried: list[tuple[float, float]] = []  # scales and errors, both as logarithms
    for _ in range(_TRIALS):
        error = math.log(size_of(coarsened(trained, math.exp(scale))) / target)
        tried.append((scale, error))
        if abs(error) <= _ENOUGH or (abs(scale) == _WIDEST and (error > 0) == (scale > 0)):
            break  # met, or not to be met
        low, high = (scale, high) if error > 0 else (low, scale)
        scale = _next(tried, low, high)
    scale, error = min(tried, key=lambda one: abs(one[1]))
    if abs(math.expm1(error)) > _TOLERANCE:
        raise ConfigError(
            f"--target-size {target}: the nearest that rounding reaches is {target * math.exp(error):.0f} "
            "bytes; --resume with another --target-size writes what was trained"
        )
    return coarsened(trained, math.exp(scale))


def _next(tried: list[tuple[float, float]], low: float, high: float) -> float:
    """Where a line through the last trials meets the target; the middle where that lies outside."""
    (scale, error), slope = tried[-1], _SLOPE
    if len(tried) > 1:
        before, error_before = tried[-2]
        slope = (error - error_before) / (scale - before)
    guess = scale - error / (slope if slope < 0 else _SLOPE)
    if low < guess < high:
        return guess
    end = high if guess >= high else low
    return end if abs(end) == _WIDEST else (low + high) / 2  # the farthest has not been tried yet


def check_target(smallest: int, target: int) -> None:
    """Refuse a target below ``smallest``, the size of a file whose planes are empty. Raises ConfigError."""
    if target < smallest:
        raise ConfigError(
            f"--target-size {target}: the file takes {smallest} bytes before anything is learned; "
            "smaller networks (--set planes.hidden=...) or fewer frames take less"
        )
