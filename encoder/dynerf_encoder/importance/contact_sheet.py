"""Writes importance maps as pictures that show what is sampled: one contact sheet per map and frame.

A sheet has a pair of pictures for each training view, in up to four columns: the camera's picture and its
weights, white being the largest weight of the frame in any view. Pictures are averaged to at most ``_WIDTH``
pixels wide. Eight evenly spaced frames of each map are shown, including the first and the last.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from dynerf_decoder.video.frame_writer import png_bytes
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.ingest.box_average import box_average
from dynerf_encoder.schedule.stages import StageName
from dynerf_format.errors import OutputError
from dynerf_format.io.atomic_write import atomic_path

from .map import ImportanceMap

_WIDTH = 240
_COLUMNS = 4
_FRAMES = 8


def save_importance(folder: Path, store: FrameStore, maps: Mapping[StageName, ImportanceMap]) -> list[Path]:
    """Write ``NAME_frame0012.png`` for each map by name; return the paths. Raises OutputError."""
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, importance in maps.items():
            for frame in _evenly_spaced(importance.frames):
                path = folder / f"{name}_frame{frame:04d}.png"
                with atomic_path(path) as temporary:
                    temporary.write_bytes(png_bytes(contact_sheet(store, importance, int(frame))))
                paths.append(path)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return paths


def contact_sheet(
    store: FrameStore, importance: ImportanceMap, frame: int
) -> UInt8[np.ndarray, "height width 3"]:
    """All training views of a frame and their weights."""
    factor = -(-store.width // _WIDTH)
    weights = importance.weights(frame)
    scale = 255 / max(int(weights.max()), 1)
    tiles = []
    for view, weight in zip(importance.views, weights, strict=True):
        grey = np.repeat((weight * scale).round().astype(np.uint8)[..., None], 3, axis=2)
        picture = np.asarray(store.view(view)[frame])
        tiles.append(np.concatenate([box_average(picture, factor), box_average(grey, factor)], axis=1))
    columns = min(_COLUMNS, len(tiles))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[start : start + columns], axis=1) for start in range(0, len(tiles), columns)]
    return np.concatenate(rows)


def _evenly_spaced(frames: np.ndarray) -> np.ndarray:
    """Up to ``_FRAMES`` of the frames, evenly spaced."""
    chosen: np.ndarray = frames[np.unique(np.linspace(0, len(frames) - 1, _FRAMES).round().astype(int))]
    return chosen
