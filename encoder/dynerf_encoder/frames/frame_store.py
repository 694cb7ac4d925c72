"""Stores the capture's pictures: decoded once to raw files, then read pixel by pixel through the page cache.

A folder holds one raw file per view, uint8 RGB (frames, height, width, 3), and a manifest. The files are
memory-mapped, so a capture may be larger than memory: the kernel keeps the pages that are used.
Frame t of the store is frame ``first_source_frame + t`` of the capture. All views of the capture are stored,
including held-out ones.

The folder is a cache. A view is reused when its video, the range and the averaging are unchanged, according
to the manifest and the file's size; the stored pixels are not checked.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import SupportsIndex

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from dynerf_decoder.cameras.camera import Camera
from dynerf_encoder.captures.capture import Capture
from dynerf_encoder.captures.picture_source import SourceDigest
from dynerf_encoder.ingest.conversion import Conversion
from dynerf_format.errors import CaptureError, ConfigError, OutputError
from dynerf_format.frame_range import FrameRange

from .manifest import StoredView, describe, raw_path
from .storing import store_missing


@dataclass(frozen=True, eq=False)
class FrameStore:
    """Pictures of all views of a capture over a range of frames, as mapped arrays.

    ``cameras`` fit the stored (averaged) pictures; ``near`` and ``far`` are world units per view;
    ``fingerprint`` changes with everything that training depends on: videos, poses, range, averaging.
    ``covered[i]`` is which pixels of view i have a source in its pictures, None when all have; the others are
    black, and are neither trained nor measured on.
    """

    folder: Path
    names: tuple[str, ...]
    cameras: tuple[Camera, ...]
    near: tuple[float, ...]
    far: tuple[float, ...]
    frames: int
    height: int
    width: int
    fps: Fraction
    first_source_frame: int
    fingerprint: str
    covered: tuple[Bool[np.ndarray, "height width"] | None, ...]
    _pictures: tuple[np.memmap, ...]

    @classmethod
    def build(
        cls,
        capture: Capture,
        folder: Path,
        *,
        frames: FrameRange,
        downscale: int = 1,
        videos: Mapping[str, SourceDigest] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> "FrameStore":
        """Decode the views that are not stored yet and map all of them.

        Pictures are averaged over ``downscale`` x ``downscale`` pixels (exact mean, halves rounded up).
        ``videos`` are known digests by view; of these videos only the lengths are checked again.
        ``progress(done, total)`` is called with the frames decoded and their total, unless all are stored.
        Memory is bounded by the decoder's pictures (its reference pictures, at most four threads) plus three
        RGB pictures, whatever the clip's length; the kernel may drop pages once they are written.

        Raises CaptureError (a video that cannot be used, frames outside the clip), ConfigError (averaging
        that leaves no picture), OutputError (disk full, or the folder cannot be written). A view that failed
        leaves no files; views finished before it stay and are not decoded again.
        """
        chosen = frames.within(capture.frames, str(capture.root))
        cameras = _averaged_cameras(capture, downscale)
        entries = {view.name: describe(view, chosen, downscale, videos) for view in capture.views}
        store_missing(capture, folder, entries, progress)
        pictures = [_mapped(raw_path(folder, name), entry) for name, entry in entries.items()]
        covered = tuple(Conversion(view.lens, view.camera, downscale).has_source() for view in capture.views)
        _check_covered(capture, covered)
        return cls(
            folder=folder,
            names=capture.names,
            cameras=cameras,
            near=tuple(view.near for view in capture.views),
            far=tuple(view.far for view in capture.views),
            frames=len(chosen),
            height=cameras[0].height,
            width=cameras[0].width,
            fps=capture.fps,
            first_source_frame=chosen.start,
            fingerprint=_fingerprint(capture, entries),
            covered=covered,
            _pictures=tuple(pictures),
        )

    def moved(self, offset: Float[np.ndarray, "3"]) -> "FrameStore":
        """The same pictures with cameras in world coordinates translated by ``offset``."""
        return replace(self, cameras=tuple(camera.moved(offset) for camera in self.cameras))

    def view(self, index: SupportsIndex) -> UInt8[np.memmap, "frame height width 3"]:
        """All pictures of one view, mapped read-only."""
        return self._pictures[index]

    def covered_pixels(self, views: Sequence[int]) -> Bool[np.ndarray, " n"] | None:
        """``covered`` of all pixels of some views, one view after another; None when all have a source."""
        if all(self.covered[view] is None for view in views):
            return None
        everything = np.ones((self.height, self.width), bool)
        masks = [self.covered[view] for view in views]
        return np.concatenate([(everything if mask is None else mask).ravel() for mask in masks])

    def gather(
        self,
        view_idx: Int[np.ndarray, " n"],
        frame_idx: Int[np.ndarray, " n"],
        pixel_idx: Int[np.ndarray, " n"],
    ) -> UInt8[np.ndarray, "n 3"]:
        """Single pixels of any views and frames; ``pixel_idx`` is row * width + column.

        Raises IndexError for indices outside the store.
        """
        pixels = self.height * self.width
        for indices, size in ((view_idx, len(self.names)), (frame_idx, self.frames), (pixel_idx, pixels)):
            # Without this check a pixel index out of range would read from the next frame.
            if indices.size and not (indices.min() >= 0 and indices.max() < size):
                raise IndexError(f"indices {indices.min()} to {indices.max()}, expected 0 to {size - 1}")
        flat = frame_idx.astype(np.int64) * pixels + pixel_idx
        order = np.argsort(view_idx, kind="stable")
        ends = np.cumsum(np.bincount(view_idx, minlength=len(self.names)))
        out = np.empty((len(flat), 3), np.uint8)
        start = 0
        for picture, end in zip(self._pictures, ends, strict=True):
            if end > start:
                chosen = order[start:end]
                # take on a plain array: indexing the memmap itself is four times slower.
                out[chosen] = np.asarray(picture).reshape(-1, 3).take(flat[chosen], axis=0)
            start = end
        return out


def _averaged_cameras(capture: Capture, downscale: int) -> tuple[Camera, ...]:
    if downscale < 1:
        raise ConfigError(f"downscale {downscale}: expected 1 or more")
    cameras = tuple(view.camera.downscaled(downscale) for view in capture.views)
    if 0 in (cameras[0].width, cameras[0].height):
        raise ConfigError(f"downscale {downscale}: leaves no pixel of the pictures in {capture.root}")
    return cameras


def _check_covered(capture: Capture, covered: Sequence[Bool[np.ndarray, "height width"] | None]) -> None:
    for view, mask in zip(capture.views, covered, strict=True):
        if mask is not None and not mask.any():
            raise CaptureError(
                f"{view.video}: no pixel of the undistorted picture has a source; expected a lens that fits"
            )


def _mapped(path: Path, entry: StoredView) -> np.memmap:
    shape = (entry.frames, entry.height, entry.width, 3)
    try:
        return np.memmap(path, np.uint8, mode="r", shape=shape)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot be mapped as pictures {shape}: {error}") from error


def _fingerprint(capture: Capture, entries: dict[str, StoredView]) -> str:
    """SHA-256 over everything that sampled rays and their colours depend on."""
    views = [
        {
            "name": view.name,
            "stored": asdict(entries[view.name]),
            "focal": [view.camera.focal_x, view.camera.focal_y],
            "centre": [view.camera.centre_x, view.camera.centre_y],
            "pose": view.camera.camera_to_world.tolist(),
            "bounds": [view.near, view.far],
        }
        for view in capture.views
    ]
    text = json.dumps({"fps": str(capture.fps), "views": views}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
