"""The occupancy grids of a trained model: cells in which a field is empty at all frames.

Both fields are asked at the corners of a lattice finer than the cells, borders included. Between two of its
points there may be more: to the logarithm of a point's density is added half of the largest step to a
neighbour along each axis, which bounds what is linear in between. Trained fields have walls thinner than
that, so cells that touch an occupied one count as occupied, too. That is no proof for every field; that
random points find nothing is what the tests look for.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dynerf_decoder.fields.field import FoldedDensity, FoldedField, Model
from dynerf_format import COARSE_EMPTY, FINE_EMPTY, CellGrid, Occupancy

_SIZE = 32  # cells a side: finer ones find a twentieth more empty space and take four times the bytes
_PER_CELL = 3  # steps of the lattice along a cell
_AT_ONCE = 8  # layers of the lattice


@torch.no_grad()
def find_occupancy(model: Model, latents: Float[Tensor, "frame latent"], layers: int) -> Occupancy | None:
    """Where the model's fields, as they are now, are empty at all frames of a segment; None: nowhere."""
    device = next(model.parameters()).device
    densest = [np.zeros((_SIZE,) * 3, np.float32) for _ in range(2)]
    for latent in latents.to(device):
        folded = model.fold(latent.unsqueeze(0))
        for most, field in zip(densest, (folded.coarse, folded.fine), strict=True):
            _note_density(most, field, device)
    bounds = COARSE_EMPTY, FINE_EMPTY
    cells = [~(most < bound) for most, bound in zip(densest, bounds, strict=True)]
    coarse, fine = (_grid(_with_neighbours(each)) for each in cells)
    return None if coarse is None and fine is None else Occupancy(layers, coarse, fine)


def _grid(occupied: Bool[np.ndarray, "z y x"]) -> CellGrid | None:
    """One that is full says nothing."""
    return None if occupied.all() else CellGrid.of_cells(occupied)


def _note_density(
    most: Float[np.ndarray, "z y x"], field: FoldedField | FoldedDensity, device: torch.device
) -> None:
    """Raise ``most`` to the densest that each cell may be."""
    found = _with_slopes(np.log(np.stack(list(_layers(field, device)))))
    for axis in range(3):
        parts = [slice(start, start + _SIZE * _PER_CELL, _PER_CELL) for start in range(_PER_CELL + 1)]
        around = [tuple(part if each == axis else slice(None) for each in range(3)) for part in parts]
        found = np.maximum.reduce([found[part] for part in around])
    np.fmax(most, np.exp(found), out=most)


def _with_slopes(values: Float[np.ndarray, "z y x"]) -> Float[np.ndarray, "z y x"]:
    """Values with half of the largest step to a neighbour along each axis added."""
    result = values.copy()
    for axis in range(3):
        steps = np.abs(np.diff(values, axis=axis))
        pads = [[(1, 0) if each == axis else (0, 0) for each in range(3)] for _ in range(2)]
        pads[1][axis] = (0, 1)
        result += np.maximum(*(np.pad(steps, pad) for pad in pads)) / 2
    return result


def _layers(field: FoldedField | FoldedDensity, device: torch.device) -> Iterator[Float[np.ndarray, "y x"]]:
    """Densities on the lattice, z by z. What is no number counts as dense."""
    line = torch.linspace(-1, 1, _SIZE * _PER_CELL + 1, device=device)
    for part in torch.split(line, _AT_ONCE):
        z, y, x = torch.meshgrid(part, line, line, indexing="ij")
        points = torch.stack([x, y, z], dim=-1).view(1, -1, 1, 3)
        if isinstance(field, FoldedDensity):
            density = field.density(points)
        else:
            forwards = points.new_tensor([0.0, 0.0, -1.0]).expand(1, points.shape[1], 3)
            density = field.query(points, forwards)[0]
        yield from density.float().nan_to_num(1e30, 1e30).clamp_min(1e-9).view_as(x).cpu().numpy()


def _with_neighbours(occupied: Bool[np.ndarray, "z y x"]) -> Bool[np.ndarray, "z y x"]:
    """Cells that are occupied, or touch one that is."""
    for axis in range(3):
        padded = np.pad(occupied, [(1, 1) if each == axis else (0, 0) for each in range(3)])
        parts = [np.take(padded, range(s, s + len(occupied)), axis) for s in range(3)]
        occupied = np.logical_or.reduce(parts)
    return occupied
