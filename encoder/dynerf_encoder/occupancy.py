"""The occupancy grids of a trained model: cells in which a field is empty at all frames.

Both fields are asked at the corners of a lattice finer than the cells, borders included, at every frame; a
cell is empty when the densest answer stays ``_MARGIN`` times below what the file promises, because between
two points of the lattice there may be more. A network's positions have frequencies above any lattice's, and
asking it takes long: it is asked at some frames only, and the neighbours of what is occupied count as
occupied.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dynerf_decoder.fields.field import FoldedDensity, FoldedField, Model
from dynerf_decoder.fields.planes import PlanesModel
from dynerf_format import COARSE_EMPTY, FINE_EMPTY, CellGrid, Occupancy

_SIZE = 32  # cells a side: finer ones find a twentieth more empty space and take four times the bytes
_PER_CELL = 2  # steps of the lattice along a cell
_MARGIN = 2.0
_AT_ONCE = 8  # layers of the lattice
_NETWORK_FRAMES = 30


@torch.no_grad()
def find_occupancy(model: Model, latents: Float[Tensor, "frame latent"], layers: int) -> Occupancy:
    """Where the model's fields, as they are now, are empty at all frames of a segment."""
    device = next(model.parameters()).device
    network = not isinstance(model, PlanesModel)
    every = -(-len(latents) // _NETWORK_FRAMES) if network else 1
    densest = [np.zeros((_SIZE,) * 3, np.float32) for _ in range(2)]
    for latent in latents[::every].to(device):
        folded = model.fold(latent.unsqueeze(0))
        for most, field in zip(densest, (folded.coarse, folded.fine), strict=True):
            _note_density(most, field, device)
    bounds = COARSE_EMPTY / _MARGIN, FINE_EMPTY / _MARGIN
    cells = [~(most < bound) for most, bound in zip(densest, bounds, strict=True)]
    coarse, fine = (CellGrid.of_cells(_with_neighbours(each) if network else each) for each in cells)
    return Occupancy(layers, coarse, fine)


def _note_density(
    most: Float[np.ndarray, "z y x"], field: FoldedField | FoldedDensity, device: torch.device
) -> None:
    """Raise ``most`` (z, y, x) to the densest point of each cell, layer by layer of the lattice."""
    for index, layer in enumerate(_layers(field, device)):
        cells = _densest(_densest(layer).T).T
        for z in {max(index - 1, 0) // _PER_CELL, min(index // _PER_CELL, _SIZE - 1)}:
            np.fmax(most[z], cells, out=most[z])


def _densest(values: Float[np.ndarray, "row point"]) -> Float[np.ndarray, "row cell"]:
    """Of the points of each cell of a line, those on its borders included."""
    shifts = range(_PER_CELL + 1)
    return np.maximum.reduce([values[:, s : s + _SIZE * _PER_CELL : _PER_CELL] for s in shifts])


def _layers(field: FoldedField | FoldedDensity, device: torch.device) -> Iterator[Float[np.ndarray, "y x"]]:
    """Densities on the lattice, z by z. What is no number counts as dense."""
    line = torch.linspace(-1, 1, _SIZE * _PER_CELL + 1, device=device)
    for part in line.split(_AT_ONCE):
        z, y, x = torch.meshgrid(part, line, line, indexing="ij")
        points = torch.stack([x, y, z], dim=-1).view(1, -1, 1, 3)
        if isinstance(field, FoldedDensity):
            density = field.density(points)
        else:
            forwards = points.new_tensor([0.0, 0.0, -1.0]).expand(1, points.shape[1], 3)
            density = field.query(points, forwards)[0]
        yield from density.float().nan_to_num(torch.inf).view_as(x).cpu().numpy()


def _with_neighbours(occupied: Bool[np.ndarray, "z y x"]) -> Bool[np.ndarray, "z y x"]:
    """Cells that are occupied, or touch one that is."""
    for axis in range(3):
        padded = np.pad(occupied, [(1, 1) if each == axis else (0, 0) for each in range(3)])
        parts = [np.take(padded, range(s, s + len(occupied)), axis) for s in range(3)]
        occupied = np.logical_or.reduce(parts)
    return occupied
