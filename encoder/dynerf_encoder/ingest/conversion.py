"""Converts the pictures of one view: undistorted or placed into the capture's frame, then averaged.

A picture without distortion keeps its pixels: it is copied to its place in the frame. A distorted one is
interpolated at full size, before averaging, so that downscaling costs no sharpness.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int32, UInt8

from dynerf_decoder.cameras.camera import Camera, unproject
from dynerf_decoder.cameras.conventions import FLIP_YZ
from dynerf_encoder.captures.lens import Lens

from .box_average import all_in_box, box_average
from .sampling import ONE, interpolate

_VERSION = 1  # of the conversion: raise it when stored pictures change
_BLOCK = 2**18  # pixels whose positions are computed at once


@dataclass(frozen=True)
class Conversion:
    """From pictures of ``lens`` to those of the pinhole camera ``camera``, averaged by ``downscale``."""

    lens: Lens
    camera: Camera
    downscale: int = 1

    @cached_property
    def placed_at(self) -> tuple[int, int] | None:
        """Column and row of the frame where the picture begins; None when it has to be interpolated."""
        lens, camera = self.lens, self.camera
        if not lens.undistorted or (lens.focal_x, lens.focal_y) != (camera.focal_x, camera.focal_y):
            return None
        column, row = camera.centre_x - lens.centre_x, camera.centre_y - lens.centre_y
        if abs(column - round(column)) > 1e-6 or abs(row - round(row)) > 1e-6:
            return None
        inside = column >= 0 and row >= 0
        fits = column + lens.width <= camera.width + 1e-6 and row + lens.height <= camera.height + 1e-6
        return (round(column), round(row)) if inside and fits else None

    @property
    def identical(self) -> bool:
        """Whether pictures are only averaged."""
        return self.placed_at == (0, 0) and (self.lens.width, self.lens.height) == (
            self.camera.width,
            self.camera.height,
        )

    @property
    def key(self) -> str:
        """A text that changes with the stored pictures; empty when pictures are only averaged."""
        if self.identical:
            return ""
        lens, camera = self.lens, self.camera
        values = [
            _VERSION, lens.model, *lens.distortion, lens.width, lens.height, lens.focal_x, lens.focal_y,
            lens.centre_x, lens.centre_y, camera.width, camera.height, camera.focal_x, camera.focal_y,
            camera.centre_x, camera.centre_y,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()

    def __call__(self, picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
        """The converted picture. Pixels without source are black."""
        if not self.identical:
            picture = self._interpolated(picture) if self.placed_at is None else self._placed(picture)
        return np.ascontiguousarray(box_average(picture, self.downscale))

    def has_source(self) -> Bool[np.ndarray, "h2 w2"] | None:
        """Which pixels of converted pictures have a source; None when all have."""
        if self.identical:
            return None
        if self.placed_at is None:
            mask = self._positions[0] >= 0
        else:
            mask = np.zeros((self.camera.height, self.camera.width), bool)
            column, row = self.placed_at
            mask[row : row + self.lens.height, column : column + self.lens.width] = True
        kept = all_in_box(mask.reshape(self.camera.height, self.camera.width), self.downscale)
        return None if kept.all() else kept

    def _placed(self, picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
        frame = np.zeros((self.camera.height, self.camera.width, 3), np.uint8)
        column, row = self.placed_at or (0, 0)
        frame[row : row + picture.shape[0], column : column + picture.shape[1]] = picture
        return frame

    def _interpolated(self, picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
        columns, rows = self._positions
        out = np.empty(3 * len(columns), np.uint8)
        flat = np.ascontiguousarray(picture).reshape(-1)
        interpolate(flat, columns, rows, picture.shape[1], picture.shape[0], out)
        return out.reshape(self.camera.height, self.camera.width, 3)

    @cached_property
    def _positions(self) -> tuple[Int32[np.ndarray, " pixel"], Int32[np.ndarray, " pixel"]]:
        """Source positions of the frame's pixels, as ``sampling.interpolate`` takes them."""
        count = self.camera.width * self.camera.height
        columns, rows = np.empty(count, np.int32), np.empty(count, np.int32)
        for start in range(0, count, _BLOCK):
            block = np.arange(start, min(start + _BLOCK, count))
            columns[block], rows[block] = self._positions_of(block)
        return columns, rows

    def _positions_of(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lens, camera = self.lens, self.camera
        row, column = np.divmod(pixels, camera.width)
        intrinsics = camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y
        directions = unproject(column + 0.5, row + 0.5, *intrinsics) * FLIP_YZ.diagonal()
        found, seen = lens.project(directions)
        inside = seen & (found >= 0).all(axis=1) & (found <= [lens.width, lens.height]).all(axis=1)
        limits = np.array([lens.width - 1, lens.height - 1])
        units = np.round(np.clip(found - 0.5, 0, limits) * ONE).astype(np.int32)
        return np.where(inside, units[:, 0], -1), units[:, 1]
