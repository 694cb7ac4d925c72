"""What a model is given for a tensor, and what it says of each symbol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints: TypeAlias = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class SideInformation:
    """What is known of all symbols of a tensor before its own record: each may be missing.

    ``coarse`` are those of the layer below, ``factor`` times as coarse; ``before`` those of the same layer in
    the segment before.
    """

    coarse: Ints | None = None
    factor: int = 0
    before: Ints | None = None

    def base(self) -> Ints | int:
        """What a symbol is expected to be: as in the segment before, but within reach of the coarser one."""
        if self.coarse is None:
            return 0 if self.before is None else self.before
        middle = self.factor * self.coarse
        if self.before is None:
            return middle
        reach = self.factor // 2
        nearest: Ints = np.clip(self.before, middle - reach, middle + reach)
        return nearest


@dataclass(frozen=True, eq=False)
class Prediction:
    """Of each symbol of a wave, flat: context, and base and sign of value = base + sign * residual."""

    context: npt.NDArray[np.intp]
    base: Ints
    sign: Ints | int = 1
