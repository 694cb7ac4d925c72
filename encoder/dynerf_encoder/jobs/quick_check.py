"""Warns of cameras that are black, frozen, duplicates or out of step, before a training starts.

``dynerf check`` does more, by matched points. Here only stored pictures are examined, a few of them and
small, so that it takes seconds; nothing is refused.
"""

import numpy as np
from jaxtyping import UInt8

from dynerf_encoder.checking.quick.quick_findings import quick_findings
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.ingest.box_average import box_average

_SIDE = 120  # pixels of the longer side
_MOST_FRAMES, _LEAST_FRAMES = 60, 2
_MOST_BYTES = 2**30  # of pictures that are read


def fault_warnings(store: FrameStore) -> list[str]:
    """One warning per finding."""
    size = len(store.names) * store.height * store.width * 3
    frames = min(store.frames, max(_LEAST_FRAMES, min(_MOST_FRAMES, _MOST_BYTES // size)))
    pictures = {name: _small(store, index, frames) for index, name in enumerate(store.names)}
    found = quick_findings(pictures, store.cameras)
    return [f"{finding.message}; dynerf check shows more" for finding in found]


def _small(store: FrameStore, view: int, frames: int) -> UInt8[np.ndarray, "frame height width"]:
    """Grey pictures of a view, averaged over boxes: the mean of the channels is grey enough."""
    factor = -(-max(store.width, store.height) // _SIDE)
    factor = min(factor, store.width, store.height)
    whole = store.view(view)[:frames]
    return np.stack([box_average(picture, factor).mean(axis=2).astype(np.uint8) for picture in whole])
