"""Importance maps are made here: one pass over the training pictures per map, kept in a folder.

DyNeRF, 3.2. ISG weighs a pixel by its difference to the temporal median of its view, IST by its largest
change within some frames; the formulas are in ``importance_weights.py``, drawing rays in
``importance_map.py``. Views stand still, so that a pixel shows the same ray at all times. Held-out views are
not looked at.

The folder holds at most ``median.map``, ``isg.map`` (all frames), ``isg_keyframes.map`` (any other choice)
and ``ist.map``; each is kept while store, views, frames and parameters stay, and replaced when one changes.
A map is uint8 weights (frame, view, row, column), then uint32 sums of its rows (frame, view, row).

Memory: one block of at most ``TILE_BYTES`` that is about to be written, scratch for ``CHUNK`` values of
(frame, pixel), and the row sums, whatever the capture's size. A block has one picture row at least.
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
"""Told the picture rows done and to be done, all views together; not called when nothing has to be done."""

_VERSION = 1  # of what the files hold; raise it when formulas or layout change

_Weigh = Callable[[int, slice], UInt8[np.ndarray, "frame n"]]
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
    Raises ConfigError (views, frames or gamma that make no sense), OutputError (no room, cannot be written).
    """
    if not 1e-6 <= gamma <= 1:
        raise ConfigError(f"ISG gamma {gamma}: expected 1e-6 to 1, colours are in 0..1")
    job = _Job(store, views, frames, folder)
    every = len(job.frames) == store.frames
    weights = job.map_file("isg" if every else "isg_keyframes", gamma=gamma)
    if not weights.is_current():
        median = job.median_file()
        outdated = not median.is_current()
        rows = _Rows(progress, job.rows * (2 if outdated else 1))
        if outdated:
            median.write(lambda file: job.write_medians(file, rows))
        doubled = median.read(np.uint16, (len(job.views), job.pixels, 3))
        chosen = slice(None) if every else job.frames  # a slice spares a copy

        def weigh(position: int, pixels: slice) -> UInt8[np.ndarray, "frame n"]:
            return isg_weights(job.pictures(position)[chosen, pixels], doubled[position, pixels], gamma)

        weights.write(lambda file: job.write_weights(file, weigh, rows))
    return job.load(weights)


def build_ist(
    store: FrameStore,
    views: Sequence[int],
    window: int,
    floor: float,
    folder: Path,
    progress: Progress | None = None,
) -> ImportanceMap:
    """The IST map of all frames of the store.

    ``floor`` is in colours of 0..1 (the paper's alpha, 0.1; against 0..255 it would do nothing, a trap in
    public re-implementations); ``window`` counts frames to either side (25).
    Raises ConfigError (views, window or floor that make no sense), OutputError (no room, cannot be written).
    """
    if window < 1:
        raise ConfigError(f"IST window {window}: expected 1 frame or more")
    if not 0 <= floor <= 1:
        raise ConfigError(f"IST floor {floor}: expected 0 to 1, colours are in 0..1")
    job = _Job(store, views, range(store.frames), folder)
    weights = job.map_file("ist", window=window, floor=floor)
    if not weights.is_current():
        rows = _Rows(progress, job.rows)

        def weigh(position: int, pixels: slice) -> UInt8[np.ndarray, "frame n"]:
            return ist_weights(job.pictures(position)[:, pixels], window, floor)

        weights.write(lambda file: job.write_weights(file, weigh, rows))
    return job.load(weights)


def _check(what: str, chosen: Sequence[int], size: int) -> None:
    if not chosen or len(set(chosen)) != len(chosen) or min(chosen) < 0 or max(chosen) >= size:
        raise ConfigError(f"importance map of {what} {chosen}: expected some, distinct, of 0 to {size - 1}")


class _Rows:
    """Counts picture rows done, for the caller's progress."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def add(self, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            self._progress(self._done, self._total)


class _Job:
    """What all maps of one store, choice of views and choice of frames share."""

    def __init__(
        self,
        store: FrameStore,
        views: Sequence[int],
        frames: Sequence[int] | Int64[np.ndarray, " frame"],
        folder: Path,
    ) -> None:
        self.views = tuple(int(view) for view in views)
        self.frames = np.unique(np.asarray(frames, np.int64))
        _check("views", self.views, len(store.names))
        _check("frames", self.frames.tolist(), store.frames)
        self.rows = len(self.views) * store.height
        self.pixels = store.height * store.width
        self._store = store
        self._folder = folder

    def pictures(self, position: int) -> UInt8[np.ndarray, "frame n 3"]:
        """All pixels of one training view, mapped."""
        return np.asarray(self._store.view(self.views[position])).reshape(self._store.frames, self.pixels, 3)

    def median_file(self) -> CachedFile:
        return self._file("median", len(self.views) * self.pixels * 6, {})

    def map_file(self, name: str, **parameters: int | float) -> CachedFile:
        lines = len(self.frames) * self.rows
        made_from = {"frames": self.frames.tolist(), **parameters}
        return self._file(name, lines * (self._store.width + 4), made_from)

    def _file(self, name: str, nbytes: int, made_from: dict[str, object]) -> CachedFile:
        common = {"version": _VERSION, "store": self._store.fingerprint, "views": list(self.views)}
        return CachedFile(self._folder / f"{name}.map", nbytes, common | made_from)

    def load(self, file: CachedFile) -> ImportanceMap:
        lines = (len(self.frames), len(self.views), self._store.height)
        weights = file.read(np.uint8, (*lines, self._store.width))
        return ImportanceMap(weights, file.read(np.uint32, lines, weights.size), self.frames, self.views)

    def write_medians(self, file: BinaryIO, rows: _Rows) -> None:
        """Doubled medians, uint16 (view, pixel, 3)."""
        for position in range(len(self.views)):
            pictures = self.pictures(position)
            for tile in self._tiles(6 * self._store.width):
                medians = np.empty((tile.stop - tile.start, 3), np.uint16)
                for chunk in self._chunks(tile, 4 * CHUNK):  # its scratch values are bytes
                    medians[chunk.start - tile.start : chunk.stop - tile.start] = temporal_median(
                        pictures[:, chunk]
                    )
                file.write(medians.data)
                rows.add(len(medians) // self._store.width)

    def write_weights(self, file: BinaryIO, weigh: _Weigh, rows: _Rows) -> None:
        """Weights and sums of a map, as the module's opening lays them out."""
        count, width = len(self.frames), self._store.width
        sums = np.empty((count, self.rows), np.uint32)
        for position in range(len(self.views)):
            for tile in self._tiles(count * width):
                weights = np.empty((count, tile.stop - tile.start), np.uint8)
                for chunk in self._chunks(tile, CHUNK):
                    weights[:, chunk.start - tile.start : chunk.stop - tile.start] = weigh(position, chunk)
                start = position * self.pixels + tile.start
                for frame, part in enumerate(weights):
                    file.seek(frame * self.rows * width + start)
                    file.write(part.data)
                part_sums = weights.reshape(count, -1, width).sum(axis=2, dtype=np.uint32)
                sums[:, start // width : start // width + part_sums.shape[1]] = part_sums
                rows.add(part_sums.shape[1])
        file.seek(count * self.rows * width)
        file.write(sums.data)

    def _tiles(self, bytes_per_row: int) -> Iterator[slice]:
        """Pixels of whole picture rows, as many as make a block of ``TILE_BYTES``, one at least."""
        step = max(1, TILE_BYTES // bytes_per_row) * self._store.width
        for start in range(0, self.pixels, step):
            yield slice(start, min(start + step, self.pixels))

    def _chunks(self, tile: slice, values: int) -> Iterator[slice]:
        """Pixels that make ``values`` with all their frames: scratch stays in the processor's cache."""
        step = max(1, values // self._store.frames)
        for start in range(tile.start, tile.stop, step):
            yield slice(start, min(start + step, tile.stop))
