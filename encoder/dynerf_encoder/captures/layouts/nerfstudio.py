"""Reads and writes nerfstudio's ``transforms.json``, also as instant-ngp and D-NeRF write it.

A frame is a picture or a video with its pose, camera to world with OpenGL's axes. Pictures of equal pose are
those of one camera, in the order of ``time`` or of their names. Single pictures of different poses are those
of several cameras only when all state the same ``time``. Intrinsics are at the top or in each frame:
``fl_x fl_y cx cy w h``, or ``camera_angle_x`` with the principal point in the middle; ``k1`` to ``k4``,
``p1`` and ``p2`` by ``camera_model``. The first pixel's centre is at (0.5, 0.5). The sets in
``transforms_train.json``, ``_val`` and ``_test`` are read together. ``extra_keys`` are optional.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dynerf_encoder.captures.json_input import JsonRecord, path_below, read_record
from dynerf_encoder.captures.lens import Lens, lens_of
from dynerf_encoder.captures.picture_source import PICTURES, PictureSequence, is_picture, open_source
from dynerf_encoder.captures.recording import RecordedCamera, Recording, checked_recording, natural
from dynerf_format.errors import CaptureError

from .extra_keys import depths_of, offset_of, rate_of
from .source_files import camera_name, is_video

FILE = "transforms.json"
SETS = ("transforms_train.json", "transforms_val.json", "transforms_test.json")
_PERSPECTIVE = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE")
_COEFFICIENTS = ("k1", "k2", "k3", "k4", "p1", "p2")
_DIGITS = 6  # of poses that count as equal
_USUAL_RATES = (24, 25, 30, 48, 50, 60, 90, 100, 120)


@dataclass(frozen=True)
class _Frame:
    """A picture or video of the file, with the values of the file's top level where it states none itself."""

    record: JsonRecord
    path: Path
    time: float | None

    @property
    def pose(self) -> np.ndarray:
        return self.record.array("transform_matrix", (4, 4), (3, 4))


def read_nerfstudio(path: Path) -> Recording:
    """The recording of a ``transforms.json``, or of the sets beside it. Raises CaptureError."""
    files = [path]
    if path.name in SETS:
        files = [each for name in SETS if (each := path.with_name(name)).is_file()]
    records = [read_record(each, "nerfstudio's transforms.json") for each in files]
    frames = _frames(records, path.parent)
    videos = [frame for frame in frames if is_video(frame.path)]
    if videos and len(videos) < len(frames):
        raise CaptureError(f"{path}: {len(videos)} of {len(frames)} frames are videos, expected all or none")
    cameras = _of_videos(videos) if videos else _of_pictures(frames, path)
    return checked_recording(
        Recording(
            path,
            "nerfstudio",
            tuple(cameras),
            fps=rate_of(records[0]) or _rate_of_times(frames),
            timed_by_offsets=any(frame.record.has("offset") for frame in frames),
        )
    )


def _frames(records: Sequence[JsonRecord], folder: Path) -> list[_Frame]:
    """All frames, those that occur in several sets once."""
    found: dict[Path, _Frame] = {}
    for record in records:
        shared = {key: value for key, value in record.values.items() if key != "frames"}
        for each in record.records("frames"):
            merged = JsonRecord({**shared, **each.values}, each.where)
            path = _existing(path_below(folder, merged.text("file_path"), each.where))
            time = merged.number("time") if merged.has("time") else None
            found.setdefault(path, _Frame(merged, path, time))
    return list(found.values())


def _existing(path: Path) -> Path:
    """The path, with the suffix of a picture where it has none (D-NeRF)."""
    if is_video(path) or is_picture(path):
        return path
    candidates = [path.with_name(path.name + suffix) for suffix in PICTURES]
    return next((candidate for candidate in candidates if candidate.is_file()), candidates[0])


def _of_videos(frames: Sequence[_Frame]) -> list[RecordedCamera]:
    stems = [frame.path.stem for frame in frames]
    return [
        _camera(
            camera_name(stem if stems.count(stem) == 1 else f"{frame.path.parent.name}_{stem}"),
            frame,
            frame.path,
        )
        for frame, stem in zip(frames, stems, strict=True)
    ]


def _of_pictures(frames: Sequence[_Frame], where: Path) -> list[RecordedCamera]:
    groups: dict[bytes, list[_Frame]] = {}
    for frame in frames:
        key = (np.round(frame.pose[:3], _DIGITS) + 0.0).tobytes()
        groups.setdefault(key, []).append(frame)
    times = {frame.time for frame in frames}
    instant = len(times) == 1 and None not in times
    if len(groups) == len(frames) > 1 and not instant and (len(times - {None}) > 1 or len(frames) > 2):
        raise CaptureError(
            f"{where}: {len(frames)} pictures of {len(groups)} different poses, expected several pictures of "
            "each camera; moving cameras are not supported: importance sampling compares what a pixel shows "
            "at different times"
        )
    ordered = [sorted(group, key=_order) for group in groups.values()]
    _check_times(ordered, where)
    folders = [{frame.path.parent for frame in group} for group in ordered]
    return [
        _of_group(group, own_folder=folders.count(own) == 1)
        for group, own in zip(ordered, folders, strict=True)
    ]


def _order(frame: _Frame) -> tuple[float, list[tuple[int, str]]]:
    return frame.time or 0.0, natural(frame.path.name)


def _check_times(groups: Sequence[Sequence[_Frame]], where: Path) -> None:
    """CaptureError when cameras have pictures of different times: the frames could not be paired."""
    expected = [frame.time for frame in max(groups, key=len)]
    for group in groups:
        found = [frame.time for frame in group]
        if found != expected:
            raise CaptureError(
                f"{where}: {group[0].path.parent.name}/{group[0].path.name} and its camera's other pictures "
                f"are of {len(found)} times, those of another camera of {len(expected)}; expected the same"
            )


def _of_group(group: Sequence[_Frame], *, own_folder: bool) -> RecordedCamera:
    """The camera of pictures in a folder of their own, or called by the camera's name and a number."""
    paths = tuple(frame.path for frame in group)
    stem = re.sub(r"[_.\-]*[0-9]+$", "", paths[0].stem)
    name = camera_name(paths[0].parent.name if own_folder or not stem else stem)
    return _camera(name, group[0], paths[0].parent, paths)


def _camera(name: str, frame: _Frame, source: Path, files: tuple[Path, ...] = ()) -> RecordedCamera:
    near, far = depths_of(frame.record)
    offset = offset_of(frame.record)
    return RecordedCamera(name, source, _lens(frame), frame.pose[:3], near, far, offset, files=files)


def _lens(frame: _Frame) -> Lens:
    record = frame.record
    if record.has("w") and record.has("h"):
        width, height = record.size("w"), record.size("h")
    else:
        pictures = is_picture(frame.path)
        source = PictureSequence(frame.path, (frame.path,)) if pictures else open_source(frame.path)
        facts = source.probe()
        width, height = facts.width, facts.height
    focal_x = _focal(record, "fl_x", "camera_angle_x", width)
    focal_y = _focal(record, "fl_y", "camera_angle_y", height, focal_x)
    centre = record.number("cx", width / 2), record.number("cy", height / 2)
    model, coefficients = _distortion(record)
    try:
        return lens_of(model, (width, height), (focal_x, focal_y, *centre), coefficients)
    except CaptureError as error:
        raise CaptureError(f"{record.where}: {error}") from error


def _focal(record: JsonRecord, key: str, angle: str, side: int, default: float | None = None) -> float:
    if record.has(key):
        return record.number(key)
    if record.has(angle):
        half = record.number(angle) / 2
        if not 0 < half < math.pi / 2:
            raise CaptureError(f"{record.where}: {angle} is {2 * half:g}, expected radians between 0 and pi")
        return side / (2 * math.tan(half))
    return record.number(key, default)


def _distortion(record: JsonRecord) -> tuple[str, dict[str, float]]:
    model = record.text("camera_model", "OPENCV")
    fisheye = model == "OPENCV_FISHEYE" or bool(record.values.get("is_fisheye"))
    if not fisheye and model not in _PERSPECTIVE:
        raise CaptureError(
            f"{record.where}: camera_model {model[:40]!r}, expected OPENCV_FISHEYE or one of "
            f"{', '.join(_PERSPECTIVE)}"
        )
    values = {key: record.number(key, 0.0) for key in _COEFFICIENTS}
    if not fisheye and values.pop("k4"):
        raise CaptureError(
            f"{record.where}: k4 is not 0; of the perspective models only k1 to k3 are supported"
        )
    return ("OPENCV_FISHEYE" if fisheye else "OPENCV"), values


def _rate_of_times(frames: Sequence[_Frame]) -> Fraction | None:
    """The rate by ``time``, if that is in seconds: times of 0 to 1 are fractions of an unknown duration."""
    times = np.unique([frame.time for frame in frames if frame.time is not None])
    if len(times) < 3 or times[-1] <= 1.0 + 1e-6:
        return None
    rate = 1 / float(np.median(np.diff(times)))
    return next((Fraction(usual) for usual in _USUAL_RATES if abs(rate / usual - 1) < 1e-2), None)


def nerfstudio_record(recording: Recording, names: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """``transforms.json`` of a recording; ``names`` are the paths of each camera's video or pictures."""
    frames: list[dict[str, object]] = []
    for camera in recording.cameras:
        files = names[camera.name]
        for index, file in enumerate(files):
            timed = {"time": index / max(len(files) - 1, 1)} if is_picture(Path(file)) else {}
            offset = {"offset": float(camera.offset or 0)} if recording.timed_by_offsets else {}
            frames.append({"file_path": file, **timed, **offset, **_intrinsics(camera)})
    rate = {} if recording.fps is None else {"fps": str(recording.fps)}
    return {**rate, "frames": frames}


def _intrinsics(camera: RecordedCamera) -> dict[str, object]:
    lens = camera.lens
    rational = [name for name in ("k4", "k5", "k6") if not lens.fisheye and lens.coefficients.get(name)]
    if rational:
        raise CaptureError(f"{camera.name}: {rational[0]} is not 0, which nerfstudio cannot state")
    depths = {} if camera.near is None else {"near": camera.near, "far": camera.far}
    return {
        "camera_model": "OPENCV_FISHEYE" if lens.fisheye else "OPENCV",
        "w": lens.width, "h": lens.height, "fl_x": lens.focal_x, "fl_y": lens.focal_y,
        "cx": lens.centre_x, "cy": lens.centre_y,
        **{key: value for key, value in lens.coefficients.items() if value},
        **depths,
        "transform_matrix": [*camera.camera_to_world.tolist(), [0.0, 0.0, 0.0, 1.0]],
    }  # fmt: skip
