"""Asking an occupancy grid by torch: the kernels' reference."""

import functools

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dynerf_format import CellGrid


def occupied_at(grid: CellGrid, points: Float[Tensor, "*point 3"]) -> Bool[Tensor, "*point"]:
    """Whether there may be something at cube points; points outside count with the border's cells."""
    place = (points.float() + 1) * (0.5 * grid.size)
    x, y, z = place.nan_to_num(0.0).clamp(0, grid.size - 1).long().unbind(-1)
    return _cells(grid, points.device)[(z * grid.size + y) * grid.size + x]


@functools.lru_cache(maxsize=8)
def _cells(grid: CellGrid, device: torch.device) -> Bool[Tensor, " cell"]:
    """Unpacked once for all tiles of all pictures; grids are told apart by what they are, not by contents."""
    return torch.as_tensor(grid.cells(), device=device).flatten()
