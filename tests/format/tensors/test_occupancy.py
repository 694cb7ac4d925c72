"""Occupancy grids: round trips and invalid payloads."""

from __future__ import annotations

import numpy as np
import pytest

from dynerf_format import (
    BytesSource,
    CellGrid,
    FormatError,
    LimitError,
    Occupancy,
    Reader,
    TruncatedError,
    clip_bytes,
    occupancy_chunk,
    pack_occupancy,
    unpack_occupancy,
)
from support.clips import smallest


def _cells(size: int) -> np.ndarray:
    return np.arange(size**3).reshape(size, size, size) * 7 % 11 < 4


@pytest.mark.parametrize("sizes", [(1, 0), (0, 3), (4, 5), (16, 2)])
def test_grids_round_trip(sizes: tuple[int, int]) -> None:
    grids = [CellGrid.of_cells(_cells(size)) if size else None for size in sizes]
    found = unpack_occupancy(pack_occupancy(Occupancy(3, *grids)))
    assert found.layers == 3
    for size, grid in zip(sizes, (found.coarse, found.fine), strict=True):
        assert (grid is None) == (size == 0)
        if grid is not None:
            assert np.array_equal(grid.cells(), _cells(size))


def test_bits_are_counted_along_x_first_and_from_the_lowest() -> None:
    cells = np.zeros((3, 3, 3), bool)
    cells[0, 0, 1] = cells[0, 1, 0] = cells[1, 0, 0] = True  # numbers 1, 3 and 9
    payload = pack_occupancy(Occupancy(1, CellGrid.of_cells(cells), None))
    assert payload == bytes([1, 3, 0, 0, 0, 0b1010, 0b10, 0, 0])


@pytest.mark.parametrize(
    ("payload", "error", "message"),
    [
        (b"", TruncatedError, "0 bytes, expected at least 5"),
        (bytes([1, 8, 0, 0]), TruncatedError, "4 bytes"),
        (bytes([0, 2, 0, 0, 0, 255]), FormatError, "for 0 layers"),
        (bytes([17, 2, 0, 0, 0, 255]), FormatError, "for 17 layers"),
        (bytes([1, 0, 0, 0, 0]), FormatError, "no cells"),
        (bytes([1, 1, 1, 0, 0]) + bytes(2**21), LimitError, "257 cells per side, 256 allowed"),
        (bytes([1, 255, 255, 255, 255]), LimitError, "65535 cells per side"),
        (bytes([1, 4, 0, 0, 0]) + bytes(7), TruncatedError, "need 13"),
        (bytes([1, 4, 0, 0, 0]) + bytes(9), FormatError, "1 bytes left over"),
        (bytes([1, 2, 0, 2, 0, 255]), TruncatedError, "need 7"),
        (bytes([1, 1, 0, 0, 0, 2]), FormatError, "bits are set beyond the last of 1 cells"),
        (bytes([1, 0, 0, 3, 0, 0, 0, 0, 8]), FormatError, "beyond the last of 27 cells"),
    ],
)
def test_invalid_payloads_are_refused(payload: bytes, error: type[FormatError], message: str) -> None:
    with pytest.raises(error, match=message):
        unpack_occupancy(payload)


def test_invalid_grids_are_not_packed() -> None:
    with pytest.raises(FormatError, match="0 layers"):
        pack_occupancy(Occupancy(0, CellGrid.of_cells(_cells(2)), None))
    with pytest.raises(FormatError, match="no cells"):
        pack_occupancy(Occupancy(1, None, None))


def test_every_damaged_grid_is_found_by_verify() -> None:
    header, chunks = smallest()
    chunk = occupancy_chunk(0, Occupancy(1, CellGrid.of_cells(_cells(3)), None))
    Reader(BytesSource(clip_bytes(header, [*chunks, chunk]))).verify()
    for length in range(len(chunk.payload)):
        shorter = type(chunk)(chunk.kind, 0, 0, 0, 0, chunk.payload[:length])
        reader = Reader(BytesSource(clip_bytes(header, [*chunks, shorter])))
        with pytest.raises(FormatError, match="occupancy"):
            reader.verify()
        with pytest.raises(FormatError, match="occupancy"):
            reader.occupancy(0)
