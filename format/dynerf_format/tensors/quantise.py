"""Uniform quantisation of tensors: value = symbol * step.

A step is one float32 for the whole tensor or one per index of its first axis ("channel"). Symbols are within
2^23, so each is exact in float32 and a product is rounded once: all decoders obtain bit-identical values.
Only the integers are entropy-coded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dynerf_format.errors import FormatError
from dynerf_format.layout import SYMBOL_MAX

if TYPE_CHECKING:
    import numpy.typing as npt

STEP_MIN, STEP_MAX = 2.0**-100, 2.0**100  # no product overflows or becomes subnormal (GPUs flush those)
RANK_MAX = 8
EXTENT_MAX = 2**32 - 1
NAME_LENGTH_MAX = 128

_NAME = re.compile(r"[A-Za-z0-9_./\-]+")


@dataclass(frozen=True, eq=False)
class QuantisedTensor:
    """A named tensor of ``symbols`` (int32, rank 1 to 8, no empty axis) and its ``steps`` (float32).

    ``steps`` has shape (1,) or (symbols.shape[0],). FormatError when a rule is violated.
    """

    name: str
    symbols: npt.NDArray[np.int32]
    steps: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.symbols.dtype != np.int32 or self.steps.dtype != np.float32:
            raise FormatError(
                f"tensor {self.name!r}: symbols {self.symbols.dtype} and steps {self.steps.dtype}, "
                "expected int32 and float32"
            )
        check_shape(self.name, self.symbols.shape)
        _check_steps(self.name, self.steps, self.symbols.shape[0])
        if int(self.symbols.max()) > SYMBOL_MAX or int(self.symbols.min()) < -SYMBOL_MAX:
            raise FormatError(f"tensor {self.name!r}: symbols beyond +-{SYMBOL_MAX}; the step is too small")

    def dequantise(self) -> npt.NDArray[np.float32]:
        """Return symbols * steps, float32, in the shape of the symbols."""
        return self.symbols.astype(np.float32) * self.steps.reshape(_channel_shape(self.symbols.ndim))


def quantise(name: str, values: npt.ArrayLike, step: npt.ArrayLike) -> QuantisedTensor:
    """Round ``values`` / ``step`` to the nearest integer, ties to even.

    ``step`` is a number, or (values.shape[0],) numbers. It is rounded to float32 before it is used, so that
    the error is at most half of the stored step. FormatError when values are not finite or need
    symbols beyond 2^23.
    """
    numbers = np.asarray(values, dtype=np.float64)
    check_name(name)
    check_shape(name, numbers.shape)
    if not np.isfinite(numbers).all():
        raise FormatError(f"tensor {name!r}: has values that are not finite")
    with np.errstate(over="ignore"):  # an overflow to infinity is refused on the next line
        steps = np.atleast_1d(np.asarray(step, dtype=np.float64)).astype(np.float32)
    _check_steps(name, steps, numbers.shape[0])
    symbols = np.rint(numbers / steps.astype(np.float64).reshape(_channel_shape(numbers.ndim)))
    if np.abs(symbols).max() > SYMBOL_MAX:
        raise FormatError(f"tensor {name!r}: symbols beyond +-{SYMBOL_MAX}; the step is too small")
    return QuantisedTensor(name, symbols.astype(np.int32), steps)


def check_name(name: str) -> None:
    """FormatError unless ``name`` is 1 to 128 letters, digits and ``_ . / -``, all ASCII."""
    if len(name) > NAME_LENGTH_MAX or not _NAME.fullmatch(name):
        raise FormatError(
            f"tensor name {name[:NAME_LENGTH_MAX]!r}: expected 1 to {NAME_LENGTH_MAX} letters, digits, _./-"
        )


def check_shape(name: str, shape: tuple[int, ...]) -> None:
    """FormatError unless the rank is 1 to 8 and every extent is 1 to 2^32 - 1."""
    if not 1 <= len(shape) <= RANK_MAX or not all(1 <= extent <= EXTENT_MAX for extent in shape):
        raise FormatError(
            f"tensor {name!r}: shape {shape}, expected 1 to {RANK_MAX} axes, none of them empty"
        )


def _check_steps(name: str, steps: npt.NDArray[np.float32], channels: int) -> None:
    if steps.ndim != 1 or steps.shape[0] not in (1, channels):
        raise FormatError(f"tensor {name!r}: steps of shape {steps.shape}, expected (1,) or ({channels},)")
    # Written so that NaN, which compares false with everything, is also refused.
    if not ((steps >= STEP_MIN) & (steps <= STEP_MAX)).all():
        raise FormatError(f"tensor {name!r}: a step is not finite or not between 2^-100 and 2^100")


def _channel_shape(rank: int) -> tuple[int, ...]:
    """The shape that broadcasts steps along the first axis of a tensor of this rank."""
    return (-1,) + (1,) * (rank - 1)
