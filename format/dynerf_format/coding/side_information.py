"""The input and output of a context model: side information of a tensor, and predictions of its symbols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints: TypeAlias = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class SideInformation:
    """Symbols of the same tensor elsewhere that are known before its record is decoded; each is optional.

    ``coarse`` are those of the layer below, whose steps are ``factor`` times as large; ``previous`` those of
    the same layer in the previous segment.
    """

    coarse: Ints | None = None
    factor: int = 0
    previous: Ints | None = None

    def base(self) -> Ints | int:
        """The predicted symbols: those of the previous segment, clamped to what the coarser symbols allow."""
        if self.coarse is None:
            return 0 if self.previous is None else self.previous
        middle = self.factor * self.coarse
        if self.previous is None:
            return middle
        reach = self.factor // 2
        clamped: Ints = np.clip(self.previous, middle - reach, middle + reach)
        return clamped


@dataclass(frozen=True, eq=False)
class Prediction:
    """For each symbol of a wave, flattened: context, and base of value = base + residual."""

    context: npt.NDArray[np.intp]
    base: Ints
