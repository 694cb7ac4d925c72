"""The last few per cent to a size in bytes: all rounding steps are scaled until the real file fits."""

from collections.abc import Callable

from dynerf_format.errors import ConfigError

from .config import Quantisation
from .rounding import coarsened

TOLERANCE = 0.05  # of the target; what is promised
_ENOUGH = 0.01  # of the target; where the search stops
_TRIALS = 12  # halvings of the interval, each of which packs the whole model
_WIDEST = 8.0  # times the trained steps: further off, the model was trained for quite another size


def meet_target(size_of: Callable[[Quantisation], int], trained: Quantisation, target: int) -> Quantisation:
    """The trained steps, scaled so that ``size_of`` them is ``target`` bytes, within TOLERANCE.

    Raises ConfigError, telling what was reached, when no scale in 1/8 to 8 does that.
    """
    low, high = 1 / _WIDEST, _WIDEST  # the file is too large at the one, too small at the other
    factor, best, nearest = 1.0, trained, 0
    for _ in range(_TRIALS):
        steps = coarsened(trained, factor)
        size = size_of(steps)
        if abs(size - target) < abs(nearest - target) or nearest == 0:
            best, nearest = steps, size
        if abs(size - target) <= _ENOUGH * target:
            break
        low, high = (factor, high) if size > target else (low, factor)
        # The interval's end is tried as well: otherwise 12 halvings would only come near it.
        factor = (low * high) ** 0.5
    if abs(nearest - target) > TOLERANCE * target:
        raise ConfigError(
            f"--target-size {target}: the nearest that rounding reaches is {nearest} bytes; "
            "--resume with another --target-size writes what was trained"
        )
    return best


def check_target(smallest: int, target: int) -> None:
    """Refuse a target below ``smallest``, the size of a file whose planes are empty. Raises ConfigError."""
    if target < smallest:
        raise ConfigError(
            f"--target-size {target}: the file takes {smallest} bytes before anything is learned; "
            "smaller networks (--set planes.hidden=...) or fewer frames take less"
        )
