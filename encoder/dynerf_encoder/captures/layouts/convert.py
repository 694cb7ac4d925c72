"""Writes the cameras of a capture in another layout, beside its videos, which stay as they are."""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dynerf_encoder.captures.capture import Capture, CaptureView
from dynerf_encoder.captures.folder import CAMERA, POSES, find_cameras
from dynerf_encoder.captures.opening import open_capture
from dynerf_encoder.captures.picture_source import PictureSequence, open_source
from dynerf_encoder.captures.poses import pose_row
from dynerf_encoder.captures.recording import RecordedCamera, Recording, SourceState
from dynerf_format.errors import CaptureError, ConfigError, OutputError, reason
from dynerf_format.io.atomic_write import atomic_path, check_writable

from .capture_json import FILE, relative_to, write_capture_json
from .colmap import colmap_texts
from .detect import read_recording
from .nerfstudio import FILE as TRANSFORMS
from .nerfstudio import nerfstudio_record
from .read_back import check_same_cameras

_OFF_CENTRE = 1e-3  # pixels, of a principal point from the middle of the picture
_OBLONG = 1e-6  # relative difference of the focal lengths


def convert(recording: Recording, capture: Capture, to: str, folder: Path) -> tuple[Path, ...]:
    """Write ``recording``, opened as ``capture``, into ``folder`` in the layout ``to``; the files written.

    Lenses are those of the pictures as they are. What was written is read again, and removed if its reader
    finds other cameras. Raises ConfigError for an unknown layout, CaptureError when the layout cannot state
    the cameras, OutputError when a file exists or cannot be written.
    """
    write = WRITERS.get(to)
    if write is None:
        raise ConfigError(f"--to {to[:40]}: expected one of {', '.join(WRITERS)}")
    cameras = tuple(
        replace(camera, lens=view.lens) for camera, view in zip(recording.cameras, capture.views, strict=True)
    )
    paths = write(replace(recording, cameras=cameras), capture, folder)
    try:
        check_same_cameras(open_capture(read_recording(folder, _READERS[to])), capture)
    except CaptureError as error:
        _remove(paths)
        raise CaptureError(
            f"{folder}: these cameras cannot be stated as {to}, which would be read as others: {error}"
        ) from error
    return paths


def not_stated(recording: Recording, to: str) -> str | None:
    """What the layout ``to`` leaves out without an error, for a message."""
    if to != "colmap" or any(camera.near is None for camera in recording.cameras):
        return None
    return (
        "near and far depths are not stated, because COLMAP's format has none: they will be taken from "
        "the rig, or from --depths NEAR:FAR"
    )


def _write_capture(recording: Recording, capture: Capture, folder: Path) -> tuple[Path, ...]:
    path = _free(folder / FILE)
    cameras = tuple(
        _with_state(camera, view) for camera, view in zip(recording.cameras, capture.views, strict=True)
    )
    fps = capture.fps if any(isinstance(view.source, PictureSequence) for view in capture.views) else None
    write_capture_json(replace(recording, cameras=cameras, fps=recording.fps or fps), path)
    return (path,)


def _with_state(camera: RecordedCamera, view: CaptureView) -> RecordedCamera:
    digest = view.source.digest()
    if camera.files:
        _check_same_pictures(camera)
    return replace(camera, files=(), state=SourceState(digest.bytes, None, digest.sha256))


def _check_same_pictures(camera: RecordedCamera) -> None:
    found = open_source(camera.source)
    if not isinstance(found, PictureSequence) or found.files != camera.files:
        raise CaptureError(
            f"{camera.source}: holds other pictures than {camera.name}'s, expected a folder for each camera"
        )


def _write_llff(recording: Recording, capture: Capture, folder: Path) -> tuple[Path, ...]:
    path = _free(folder / POSES)
    for view in capture.views:
        _check_llff(view, folder)
    _check_no_others(capture, folder)
    if recording.timed_by_offsets and any(view.first for view in capture.views):
        raise CaptureError(
            f"{recording.root}: cameras have offsets, which LLFF cannot state; cut the videos first"
        )
    views = sorted(capture.views, key=lambda view: view.video.stem)  # rows are in the order of the videos
    rows = np.stack([pose_row(view.lens, view.camera.camera_to_world, view.near, view.far) for view in views])
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, rows)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {reason(error)}") from error
    return (path,)


def _check_llff(view: CaptureView, folder: Path) -> None:
    """CaptureError unless LLFF's row of numbers can state a camera, and its reader finds the video."""
    lens = view.lens
    if not lens.undistorted:
        raise CaptureError(
            f"{view.name}: has a {lens.model} lens; LLFF states no distortion, nerfstudio and colmap do"
        )
    off = max(abs(lens.centre_x - lens.width / 2), abs(lens.centre_y - lens.height / 2))
    if off > _OFF_CENTRE or abs(lens.focal_x / lens.focal_y - 1) > _OBLONG:
        raise CaptureError(
            f"{view.name}: its principal point is {off:.3g} pixels from the middle, its focal lengths are "
            f"{lens.focal_x:.6g} and {lens.focal_y:.6g}; LLFF states neither, nerfstudio and colmap do"
        )
    if view.video.absolute().parent != folder.absolute() or CAMERA.fullmatch(view.video.stem) is None:
        raise CaptureError(f"{view.video}: expected camNN.mp4 in {folder}, as LLFF names videos")


def _check_no_others(capture: Capture, folder: Path) -> None:
    """CaptureError when the folder has videos that are not of the capture: LLFF has a row for each."""
    others = sorted(set(find_cameras(folder)) - {view.video.stem for view in capture.views})
    if others:
        raise CaptureError(
            f"{folder}: {', '.join(others[:6])} are not cameras of the capture, and LLFF expects a pose for "
            "each video of the folder; move them away"
        )


def _write_nerfstudio(recording: Recording, capture: Capture, folder: Path) -> tuple[Path, ...]:
    path = _free(folder / TRANSFORMS)
    names = {view.name: [relative_to(file, folder) for file in _files(view)] for view in capture.views}
    text = json.dumps(nerfstudio_record(recording, names), indent=1, allow_nan=False)
    _write_text(path, text + "\n")
    return (path,)


def _write_colmap(recording: Recording, capture: Capture, folder: Path) -> tuple[Path, ...]:
    model = folder / "sparse" / "0"
    names = {view.name: _image_name(view, folder) for view in capture.views}
    texts = colmap_texts(recording, names)
    if recording.timed_by_offsets and any(view.first for view in capture.views):
        raise CaptureError(
            f"{recording.root}: cameras have offsets, which COLMAP cannot state; cut the videos first"
        )
    paths = [_free(model / name) for name in sorted(texts, reverse=True)]
    try:
        model.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{model}: cannot be made: {reason(error)}") from error
    for path in paths:  # cameras.txt, by which a model is found, comes last
        _write_text(path, texts[path.name])
    return tuple(paths)


def _image_name(view: CaptureView, folder: Path) -> str:
    if isinstance(view.source, PictureSequence):
        return relative_to(view.source.files[0], folder)
    relative_to(view.video, folder)
    return f"{view.video.stem}.png"


def _files(view: CaptureView) -> tuple[Path, ...]:
    return view.source.files if isinstance(view.source, PictureSequence) else (view.video,)


def _write_text(path: Path, text: str) -> None:
    try:
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {reason(error)}") from error


def _remove(paths: Sequence[Path]) -> None:
    """Remove files that were written, and their folders if nothing else is in them."""
    for path in paths:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        for folder in (paths[0].parent, paths[0].parent.parent):
            folder.rmdir()


def _free(path: Path) -> Path:
    """The path, unless something is there."""
    if path.exists() or path.is_symlink():
        raise OutputError(f"{path}: exists already, expected none; remove it to write it anew")
    if path.parent.exists():
        check_writable(path)
    return path


WRITERS: Mapping[str, Callable[[Recording, Capture, Path], tuple[Path, ...]]] = {
    "llff": _write_llff,
    "nerfstudio": _write_nerfstudio,
    "colmap": _write_colmap,
    "capture": _write_capture,
}
"""The layouts that can be written, by name."""

_READERS = {"llff": "n3v", "nerfstudio": "nerfstudio", "colmap": "colmap", "capture": "capture"}
