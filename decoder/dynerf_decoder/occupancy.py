"""Where a segment's space is empty, at all its frames: what the file's chunk ``occu`` says."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

EMPTY_DENSITY = 0.01
"""Per cube unit: in an empty cell neither field is denser at any frame (format/SPEC.md, 14.6)."""


@dataclass(frozen=True, eq=False)
class OccupancyGrid:
    """``size`` cells a side over the cube, x fastest, a bit each, the lowest of a byte first; 1: occupied."""

    size: int
    bits: UInt8[np.ndarray, " byte"]

    @classmethod
    def of_cells(cls, occupied: Bool[np.ndarray, "z y x"]) -> "OccupancyGrid":
        """Pack cells."""
        return cls(len(occupied), np.packbits(occupied.reshape(-1), bitorder="little"))

    def cells(self) -> Bool[np.ndarray, "z y x"]:
        """Which cells are occupied."""
        flat = np.unpackbits(self.bits, count=self.size**3, bitorder="little")
        return flat.reshape(self.size, self.size, self.size).astype(bool)

    def occupied(self, points: Float[Tensor, "*point 3"]) -> Bool[Tensor, "*point"]:
        """Whether there may be something at cube points; points outside count with the border's cells."""
        cells = torch.as_tensor(self.cells(), device=points.device).flatten()
        place = ((points.float() + 1) * (0.5 * self.size)).nan_to_num(0.0).clamp(0, self.size - 1).long()
        return cells[(place[..., 2] * self.size + place[..., 1]) * self.size + place[..., 0]]
