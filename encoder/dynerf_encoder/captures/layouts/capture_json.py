"""Reads and writes ``capture.json``, which states all that a ``Recording`` holds; docs/reference/captures.md.

Version 1. Keys that are not known are refused at the top level and in cameras, except those that begin with
``x_``: a misspelt key must not be ignored.
"""

import json
import re
from fractions import Fraction
from os import path as os_path
from pathlib import Path

from dynerf_encoder.captures.json_input import JsonRecord, path_below, read_record, shown
from dynerf_encoder.captures.lens import MODELS, Lens
from dynerf_encoder.captures.recording import (
    MAX_OFFSET,
    RecordedCamera,
    Recording,
    SourceState,
    check_count,
    checked_recording,
)
from dynerf_format.errors import CaptureError, OutputError, reason
from dynerf_format.io.atomic_write import atomic_path

FILE = "capture.json"
FORMAT = "dynerf-capture"
VERSION = 1
MAX_FPS = 1000
_KEYS = {"format", "version", "fps", "timing", "unit", "up", "points", "made", "quality", "cameras"}
_CAMERA_KEYS = {
    "name", "source", "bytes", "modified", "sha256", "lens", "camera_to_world", "offset", "near", "far",
    "quality",
}  # fmt: skip
_LENS_KEYS = {"model", "width", "height", "focal", "centre", "distortion"}
_TIMINGS = ("offsets", "start times")


def read_capture_json(path: Path) -> Recording:
    """The recording in a ``capture.json``; its paths are relative to its folder. Raises CaptureError."""
    record = read_record(path, "a capture description (capture.json)")
    _check_head(record)
    _check_keys(record, _KEYS)
    folder, cameras = path.parent, record.records("cameras")
    check_count(len(cameras), path)
    timing = record.text("timing", "start times")
    if timing not in _TIMINGS:
        raise CaptureError(f"{path}: timing is {timing[:40]!r}, expected {' or '.join(map(repr, _TIMINGS))}")
    return checked_recording(
        Recording(
            root=path,
            layout="capture.json",
            cameras=tuple(_camera(each, folder) for each in cameras),
            fps=parse_rate(record, "fps"),
            timed_by_offsets=timing == "offsets",
            up=record.array("up", (3,)) if record.has("up") else None,
            points=path_below(folder, record.text("points"), str(path)) if record.has("points") else None,
            unit=record.text("unit") if record.has("unit") else None,
            made=record.record("made").values,
            quality=record.record("quality").values,
        )
    )


def write_capture_json(recording: Recording, path: Path) -> None:
    """Write a recording; sources and points are named relative to the file's folder.

    Raises OutputError when the file cannot be written, CaptureError when a source is not below its folder.
    """
    text = json.dumps(_record(recording, path.parent), indent=1, allow_nan=False)
    try:
        with atomic_path(path) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {reason(error)}") from error


def parse_rate(record: JsonRecord, key: str) -> Fraction | None:
    """Frames per second: a number, or text such as "30000/1001"; None when the key is missing."""
    value = record.values.get(key)
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(/[1-9][0-9]{0,8})?", value):
        rate = Fraction(value)
    else:
        rate = Fraction(repr(record.number(key))).limit_denominator(100_000)
    if not 0 < rate <= MAX_FPS:
        raise CaptureError(f"{record.where}: {key} is {shown(value)}, expected above 0 and at most {MAX_FPS}")
    return rate


def _check_head(record: JsonRecord) -> None:
    if record.values.get("format") != FORMAT:
        found = shown(record.values.get("format"))
        raise CaptureError(f"{record.where}: format is {found}, expected {FORMAT!r} (a file of dynerf)")
    version = record.values.get("version")
    if version != VERSION:
        raise CaptureError(
            f"{record.where}: version is {shown(version)}, expected {VERSION}; a newer dynerf wrote it"
        )


def _check_keys(record: JsonRecord, known: set[str]) -> None:
    unknown = sorted(key for key in record.values if key not in known and not key.startswith("x_"))
    if unknown:
        raise CaptureError(f"{record.where}: key {unknown[0][:40]!r}, expected {', '.join(sorted(known))}")


def _camera(record: JsonRecord, folder: Path) -> RecordedCamera:
    _check_keys(record, _CAMERA_KEYS)
    return RecordedCamera(
        name=record.text("name"),
        source=path_below(folder, record.text("source"), record.where),
        lens=_lens(record.record("lens")),
        camera_to_world=record.array("camera_to_world", (3, 4)),
        near=record.number("near") if record.has("near") else None,
        far=record.number("far") if record.has("far") else None,
        offset=parse_offset(record),
        state=SourceState(
            record.size("bytes") if record.has("bytes") else None,
            record.number("modified") if record.has("modified") else None,
            record.text("sha256") if record.has("sha256") else None,
        ),
        quality=record.record("quality").values,
    )


def _lens(record: JsonRecord) -> Lens:
    _check_keys(record, _LENS_KEYS)
    model = record.text("model")
    if model not in MODELS:
        raise CaptureError(f"{record.where}: model {model[:40]!r}, expected one of {', '.join(MODELS)}")
    focal, centre = record.array("focal", (2,)), record.array("centre", (2,))
    count = len(MODELS[model])
    distortion = record.array("distortion", (count,)) if count else ()
    try:
        return Lens(
            record.size("width"), record.size("height"), float(focal[0]), float(focal[1]),
            float(centre[0]), float(centre[1]), model, tuple(float(value) for value in distortion),
        )  # fmt: skip
    except CaptureError as error:
        raise CaptureError(f"{record.where}: {error}") from error


def parse_offset(record: JsonRecord) -> Fraction | None:
    """A missing offset is 0, null an unknown one."""
    if "offset" in record.values and record.values["offset"] is None:
        return None
    value = record.number("offset", 0.0)
    if abs(value) > MAX_OFFSET:
        raise CaptureError(f"{record.where}: offset {value:g}, expected at most {MAX_OFFSET} frames")
    return Fraction(repr(value)).limit_denominator(1000)


def _record(recording: Recording, folder: Path) -> dict[str, object]:
    optional = {
        "fps": None if recording.fps is None else str(recording.fps),
        "unit": recording.unit,
        "up": None if recording.up is None else recording.up.tolist(),
        "points": None if recording.points is None else relative_to(recording.points, folder),
    }
    return {
        "format": FORMAT,
        "version": VERSION,
        "timing": _TIMINGS[0] if recording.timed_by_offsets else _TIMINGS[1],
        **{key: value for key, value in optional.items() if value is not None},
        "made": dict(recording.made),
        "quality": dict(recording.quality),
        "cameras": [_camera_record(camera, folder) for camera in recording.cameras],
    }


def _camera_record(camera: RecordedCamera, folder: Path) -> dict[str, object]:
    lens = camera.lens
    optional = {
        "bytes": camera.state.bytes,
        "modified": camera.state.modified,
        "sha256": camera.state.sha256,
        "near": camera.near,
        "far": camera.far,
        "quality": dict(camera.quality) or None,
    }
    return {
        "name": camera.name,
        "source": relative_to(camera.source, folder),
        "lens": {
            "model": lens.model,
            "width": lens.width,
            "height": lens.height,
            "focal": [lens.focal_x, lens.focal_y],
            "centre": [lens.centre_x, lens.centre_y],
            "distortion": list(lens.distortion),
        },
        "camera_to_world": camera.camera_to_world.tolist(),
        "offset": None if camera.offset is None else _plain(camera.offset),
        **{key: value for key, value in optional.items() if value is not None},
    }


def _plain(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def relative_to(path: Path, folder: Path) -> str:
    """A path relative to the folder of the file that names it. Raises CaptureError unless it is below it."""
    relative = Path(os_path.relpath(path.absolute(), folder.absolute()))
    if ".." in relative.parts or relative.is_absolute():
        raise CaptureError(
            f"{path}: is not in {folder}, expected the description beside the videos or above them"
        )
    return relative.as_posix()
