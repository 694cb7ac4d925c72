"""The occupancy grids of a trained model: cells in which a field is empty at all frames.

Both fields are evaluated on a lattice finer than the cells, borders included. The density may be larger
between two lattice points: half of the largest step to a neighbour along each axis is added to the logarithm
of the density, which bounds a function that is linear in between. Trained fields have walls thinner than
that, so cells that touch an occupied one count as occupied, too. This is not a proof for every field; the
tests check random points.

A cell that is occupied at one frame is not evaluated at the others, and threads take frames, whose order does
not change the result.
"""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynerf_decoder.fields.field import FoldedDensity, Model
from dynerf_decoder.threads import in_threads
from dynerf_format import COARSE_EMPTY, FINE_EMPTY, CellGrid, Occupancy

_PER_CELL = 3  # lattice steps along a cell
_BATCH = {"cpu": 2**15, "cuda": 2**19}  # points

Cells = Bool[np.ndarray, "z y x"]
Progress = Callable[[int, int], None]


def find_occupancy(
    model: Model,
    latents: Float[Tensor, "frame latent"],
    layers: int,
    size: int,
    progress: Progress | None = None,
) -> Occupancy | None:
    """Where the model's fields are empty at all frames of a segment; None if nowhere.

    Grids have ``size`` cells a side. ``progress`` is called with the number of frames done and of all.
    """
    device = next(model.parameters()).device
    coarse, fine = (np.zeros((size,) * 3, bool) for _ in range(2))  # occupied cells
    lock, done = threading.Lock(), 0

    @torch.no_grad()
    def mark_frame(latent: Float[Tensor, " latent"]) -> None:
        nonlocal done
        folded = model.fold(latent.unsqueeze(0))
        if folded.coarse is folded.fine:
            _mark(folded.fine, [(coarse, COARSE_EMPTY), (fine, FINE_EMPTY)], device)
        else:
            _mark(folded.coarse, [(coarse, COARSE_EMPTY)], device)
            _mark(folded.fine, [(fine, FINE_EMPTY)], device)
        with lock:
            done += 1
            if progress is not None:
                progress(done, len(latents))

    frames = list(latents.to(device))
    if device.type == "cpu":
        in_threads(mark_frame, frames)
    else:
        for latent in frames:
            mark_frame(latent)
    grids = _grid(_with_neighbours(coarse)), _grid(_with_neighbours(fine))
    return None if grids == (None, None) else Occupancy(layers, *grids)


def _grid(occupied: Cells) -> CellGrid | None:
    """None for a grid that is fully occupied."""
    return None if occupied.all() else CellGrid.of_cells(occupied)


def _mark(field: FoldedDensity, grids: list[tuple[Cells, float]], device: torch.device) -> None:
    """Mark the cells of each grid whose density may reach its bound; skip cells marked in all of them."""
    unmarked = ~np.logical_and.reduce([cells for cells, _ in grids])
    points = np.flatnonzero(_points_about(unmarked))
    side = len(unmarked) * _PER_CELL + 1
    logarithms = np.zeros((side,) * 3, np.float32)
    logarithms.reshape(-1)[points] = np.log(_densities(field, points, side, device))
    densest = np.exp(_max_per_cell(_with_slopes(logarithms)))
    for cells, bound in grids:
        cells |= unmarked & ~(densest < bound)


def _points_about(cells: Cells) -> Bool[np.ndarray, "point_z point_y point_x"]:
    """The lattice points in cells and on their borders, and one step further, for slopes."""
    wide = cells
    for axis in range(3):
        wide = np.repeat(wide, _PER_CELL, axis)
        pads = [((1, 2) if each == axis else (0, 0)) for each in range(3)]
        padded = np.pad(wide, pads)  # index i holds the lattice's interval i - 1
        count = len(cells) * _PER_CELL + 1
        parts = [np.take(padded, range(start, start + count), axis) for start in range(2)]
        wide = np.logical_or.reduce(parts)
    for axis in range(3):
        wide = _or_neighbours(wide, axis)
    return wide


def _densities(
    field: FoldedDensity, points: Int[np.ndarray, " n"], side: int, device: torch.device
) -> Float[np.ndarray, " n"]:
    """Densities at lattice points, given by number, with ``side`` points a side. NaN counts as dense."""
    parts = [part.float().cpu().numpy() for part in _query(field, points, side, device)]
    densities = np.concatenate([np.zeros(0, np.float32), *parts])
    finite: Float[np.ndarray, " n"] = np.nan_to_num(densities, nan=1e30, posinf=1e30).clip(1e-9)
    return finite


def _query(
    field: FoldedDensity, points: Int[np.ndarray, " n"], side: int, device: torch.device
) -> Iterator[Tensor]:
    line = torch.linspace(-1, 1, side, device=device)
    for part in torch.split(torch.as_tensor(points, device=device), _BATCH[device.type]):
        x, y, z = line[part % side], line[part // side % side], line[part // side**2]
        yield field.density(torch.stack([x, y, z], dim=-1).view(1, -1, 1, 3)).flatten()


def _max_per_cell(values: Float[np.ndarray, "z y x"]) -> Float[np.ndarray, "cell_z cell_y cell_x"]:
    """The largest value in each cell, borders included."""
    for axis in range(3):
        end = values.shape[axis] - 1
        parts = [slice(start, start + end, _PER_CELL) for start in range(_PER_CELL + 1)]
        around = [tuple(part if each == axis else slice(None) for each in range(3)) for part in parts]
        values = np.maximum.reduce([values[part] for part in around])
    return values


def _with_slopes(values: Float[np.ndarray, "z y x"]) -> Float[np.ndarray, "z y x"]:
    """Values plus half of the largest step to a neighbour along each axis."""
    result = values.copy()
    for axis in range(3):
        steps = np.abs(np.diff(values, axis=axis))
        pads = [[(1, 0) if each == axis else (0, 0) for each in range(3)] for _ in range(2)]
        pads[1][axis] = (0, 1)
        result += np.maximum(*(np.pad(steps, pad) for pad in pads)) / 2
    return result


def _with_neighbours(occupied: Cells) -> Cells:
    """Occupied cells and cells that touch one."""
    for axis in range(3):
        occupied = _or_neighbours(occupied, axis)
    return occupied


def _or_neighbours(marked: Bool[np.ndarray, "z y x"], axis: int) -> Bool[np.ndarray, "z y x"]:
    """Marked cells and their neighbours along an axis."""
    padded = np.pad(marked, [(1, 1) if each == axis else (0, 0) for each in range(3)])
    parts = [np.take(padded, range(start, start + len(marked)), axis) for start in range(3)]
    near: Bool[np.ndarray, "z y x"] = np.logical_or.reduce(parts)
    return near
