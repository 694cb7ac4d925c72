"""Queries an occupancy grid in torch: the kernels' reference."""

import functools

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dynerf_format import CellGrid


def occupied_at(grid: CellGrid, points: Float[Tensor, "*point 3"]) -> Bool[Tensor, "*point"]:
    """Whether the cells of cube points are occupied; points outside are clamped to the border's cells."""
    position = (points.float() + 1) * (0.5 * grid.size)
    x, y, z = position.nan_to_num(0.0).clamp(0, grid.size - 1).long().unbind(-1)
    return _cells(grid, points.device)[(z * grid.size + y) * grid.size + x]


@functools.lru_cache(maxsize=8)
def _cells(grid: CellGrid, device: torch.device) -> Bool[Tensor, " cell"]:
    """The unpacked cells, cached for all tiles of all pictures; grids are compared by identity."""
    return torch.as_tensor(grid.cells(), device=device).flatten()
