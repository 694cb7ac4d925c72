"""From what the user asks to see to a list of shots: one camera and one content time per output picture.

Three pure steps, each usable alone::

    view   = parse_view("orbit", cameras)                     which way the camera goes
    timing = plan_timing(frames, fps, ..., view=view)         which content each output picture shows
    shots  = plan_shots(view, cameras, timing=timing, size=None)

A view is a camera of the clip (``cam00`` or ``still:cam00``), ``spiral``, ``orbit``, or a camera path that
nerfstudio's viewer exported (``.json``, in the clip's world units). Content time is in seconds from the
clip's first frame: frame i is at i / fps and shown until (i + 1) / fps, so a clip lasts frames / fps seconds,
and no picture shows anything later than its last frame, at (frames - 1) / fps. Cameras follow ``camera.py``
(OpenGL axes); everything the user gives is distrusted, and what cannot be rendered raises ViewError.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from dynerf_format.errors import ViewError

from .camera import Camera

_SIZE = re.compile(r"([0-9]{1,5})[xX]([0-9]{1,5})")
_MOST_SIDE = 8192  # pixels
_MOST_PICTURES = 1_000_000
_MOST_FPS, _MOST_FPS_DENOMINATOR = 1000.0, 100_000  # what a movie can state
_MOST_BYTES = 2**24
_MOST_DISTANCE = 1e6  # world units from the origin; float32 rays stay exact to a tenth of a unit
_MOST_SKEW = 1e-2  # of R^T R from the identity, as for poses of captures
_FOV = (0.001, 179.999)  # degrees; beyond, focal lengths leave what floats can hold
_ASPECT = (1 / _MOST_SIDE, float(_MOST_SIDE))
_NAMES_SHOWN = 40

_FREEZE_SECONDS = 4
_SLACK = Fraction(1, 1_000_000)  # seconds past the end that are taken as the end: rounded, not wrong
_SPIRAL_SECONDS, _ORBIT_SECONDS = 5, 10  # of one turn, rounded so that a whole number fits
_SPIRAL_SHARE = 0.6  # of the rig's extent: where cameras are dense on all sides
_SPIRAL_RADIUS = 0.1  # of the focus distance, around one camera of an inward rig
_SPIRAL_LEAST = 0.02  # of the focus distance: a rig without extent still shows parallax
_FORWARD_FACING = math.cos(math.radians(45))  # all optical axes this close to their mean
_WIDEST_GAP = math.radians(150)  # between neighbouring cameras of a rig that is worth a full turn
_UP_SHARE = 1e-3  # how much the mean up axis counts against the right axes: what 1.8 degrees of yaw do
_LEAST_RADIUS = 1e-3  # of the distance to what is orbited
_PARALLEL = 1e-3  # mean squared sine between optical axes (1.8 degrees) below which they do not intersect
_FAR_FOCUS = 4  # times the rig's extent: the focus when optical axes do not intersect


@dataclass(frozen=True)
class Still:
    """One camera of the clip, not moving."""

    camera: Camera


@dataclass(frozen=True)
class RigPath:
    """A path derived from the clip's cameras; see ``plan_shots``."""

    kind: Literal["spiral", "orbit"]


@dataclass(frozen=True, eq=False)
class CameraPath:
    """A camera path file, checked: ``poses`` are [R | o] as in ``Camera``, ``fov`` is vertical, in degrees.

    What the file does not state is None. ``render_times`` are fractions of the clip, 0 its first frame and 1
    its last; None unless all entries have one.
    """

    source: Path
    poses: Float[np.ndarray, "entry 3 4"]
    fov: Float[np.ndarray, " entry"]
    size: tuple[int, int] | None
    aspect: float | None
    fps: Fraction | None
    render_times: Float[np.ndarray, " entry"] | None


View: TypeAlias = Still | RigPath | CameraPath
_RIG_PATHS = {"spiral": RigPath("spiral"), "orbit": RigPath("orbit")}


@dataclass(frozen=True)
class Timing:
    """Content seconds of each output picture, and how many pictures are shown per second."""

    times: tuple[float, ...]
    fps: Fraction


@dataclass(frozen=True)
class Shot:
    """One output picture: the camera, at the size to render, and the content time in seconds."""

    camera: Camera
    time: float


# --- what the user types ----------------------------------------------------------------------------------


def parse_size(text: str) -> tuple[int, int]:
    """Width and height in pixels from ``WxH``. Raises ViewError on anything else than 1 to 8192 each."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ViewError(f"size {text!r}: expected WIDTHxHEIGHT in pixels, as 1280x720")
    return _checked_size(int(match[1]), int(match[2]), "size")


def parse_view(text: str, cameras: Sequence[Camera]) -> View:
    """What a VIEW argument means; reads the file when it names one.

    A camera that is called like a path is reached by ``still:NAME``. Raises ViewError, listing what there is.
    """
    named = {camera.name: camera for camera in cameras}
    if text in _RIG_PATHS:
        return _RIG_PATHS[text]
    name = text.removeprefix("still:")
    if name in named:
        return Still(named[name])
    if text.lower().endswith(".json"):
        return read_camera_path(Path(text))
    shown = ", ".join(list(named)[:_NAMES_SHOWN])
    more = f" and {len(named) - _NAMES_SHOWN} more" if len(named) > _NAMES_SHOWN else ""
    raise ViewError(
        f"view {text!r}: there is no such view, expected a camera ({shown}{more}), "
        "spiral, orbit, or a camera path ending in .json"
    )


def default_size(view: View, cameras: Sequence[Camera]) -> tuple[int, int]:
    """Width and height when the user asks for none: the view's own, else those of the first camera."""
    if isinstance(view, Still):
        return view.camera.width, view.camera.height
    width, height = cameras[0].width, cameras[0].height
    if not isinstance(view, CameraPath):
        return width, height
    if view.size is None and view.aspect is not None:
        return _checked_size(max(1, round(height * view.aspect)), height, str(view.source))
    return view.size or (width, height)


def _checked_size(width: int, height: int, where: str) -> tuple[int, int]:
    if not (1 <= width <= _MOST_SIDE and 1 <= height <= _MOST_SIDE):
        raise ViewError(f"{where}: {width}x{height} pixels, expected sides of 1 to {_MOST_SIDE}")
    return width, height


# --- time -------------------------------------------------------------------------------------------------


def plan_timing(
    frames: int,
    fps: Fraction,
    *,
    frame_range: tuple[int, int] | None,
    seconds: tuple[float, float] | None,
    speed: float,
    freeze: float | None,
    out_fps: Fraction | None,
    view: View | None = None,
) -> Timing:
    """The content time of each output picture of a clip of ``frames`` frames, ``fps`` a second.

    The chosen part of the clip is [start, stop) seconds: ``frame_range`` (a, b) is [a / fps, b / fps), by
    default it is the whole clip. Picture k shows min(start + k step, (frames - 1) / fps):

    - playing: step = speed / out_fps, ceil((stop - start) / step) pictures; speed 0.25 shows four times as
      many as speed 1.
    - along a camera path at speed 1: as many pictures as the path has (resampled when ``out_fps`` is not its
      own rate), step = (stop - start) / pictures, so that path and content end together. The path's render
      times, when it has them and no part was chosen, replace these times.
    - ``freeze``: content stands at that second while the camera moves, for ceil(length out_fps) pictures; the
      length is stop - start where a part was chosen, else the camera path's, else 4 s.

    Output rate: ``out_fps``, else the camera path's, else ``fps``. Floats mean the decimal number they print
    as. Raises ViewError when values make no sense, leave the clip or ask for more than a million pictures.
    """
    path = view if isinstance(view, CameraPath) else None
    path_fps = fps if path is None or path.fps is None else path.fps
    rate = path_fps if out_fps is None else out_fps
    if frames < 1 or fps <= 0 or rate <= 0:
        raise ViewError(f"{frames} frames at {fps} a second, shown at {rate}: expected all more than 0")
    pace = _exact(speed, "speed")
    if pace <= 0:
        raise ViewError(f"speed {speed:g}: expected more than 0 (freeze holds the content still)")
    last = (frames - 1) / fps
    chosen = frame_range is not None or seconds is not None
    start, stop = _part(frames, fps, frame_range, seconds)
    along = None if path is None else max(1, round(len(path.poses) * rate / path_fps))
    if freeze is not None:
        if pace != 1:
            raise ViewError(f"freeze at {freeze:g} s with speed {speed:g}: expected only one of them")
        pictures = math.ceil((stop - start if chosen else _FREEZE_SECONDS) * rate)
        times = _frozen(freeze, pictures if along is None or chosen else along, last)
    elif path is None or along is None or pace != 1:
        times = _ramp(start, pace / rate, math.ceil((stop - start) * rate / pace), last)
    elif path.render_times is None or chosen:
        times = _ramp(start, (stop - start) / along, along, last)
    else:
        times = _stated(path.render_times, along, last)
    return Timing(times, rate)


def _part(
    frames: int, fps: Fraction, frame_range: tuple[int, int] | None, seconds: tuple[float, float] | None
) -> tuple[Fraction, Fraction]:
    """The chosen part of the clip in seconds: start, included, and stop, excluded."""
    if frame_range is not None and seconds is not None:
        raise ViewError("a range of frames and one of seconds are given, expected only one of them")
    if frame_range is not None:
        first, after = frame_range
        if not 0 <= first < after <= frames:
            raise ViewError(f"frames {first}:{after}: expected a part of 0:{frames} that is not empty")
        return first / fps, after / fps
    if seconds is not None:
        start, stop = _exact(seconds[0], "start second"), _exact(seconds[1], "stop second")
        last, length = (frames - 1) / fps, frames / fps
        if not (0 <= start < stop <= length + _SLACK and start <= last + _SLACK):
            raise ViewError(
                f"seconds {seconds[0]:.12g}:{seconds[1]:.12g}: expected a part of 0:{float(length):.12g}, "
                f"not empty, that starts at {float(last):.12g}, the last frame, or before"
            )
        return min(start, last), min(stop, length)
    return Fraction(0), frames / fps


def _exact(value: float, what: str) -> Fraction:
    """The decimal number that a float prints as: 0.1 is meant as 1/10, not as its nearest binary fraction."""
    if not math.isfinite(value):
        raise ViewError(f"{what} {value}: expected a finite number")
    return Fraction(repr(float(value)))


def _ramp(start: Fraction, step: Fraction, pictures: int, last: Fraction) -> tuple[float, ...]:
    """min(start + k step, last) for each picture k, correctly rounded: the time of frame i is i / fps."""
    _check_count(pictures)
    unit = math.lcm(start.denominator, step.denominator, last.denominator)
    first, advance, end = (int(value * unit) for value in (start, step, last))
    return tuple(min(first + k * advance, end) / unit for k in range(pictures))


def _frozen(second: float, pictures: int, last: Fraction) -> tuple[float, ...]:
    at = _exact(second, "freeze")
    if not 0 <= at <= last + _SLACK:
        raise ViewError(f"freeze at {second:.12g} s: expected 0 to {float(last):.12g} s, the last frame")
    return _ramp(at, Fraction(0), pictures, last)


def _stated(shares: Float[np.ndarray, " entry"], pictures: int, last: Fraction) -> tuple[float, ...]:
    """A path's own render times, resampled."""
    _check_count(pictures)
    times = np.interp(_positions(pictures, len(shares)), np.arange(len(shares)), shares) * float(last)
    return tuple(times.tolist())


def _check_count(pictures: int) -> None:
    if pictures > _MOST_PICTURES:
        raise ViewError(f"more pictures asked for than can be rendered, expected at most {_MOST_PICTURES}")


def _positions(pictures: int, entries: int) -> Float[np.ndarray, " picture"]:
    """Where each picture lies among a path's entries: from the first, 0, to the last, entries - 1."""
    return np.linspace(0, entries - 1, pictures)


# --- cameras along the way --------------------------------------------------------------------------------


def plan_shots(
    view: View, cameras: Sequence[Camera], *, timing: Timing, size: tuple[int, int] | None
) -> list[Shot]:
    """One shot per picture of ``timing``; ``size`` in pixels, by default the ``default_size``.

    - spiral: an ellipse around the mean camera (around the first one when the cameras look inward), looking
      at one point in focus: LLFF's render path without its motion in depth.
    - orbit: around the point that all cameras look at, at their mean distance and height: a full turn when
      cameras stand all around it, else a swing over the arc they cover, and back.
    - a camera path: its entries, interpolated when there are not as many as pictures.

    Spiral and orbit are closed, with a whole number of turns (about 5 and 10 s each), and have the first
    camera's intrinsics. Raises ViewError when the size cannot be rendered or there is nothing to go round.
    """
    pictures = len(timing.times)
    width, height = default_size(view, cameras)
    if isinstance(view, Still):
        taken = [view.camera] * pictures
    elif isinstance(view, CameraPath):
        taken = _path_cameras(view, width, height, pictures)
    else:
        walk, period = (_spiral, _SPIRAL_SECONDS) if view.kind == "spiral" else (_orbit, _ORBIT_SECONDS)
        turns = max(1, round(pictures / timing.fps / period))
        angles = 2 * np.pi * turns * np.arange(pictures) / pictures
        taken = [replace(cameras[0], name=view.kind, camera_to_world=pose) for pose in walk(cameras, angles)]
    if size is not None:
        width, height = _checked_size(*size, "size")
        taken = [camera.with_size(width, height) for camera in taken]
    return [Shot(camera, time) for camera, time in zip(taken, timing.times, strict=True)]


def _spiral(cameras: Sequence[Camera], angles: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3 4"]:
    """Poses on an ellipse across the viewing direction of the mean (or first) camera."""
    rotation, centre = cameras[0].camera_to_world[:, :3], cameras[0].origin
    extent = np.zeros(2)
    one_way = _looks_one_way(cameras)
    if one_way:
        rotation = _nearest_rotation(np.mean([camera.camera_to_world[:, :3] for camera in cameras], axis=0))
        origins = np.stack([camera.origin for camera in cameras])
        centre = origins.mean(axis=0)
        extent = np.percentile(np.abs((origins - centre) @ rotation[:, :2]), 90, axis=0)
    distance = float(np.linalg.norm(_focus_point(cameras) - centre)) or 1.0
    least = (_SPIRAL_LEAST if one_way else _SPIRAL_RADIUS) * distance
    radii = np.maximum(_SPIRAL_SHARE * extent, least)
    offsets = np.stack([radii[0] * np.cos(angles), -radii[1] * np.sin(angles)], axis=1) @ rotation[:, :2].T
    return _look_at(centre + offsets, centre - distance * rotation[:, 2], rotation[:, 1])


def _orbit(cameras: Sequence[Camera], angles: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3 4"]:
    """Poses on a circle, or on an arc of it and back, around the point the cameras look at."""
    target, up = _focus_point(cameras), _upright(cameras)
    offsets = np.stack([camera.origin for camera in cameras]) - target
    heights = offsets @ up
    level = offsets - heights[:, None] * up
    distances = np.linalg.norm(level, axis=1)
    radius, height = float(distances.mean()), float(heights.mean())
    if radius <= _LEAST_RADIUS * float(np.linalg.norm(offsets, axis=1).mean()):
        raise ViewError("orbit: the cameras stand straight above what they look at, expected them around it")
    front = level[distances.argmax()] / distances.max()
    side = np.cross(up, front)
    azimuths = np.sort(np.arctan2(level @ side, level @ front) % (2 * np.pi))
    gaps = np.diff(azimuths, append=azimuths[0] + 2 * np.pi)
    widest = int(gaps.argmax())
    if gaps[widest] > _WIDEST_GAP:
        half = (2 * np.pi - gaps[widest]) / 2
        angles = azimuths[(widest + 1) % len(azimuths)] + half + half * np.sin(angles)
    ring = np.cos(angles)[:, None] * front + np.sin(angles)[:, None] * side
    return _look_at(target + radius * ring + height * up, target, up)


def _looks_one_way(cameras: Sequence[Camera]) -> bool:
    forwards = np.stack([camera.forward for camera in cameras])
    axis = _unit(forwards.sum(axis=0), np.zeros(3))
    return bool((forwards @ axis).min() >= _FORWARD_FACING)


def _focus_point(cameras: Sequence[Camera]) -> Float[np.ndarray, "3"]:
    """The point nearest to all optical axes (least squares), in front of the cameras.

    Where axes are almost parallel, or meet behind the cameras, it is a guess: four rig extents ahead.
    """
    origins = np.stack([camera.origin for camera in cameras])
    axes = np.stack([camera.forward for camera in cameras])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    normal = across.mean(axis=0)
    if np.linalg.eigvalsh(normal)[0] > _PARALLEL:
        point = np.linalg.solve(normal, np.einsum("nij,nj->i", across, origins) / len(cameras))
        if ((point - origins) * axes).sum(axis=1).mean() > 0:
            return np.asarray(point)
    centre = origins.mean(axis=0)
    extent = float(np.linalg.norm(origins - centre, axis=1).max()) or 1.0
    return np.asarray(centre + _FAR_FOCUS * extent * _unit(axes.sum(axis=0), axes[0]))


def _upright(cameras: Sequence[Camera]) -> Float[np.ndarray, "3"]:
    """The vertical: across all cameras' right axes, as far as these differ, and along their mean up axis.

    The mean of the up axes alone would lean forward by the mean pitch, and an orbit's horizon would roll.
    """
    rights, ups = (np.stack([camera.camera_to_world[:, axis] for camera in cameras]) for axis in (0, 1))
    mean = _unit(ups.sum(axis=0), ups[0])
    scores = _UP_SHARE * np.outer(mean, mean) - rights.T @ rights / len(cameras)
    vertical = np.linalg.eigh(scores)[1][:, -1]
    return np.asarray(vertical if vertical @ mean >= 0 else -vertical)


def _unit(vector: Float[np.ndarray, "3"], otherwise: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """The vector at length one, or ``otherwise`` where it has no direction."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length) if length > 1e-9 else otherwise


def _look_at(
    origins: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "3"], up: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "n 3 4"]:
    """Poses at ``origins`` that look at ``target``, the picture's upright nearest to ``up``."""
    backwards = origins - target
    backwards /= np.linalg.norm(backwards, axis=1, keepdims=True)
    right = np.cross(up, backwards)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, np.cross(backwards, right), backwards, origins], axis=2)


def _path_cameras(path: CameraPath, width: int, height: int, pictures: int) -> list[Camera]:
    """Cameras at evenly spaced places of a path, entries interpolated: positions and angles linearly."""
    places = _positions(pictures, len(path.poses))
    before = np.floor(places).astype(int)
    after = np.minimum(before + 1, len(path.poses) - 1)
    share = (places - before)[:, None, None]
    poses = (1 - share) * path.poses[before] + share * path.poses[after]
    poses[:, :, :3] = _nearest_rotation(poses[:, :, :3])
    focal = height / 2 / np.tan(np.radians(np.interp(places, np.arange(len(path.fov)), path.fov)) / 2)
    return [
        Camera(path.source.stem, width, height, float(length), float(length), width / 2, height / 2, pose)
        for pose, length in zip(poses, focal, strict=True)
    ]


def _nearest_rotation(matrices: Float[np.ndarray, "*n 3 3"]) -> Float[np.ndarray, "*n 3 3"]:
    """The rotations nearest to matrices (polar decomposition)."""
    left, _, right = np.linalg.svd(matrices)
    left[..., 2] *= np.linalg.det(left @ right)[..., None]
    return np.asarray(left @ right)


# --- camera path files ------------------------------------------------------------------------------------


def read_camera_path(path: Path) -> CameraPath:
    """Read the camera path JSON of nerfstudio's viewer. Raises ViewError naming the file and the entry.

    Used are ``camera_path[]`` with ``camera_to_world`` (16 numbers, row by row), ``fov``, and where present
    ``aspect`` (of the first entry) and ``render_time``; ``render_width`` and ``render_height``, ``fps``,
    ``camera_type``. The rest, such as ``keyframes``, is the viewer's own and ignored.
    """
    record = _load(path)
    kind = record.get("camera_type", "perspective")
    if not isinstance(kind, str) or kind.lower() != "perspective":
        raise ViewError(f"{path}: camera_type {_shown(kind)}, supported is only perspective")
    entries = record.get("camera_path")
    if not isinstance(entries, list) or not entries:
        raise ViewError(f"{path}: camera_path is {_shown(entries)}, expected a list of at least one camera")
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise ViewError(f"{path}: camera_path[{index}]: {_shown(entry)}, expected an object")
    first, timed = entries[0], all("render_time" in entry for entry in entries)
    return CameraPath(
        source=path,
        poses=_poses(path, entries),
        fov=_column(path, entries, "fov", _FOV),
        size=_render_size(path, record),
        aspect=float(_column(path, [first], "aspect", _ASPECT)[0]) if "aspect" in first else None,
        fps=_frame_rate(path, record),
        render_times=_column(path, entries, "render_time", (0.0, 1.0)) if timed else None,
    )


def _load(path: Path) -> dict[str, object]:
    """The JSON object in a file of bounded size, free of NaN and infinity."""
    try:
        if not path.exists():
            raise ViewError(f"{path}: does not exist, expected a camera path (JSON)")
        if not path.is_file():
            raise ViewError(f"{path}: is no file, expected a camera path (JSON)")
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ViewError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > _MOST_BYTES:
        raise ViewError(f"{path}: more than {_MOST_BYTES} bytes, expected a camera path (JSON)")
    try:
        record = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ViewError(f"{path}: is no JSON: {str(error)[:100]}") from error
    if not isinstance(record, dict):
        raise ViewError(f"{path}: {_shown(record)}, expected an object with camera_path")
    return record


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no number")


def _poses(path: Path, entries: Sequence[dict[str, object]]) -> Float[np.ndarray, "entry 3 4"]:
    """All ``camera_to_world``, made exact rotations."""
    rows = []
    for index, entry in enumerate(entries):
        where = f"{path}: camera_path[{index}]: camera_to_world"
        numbers = entry.get("camera_to_world")
        if not isinstance(numbers, list) or len(numbers) != 16:
            raise ViewError(f"{where} is {_shown(numbers)}, expected 16 numbers")
        rows.append([_number(number, where, (-_MOST_DISTANCE, _MOST_DISTANCE)) for number in numbers])
    matrices = np.array(rows, dtype=np.float64).reshape(-1, 4, 4)
    rotations = matrices[:, :3, :3]
    off = np.abs(matrices[:, 3] - [0, 0, 0, 1]).max(axis=1)
    _refuse_first(path, off > _MOST_SKEW, "last row is not 0 0 0 1; are columns and rows swapped?")
    skew = np.abs(np.swapaxes(rotations, 1, 2) @ rotations - np.eye(3)).max(axis=(1, 2))
    _refuse_first(path, skew > _MOST_SKEW, "upper left 3x3 is no rotation")
    _refuse_first(path, np.linalg.det(rotations) < 0, "upper left 3x3 mirrors the world")
    return np.concatenate([_nearest_rotation(rotations), matrices[:, :3, 3:]], axis=2)


def _refuse_first(path: Path, wrong: Bool[np.ndarray, " entry"], what: str) -> None:
    if wrong.any():
        raise ViewError(f"{path}: camera_path[{int(wrong.argmax())}]: camera_to_world: {what}")


def _column(
    path: Path, entries: Sequence[dict[str, object]], key: str, limits: tuple[float, float]
) -> Float[np.ndarray, " entry"]:
    """One number per entry."""
    where = f"{path}: camera_path[{{}}]: {key}"
    return np.array([_number(entry.get(key), where.format(i), limits) for i, entry in enumerate(entries)])


def _render_size(path: Path, record: dict[str, object]) -> tuple[int, int] | None:
    if "render_width" not in record and "render_height" not in record:
        return None
    limits = (1.0, float(_MOST_SIDE))
    width = _number(record.get("render_width"), f"{path}: render_width", limits)
    height = _number(record.get("render_height"), f"{path}: render_height", limits)
    if width != int(width) or height != int(height):
        raise ViewError(f"{path}: render size {width:g}x{height:g}, expected whole pixels")
    return int(width), int(height)


def _frame_rate(path: Path, record: dict[str, object]) -> Fraction | None:
    if "fps" not in record:
        return None
    fps = _number(record["fps"], f"{path}: fps", (1 / _MOST_FPS_DENOMINATOR, _MOST_FPS))
    return Fraction(repr(fps)).limit_denominator(_MOST_FPS_DENOMINATOR)


def _number(value: object, where: str, limits: tuple[float, float]) -> float:
    """A JSON number within limits, both included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not limits[0] <= value <= limits[1]:
        raise ViewError(f"{where} is {_shown(value)}, expected a number from {limits[0]:g} to {limits[1]:g}")
    return float(value)


def _shown(value: object) -> str:
    """A JSON value in a few words, fit for one line."""
    if value is None:
        return "missing"
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return repr(value)[:60] if not isinstance(value, str) else repr(value[:60])
