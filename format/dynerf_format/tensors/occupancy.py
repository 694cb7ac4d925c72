"""Occupancy grids <-> the payload of an ``occu`` chunk: where a segment's fields are empty at all frames.

Two grids of equal cells over the cube, for the coarse field (density below ``COARSE_EMPTY`` per cube unit in
an empty cell) and for the fine one (``FINE_EMPTY``). They are valid for weights with exactly ``layers``
quality layers, because other steps give other densities.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dynerf_format.errors import FormatError, LimitError, TruncatedError

if TYPE_CHECKING:
    import numpy.typing as npt

COARSE_EMPTY = 2.0**-5
FINE_EMPTY = 2.0**-2
CELLS_MAX = 256
LAYERS_MAX = 16

_HEAD = struct.Struct("<BHH")
"""layers, cells per side of the coarse field's and of the fine field's grid."""
OCCUPANCY_BYTES_MAX = _HEAD.size + 2 * CELLS_MAX**3 // 8


@dataclass(frozen=True, eq=False)
class CellGrid:
    """``size`` cells per side, x fastest, then y, then z; one bit each, lowest bit first; 1: occupied.

    Bits after the last cell are 0.
    """

    size: int
    bits: npt.NDArray[np.uint8]

    @classmethod
    def of_cells(cls, occupied: npt.NDArray[np.bool_]) -> CellGrid:
        """Pack cells (z, y, x)."""
        return cls(len(occupied), np.packbits(occupied.reshape(-1), bitorder="little"))

    def cells(self) -> npt.NDArray[np.bool_]:
        """Which cells (z, y, x) are occupied."""
        flat = np.unpackbits(self.bits, count=self.size**3, bitorder="little")
        return flat.reshape(self.size, self.size, self.size).astype(np.bool_)


@dataclass(frozen=True, eq=False)
class Occupancy:
    """The grids of a segment; None where the file has none for a field."""

    layers: int
    coarse: CellGrid | None
    fine: CellGrid | None

    @property
    def grids(self) -> tuple[CellGrid | None, CellGrid | None]:
        """The coarse field's and the fine field's grid."""
        return self.coarse, self.fine


def pack_occupancy(occupancy: Occupancy) -> bytes:
    """Return the payload; FormatError when a reader would refuse it."""
    grids = [occupancy.coarse, occupancy.fine]
    sizes = [0 if grid is None else grid.size for grid in grids]
    bodies = [grid.bits.tobytes() for grid in grids if grid is not None]
    if not 1 <= occupancy.layers <= LAYERS_MAX or max(sizes) > CELLS_MAX:
        raise FormatError(f"occupancy: {occupancy.layers} layers, {sizes} cells per side")
    payload = _HEAD.pack(occupancy.layers, *sizes) + b"".join(bodies)
    unpack_occupancy(payload)
    return payload


def unpack_occupancy(payload: bytes) -> Occupancy:
    """Return the grids of a payload.

    FormatError when they do not fill it exactly or bits beyond the last cell are set, LimitError when a grid
    is too fine.
    """
    if len(payload) < _HEAD.size:
        raise TruncatedError(f"occupancy: {len(payload)} bytes, expected at least {_HEAD.size}")
    layers, *sizes = _HEAD.unpack_from(payload)
    if not 1 <= layers <= LAYERS_MAX:
        raise FormatError(f"occupancy: for {layers} layers, expected 1 to {LAYERS_MAX}")
    if max(sizes) > CELLS_MAX:
        raise LimitError(f"occupancy: {max(sizes)} cells per side, {CELLS_MAX} allowed")
    if not any(sizes):
        raise FormatError("occupancy: no cells")
    expected = _HEAD.size + sum(map(_bytes, sizes))
    if len(payload) < expected:
        raise TruncatedError(f"occupancy: {len(payload)} bytes, grids of {sizes} cells need {expected}")
    if len(payload) > expected:
        raise FormatError(
            f"occupancy: {len(payload) - expected} bytes left over after grids of {sizes} cells"
        )
    middle = _HEAD.size + _bytes(sizes[0])
    return Occupancy(layers, _grid(sizes[0], payload[_HEAD.size : middle]), _grid(sizes[1], payload[middle:]))


def _grid(size: int, body: bytes) -> CellGrid | None:
    if size == 0:
        return None
    if size**3 % 8 and body[-1] >> (size**3 % 8):
        raise FormatError(f"occupancy: bits are set beyond the last of {size**3} cells")
    return CellGrid(size, np.frombuffer(body, np.uint8))


def _bytes(size: int) -> int:
    return -(-(size**3) // 8)
