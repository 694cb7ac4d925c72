"""Writes the frame store's raw files, one view at a time: decode, convert, write a temporary file, rename."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from dynerf_encoder.captures.capture import Capture, CaptureView
from dynerf_encoder.ingest.conversion import Conversion
from dynerf_format.errors import CaptureError, OutputError
from dynerf_format.io.atomic_write import atomic_path

from .manifest import StoredView, raw_path, remove_view, stored_views, write_manifest

_RESERVED_BYTES = 2**24  # of free disk space, for the manifest and the file system's own tables


def store_missing(
    capture: Capture,
    folder: Path,
    required: dict[str, StoredView],
    progress: Callable[[int, int], None] | None,
) -> None:
    """Store the required views that the folder lacks; see ``FrameStore.build`` for errors and guarantees."""
    stored = stored_views(folder, required)
    missing = [view for view in capture.views if view.name not in stored]
    if not missing:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_disk_space(
            folder, [view.name for view in missing], sum(required[view.name].nbytes for view in missing)
        )
        # A view's entry is removed before its pictures change, so that a crash cannot mix old and new.
        write_manifest(folder, stored)
        for view in missing:
            remove_view(folder, view.name)
    except OSError as error:
        raise OutputError(f"{folder}: cannot store pictures there: {error.strerror}") from error
    total = sum(required[view.name].frames for view in missing)
    done = 0
    for view in missing:
        entry = required[view.name]
        with atomic_path(raw_path(folder, view.name)) as temporary, temporary.open("xb") as file:
            convert = Conversion(view.lens, view.camera, entry.downscale)
            for picture in view.source.decode(range(entry.first, entry.first + entry.frames)):
                _check_size(view, picture)
                file.write(convert(picture).data)
                done += 1
                if progress is not None:
                    progress(done, total)
        stored[view.name] = entry
        write_manifest(folder, stored)


def _check_size(view: CaptureView, picture: UInt8[np.ndarray, "h w 3"]) -> None:
    height, width = picture.shape[:2]
    if (width, height) != (view.lens.width, view.lens.height):
        raise CaptureError(
            f"{view.video}: a picture of {width}x{height}, expected {view.lens.width}x{view.lens.height}"
        )


def _check_disk_space(folder: Path, names: list[str], needed: int) -> None:
    """OutputError unless the pictures fit on the disk; ``names`` are the views to be replaced."""
    outdated = [raw_path(folder, name) for name in names]
    free = shutil.disk_usage(folder).free + sum(path.stat().st_size for path in outdated if path.is_file())
    needed += _RESERVED_BYTES
    if free < needed:
        raise OutputError(
            f"{folder}: the decoded pictures need {needed / 1e6:,.0f} MB there, {free / 1e6:,.0f} MB are free"
        )
