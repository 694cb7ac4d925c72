"""Meet a size in bytes exactly: all rounding steps are scaled until the real file fits."""

import math
from collections.abc import Callable

from dynerf_encoder.config.schema import Quantisation
from dynerf_format.errors import ConfigError

from .step_sizes import coarsened

_TOLERANCE = 0.05  # of the target, as documented
NEAR_ERROR = 0.04  # of the target; with it trained steps are kept. The file's own quality fields come later.
STOP_ERROR = 0.01  # of the target; the search stops below
_MAX_TRIALS = 10  # each packs the whole model
_MAX_LOG_SCALE = math.log(8.0)  # beyond this the model was trained for another size
_SLOPE = -0.8  # approximate, of log size over log step; for the first guess


def meet_target(
    size_of: Callable[[Quantisation], int],
    trained: Quantisation,
    target: int,
    stop_error: float = STOP_ERROR,
) -> float:
    """The factor of the trained steps at which ``size_of`` them is ``target`` bytes, within 5 %.

    The search ends at an error of ``stop_error``, a share of the target. Raises ConfigError with the nearest
    size if no factor from 1/8 to 8 meets it.
    """
    low, high = -_MAX_LOG_SCALE, _MAX_LOG_SCALE  # log scales: the file is too large at low, too small at high
    scale = 0.0
    tried: list[tuple[float, float]] = []  # scales and errors, both as logarithms
    for _ in range(_MAX_TRIALS):
        error = math.log(size_of(coarsened(trained, math.exp(scale))) / target)
        tried.append((scale, error))
        if abs(math.expm1(error)) <= stop_error or (
            abs(scale) == _MAX_LOG_SCALE and (error > 0) == (scale > 0)
        ):
            break  # met, or out of range
        low, high = (scale, high) if error > 0 else (low, scale)
        scale = _next(tried, low, high)
    scale, error = min(tried, key=lambda one: abs(one[1]))
    if abs(math.expm1(error)) > _TOLERANCE:
        raise ConfigError(
            f"--target-size {target}: the nearest that rounding reaches is {target * math.exp(error):.0f} "
            "bytes; --resume with another --target-size writes the trained model at that size"
        )
    return math.exp(scale)


def _next(tried: list[tuple[float, float]], low: float, high: float) -> float:
    """Where a line through the last trials meets the target; the middle if that is outside the bracket."""
    (scale, error), slope = tried[-1], _SLOPE
    if len(tried) > 1:
        previous, previous_error = tried[-2]
        slope = (error - previous_error) / (scale - previous)
    guess = scale - error / (slope if slope < 0 else _SLOPE)
    if low < guess < high:
        return guess
    end = high if guess >= high else low
    return end if abs(end) == _MAX_LOG_SCALE else (low + high) / 2  # the limit has not been tried yet


def check_target(smallest: int, target: int, sound: int = 0) -> None:
    """Refuse a target below ``smallest``, the size of a file whose planes are empty. Raises ConfigError.

    ``sound`` are the bytes of it that are sound.
    """
    if target < smallest:
        audible = f", {sound} of them sound," if sound else ""
        remedy = " and so does a lower --audio-bitrate or --audio none" if sound else ""
        raise ConfigError(
            f"--target-size {target}: the file takes {smallest} bytes{audible} before anything is learned; "
            f"smaller networks (--set planes.hidden=...) or fewer frames take less{remedy}"
        )
