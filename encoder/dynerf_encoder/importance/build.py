"""Builds importance maps: one pass over the training pictures per map, cached in a folder.

DyNeRF, 3.2. ISG weights a pixel by its difference to the temporal median of its view, IST by its largest
change within some frames; the formulas are in ``weights.py``, drawing rays in ``map.py``. Cameras are static,
so a pixel is the same ray at all times. Held-out views are not read.

The folder holds at most ``median.map``, ``isg.map`` (all frames), ``isg_keyframes.map`` (any other choice)
and ``ist.map``; each is reused while store, views, frames and parameters stay, and replaced when one changes.
A map is uint8 weights (frame, view, row, column), then uint32 sums of its rows (frame, view, row).

Memory, whatever the capture's size: one block of at most ``TILE_BYTES`` to be written (at least one picture
row), scratch for ``CHUNK`` values of (frame, pixel), and the row sums.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Int64, UInt8

from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_format.errors import ConfigError

from .cache import CachedFile
from .map import ImportanceMap
from .weights import isg_weights, ist_weights, temporal_median

__all__ = ["ImportanceMap", "Progress", "build_isg", "build_ist"]

TILE_BYTES = 2**26
CHUNK = 2**16

Progress = Callable[[int, int], None]
"""Called with the picture rows done and their total over all views; not called when the map is cached."""

_VERSION = 1  # of the files' contents; raise it when formulas or layout change

_WeightFunction = Callable[[int, slice], UInt8[np.ndarray, "frame n"]]
"""Weights of one training view (its position in ``views``) for a slice of its pixels."""


def build_isg(
    store: FrameStore,
    views: Sequence[int],
    frames: Sequence[int] | Int64[np.ndarray, " frame"],
    gamma: float,
    folder: Path,
    progress: Progress | None = None,
) -> ImportanceMap:
    """The ISG map of ``frames`` (store frame numbers); the median is over *all* frames of the store.

    ``gamma`` is in colours of 0..1: the paper's 1e-3 for keyframes, 2e-2 for all frames.
    Raises ConfigError (invalid views, frames or gamma), OutputError (disk full, cannot be written).
    """
    if not 1e-6 <= gamma <= 1:
        raise ConfigError(f"ISG gamma {gamma}: expected 1e-6 to 1, colours are in 0..1")
    builder = _MapBuilder(store, views, frames, folder)
    every = len(builder.frames) == store.frames
    weights = builder.map_file("isg" if every else "isg_keyframes", gamma=gamma)
    if not weights.is_current():
        median = builder.median_file()
        outdated = not median.is_current()
        rows = _RowCounter(progress, builder.rows * (2 if outdated else 1))
        if outdated:
            median.write(lambda file: builder.write_medians(file, rows))
        doubled = median.read(np.uint16, (len(builder.views), builder.pixels, 3))
        chosen = slice(None) if every else builder.frames  # a slice avoids a copy

        def compute(position: int, pixels: slice) -> UInt8[np.ndarray, "frame n"]:
            return isg_weights(builder.pictures(position)[chosen, pixels], doubled[position, pixels], gamma)

        weights.write(lambda file: builder.write_weights(file, compute, rows))
    return builder.load(weights)


def build_ist(
    store: FrameStore,
    views: Sequence[int],
    window: int,
    floor: float,
    folder: Path,
    progress: Progress | None = None,
) -> ImportanceMap:
    """The IST map of all frames of the store.

    ``floor`` is in colours of 0..1 (the paper's alpha, 0.1; public re-implementations apply it to 0..255,
    where it has no effect); ``window`` is the number of frames to either side (25).
    Raises ConfigError (invalid views, window or floor), OutputError (disk full, cannot be written).
    """
    if window < 1:
        raise ConfigError(f"IST window {window}: expected 1 frame or more")
    if not 0 <= floor <= 1:
        raise ConfigError(f"IST floor {floor}: expected 0 to 1, colours are in 0..1")
    builder = _MapBuilder(store, views, range(store.frames), folder)
    weights = builder.map_file("ist", window=window, floor=floor)
    if not weights.is_current():
        rows = _RowCounter(progress, builder.rows)

        def compute(position: int, pixels: slice) -> UInt8[np.ndarray, "frame n"]:
            return ist_weights(builder.pictures(position)[:, pixels], window, floor)

        weights.write(lambda file: builder.write_weights(file, compute, rows))
    return builder.load(weights)


def _check_indices(what: str, chosen: Sequence[int], size: int) -> None:
    if not chosen or len(set(chosen)) != len(chosen) or min(chosen) < 0 or max(chosen) >= size:
        raise ConfigError(
            f"importance map of {what} {chosen}: expected one or more, distinct, of 0 to {size - 1}"
        )


class _RowCounter:
    """Counts the picture rows done, for the caller's progress."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def add(self, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            self._progress(self._done, self._total)


class _MapBuilder:
    """Writes and loads the maps of some views and frames of a store."""

    def __init__(
        self,
        store: FrameStore,
        views: Sequence[int],
        frames: Sequence[int] | Int64[np.ndarray, " frame"],
        folder: Path,
    ) -> None:
        self.views = tuple(int(view) for view in views)
        self.frames = np.unique(np.asarray(frames, np.int64))
        _check_indices("views", self.views, len(store.names))
        _check_indices("frames", self.frames.tolist(), store.frames)
        self.rows = len(self.views) * store.height
        self.pixels = store.height * store.width
        self._store = store
        self._folder = folder
        self._covered = store.covered_pixels(self.views)

    def pictures(self, position: int) -> UInt8[np.ndarray, "frame n 3"]:
        """All pixels of one training view, mapped."""
        return np.asarray(self._store.view(self.views[position])).reshape(self._store.frames, self.pixels, 3)

    def median_file(self) -> CachedFile:
        return self._file("median", len(self.views) * self.pixels * 6, {})

    def map_file(self, name: str, **parameters: int | float) -> CachedFile:
        lines = len(self.frames) * self.rows
        inputs = {"frames": self.frames.tolist(), **parameters}
        return self._file(name, lines * (self._store.width + 4), inputs)

    def _file(self, name: str, nbytes: int, inputs: dict[str, object]) -> CachedFile:
        common = {"version": _VERSION, "store": self._store.fingerprint, "views": list(self.views)}
        return CachedFile(self._folder / f"{name}.map", nbytes, common | inputs)

    def load(self, file: CachedFile) -> ImportanceMap:
        lines = (len(self.frames), len(self.views), self._store.height)
        weights = file.read(np.uint8, (*lines, self._store.width))
        row_sums = file.read(np.uint32, lines, weights.size)
        return ImportanceMap(weights, row_sums, self.frames, self.views, self._covered)

    def write_medians(self, file: BinaryIO, rows: _RowCounter) -> None:
        """Doubled medians, uint16 (view, pixel, 3)."""
        for position in range(len(self.views)):
            pictures = self.pictures(position)
            for tile in self._tiles(6 * self._store.width):
                medians = np.empty((tile.stop - tile.start, 3), np.uint16)
                for chunk in self._chunks(tile, 4 * CHUNK):  # here scratch values are single bytes
                    medians[chunk.start - tile.start : chunk.stop - tile.start] = temporal_median(
                        pictures[:, chunk]
                    )
                file.write(medians.data)
                rows.add(len(medians) // self._store.width)

    def write_weights(self, file: BinaryIO, compute: _WeightFunction, rows: _RowCounter) -> None:
        """Weights and row sums of a map, in the layout given in the module's docstring."""
        count, width = len(self.frames), self._store.width
        sums = np.empty((count, self.rows), np.uint32)
        for position in range(len(self.views)):
            for tile in self._tiles(count * width):
                weights = np.empty((count, tile.stop - tile.start), np.uint8)
                for chunk in self._chunks(tile, CHUNK):
                    weights[:, chunk.start - tile.start : chunk.stop - tile.start] = compute(position, chunk)
                start = position * self.pixels + tile.start
                if self._covered is not None:
                    weights[:, ~self._covered[start : start + weights.shape[1]]] = 0
                for frame, part in enumerate(weights):
                    file.seek(frame * self.rows * width + start)
                    file.write(part.data)
                part_sums = weights.reshape(count, -1, width).sum(axis=2, dtype=np.uint32)
                sums[:, start // width : start // width + part_sums.shape[1]] = part_sums
                rows.add(part_sums.shape[1])
        file.seek(count * self.rows * width)
        file.write(sums.data)

    def _tiles(self, bytes_per_row: int) -> Iterator[slice]:
        """Pixels of whole picture rows, as many as fit into ``TILE_BYTES``, but at least one row."""
        step = max(1, TILE_BYTES // bytes_per_row) * self._store.width
        for start in range(0, self.pixels, step):
            yield slice(start, min(start + step, self.pixels))

    def _chunks(self, tile: slice, values: int) -> Iterator[slice]:
        """As many pixels as have ``values`` over all frames, so that scratch stays in the CPU's cache."""
        step = max(1, values // self._store.frames)
        for start in range(tile.start, tile.stop, step):
            yield slice(start, min(start + step, tile.stop))
