"""What a layout on disk states about a capture, before any picture is read.

Every reader (one per layout, in ``layouts``) returns a ``Recording``; ``capture.json`` is one, written down.
``opening.py`` reads its videos and turns it into a ``Capture``. World units and axes are the recording's own;
``camera_to_world`` is 3x4 with OpenGL's axes (x right, y up, the camera looks along -z).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.camera import MAX_DISTANCE
from dynerf_decoder.cameras.rotation import nearest_rotation, rotation_fault
from dynerf_format.errors import CaptureError

from .lens import Lens

MAX_CAMERAS = 1000
MAX_OFFSET = 10**6  # frames
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_DIGITS = 12  # of poses, relative to the rig's size
_MAX_ROUNDINGS = 20  # one or two suffice
_PIXEL_DIGITS = 9  # decimals of focal lengths and principal points


@dataclass(frozen=True)
class SourceState:
    """What a camera's video was when its pose was estimated; values that are not known are None.

    ``modified`` is the time of modification in seconds since 1970; ``sha256`` is in hexadecimal.
    """

    bytes: int | None = None
    modified: float | None = None
    sha256: str | None = None


@dataclass(frozen=True, eq=False)
class RecordedCamera:
    """One camera: where its pictures are, its lens and its pose.

    ``source`` is a video, a folder of pictures (all of them, in the order of their names), or the path of a
    picture with ``%04d`` in place of its number; or ``files`` are the pictures in order, and ``source`` is
    where they are. ``lens`` is of the pictures as shown, turned upright.

    ``offset`` is in frames: frame n of the source shows the instant n - offset of the common clock, so the
    source of a camera that started earlier has a larger offset. None when it is not known. Only differences
    between cameras matter. ``near`` and ``far`` are depths in world units, None when they are not known.
    ``quality`` is a record of how far to trust the pose, for people and for ``check``.
    """

    name: str
    source: Path
    lens: Lens
    camera_to_world: Float[np.ndarray, "3 4"]
    near: float | None = None
    far: float | None = None
    offset: Fraction | None = Fraction(0)
    state: SourceState = SourceState()
    files: tuple[Path, ...] = ()
    quality: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Names become file names in the frame store.
        if _NAME.fullmatch(self.name) is None:
            raise CaptureError(
                f"{self.source}: camera name {self.name[:80]!r}, expected letters, digits, dot, dash, _"
            )


@dataclass(frozen=True, eq=False)
class Recording:
    """The cameras of a capture. ``root`` is the folder or file that was read, for messages.

    ``timed_by_offsets``: frames are paired by the cameras' offsets alone, and not by the start times that
    videos state. ``fps`` is the rate of picture sequences, None when it is not stated. ``up`` is the vertical
    of the world, a unit vector. ``points`` is a PLY file of points of the scene (``point_file``). ``unit`` is
    the world's unit of length, such as "metre". ``made`` records how the poses were made (versions, options,
    seeds), ``quality`` how good they are. ``notes`` are for the user.
    """

    root: Path
    layout: str
    cameras: tuple[RecordedCamera, ...]
    fps: Fraction | None = None
    timed_by_offsets: bool = False
    up: Float[np.ndarray, "3"] | None = None
    points: Path | None = None
    unit: str | None = None
    made: Mapping[str, object] = field(default_factory=dict)
    quality: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The cameras' names, in order."""
        return tuple(camera.name for camera in self.cameras)


def check_count(cameras: int, where: Path) -> None:
    """CaptureError for more cameras than a capture may have: before they are read one by one."""
    if not 1 <= cameras <= MAX_CAMERAS:
        raise CaptureError(f"{where}: {cameras} cameras, expected 1 to {MAX_CAMERAS}")


def checked_recording(recording: Recording) -> Recording:
    """The recording with cameras in the order of their names, and with poses in their canonical rounding.

    Readers end with this. Rotations are made exact and poses rounded to ``_DIGITS`` digits of the rig's size,
    so that every layout of one capture gives the same cameras to the bit. Raises CaptureError for names that
    occur twice, poses that are not finite or not rotations, and depths that are not 0 < near < far.
    """
    where, cameras = recording.root, recording.cameras
    check_count(len(cameras), where)
    names = [camera.name for camera in cameras]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CaptureError(
            f"{where}: {twice[0]} occurs {names.count(twice[0])} times, expected each camera once"
        )
    poses = [_checked_pose(camera, where) for camera in cameras]
    for camera in cameras:
        _check_depths(camera, where)
    rounded = _rounded(np.stack(poses))
    found = [
        replace(camera, camera_to_world=pose, lens=_rounded_lens(camera.lens))
        for camera, pose in zip(cameras, rounded, strict=True)
    ]
    return replace(recording, cameras=tuple(sorted(found, key=lambda camera: natural(camera.name))))


def natural(name: str) -> list[tuple[int, str]]:
    """The sorting key that orders names by the numbers in them: cam2 before cam10."""
    parts = re.split(r"([0-9]+)", name)  # every second one is a number
    return [(int(part), "") if index % 2 else (-1, part) for index, part in enumerate(parts) if part]


def _checked_pose(camera: RecordedCamera, where: Path) -> Float[np.ndarray, "3 4"]:
    pose = np.asarray(camera.camera_to_world, np.float64)
    if pose.shape != (3, 4) or not np.isfinite(pose).all() or np.abs(pose).max() > MAX_DISTANCE:
        raise CaptureError(
            f"{where}: {camera.name}: its pose is not 3x4 finite numbers of at most {MAX_DISTANCE:g}"
        )
    if fault := rotation_fault(pose[:, :3]):
        raise CaptureError(f"{where}: {camera.name}: the 3x3 part of its pose {fault}")
    return np.column_stack([nearest_rotation(pose[:, :3]), pose[:, 3]])


def _check_depths(camera: RecordedCamera, where: Path) -> None:
    near, far = camera.near, camera.far
    if near is None and far is None:
        return
    if near is None or far is None or not (0 < near < far < math.inf):
        raise CaptureError(f"{where}: {camera.name}: near {near} and far {far}, expected 0 < near < far")


def _rounded(poses: Float[np.ndarray, "n 3 4"]) -> Float[np.ndarray, "n 3 4"]:
    """Rotations rounded to 12 decimals, positions to 12 digits of their distance from the origin.

    Conversions between conventions differ in the last bits of a number; they round to the same value.
    """
    size = float(np.abs(poses[:, :, 3]).max())
    digits = _DIGITS - (math.frexp(size)[1] // 3 if size > 0 else 0)
    positions = np.round(poses[:, :, 3:], max(digits, 0))
    return np.concatenate([_rounded_rotations(poses[:, :, :3]), positions], axis=2) + 0.0  # no negative zeros


def _rounded_rotations(rotations: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n 3 3"]:
    """Rotations whose nearest exact rotation rounds to them: what a conversion returns to."""
    for _ in range(_MAX_ROUNDINGS):
        rounded = np.round(rotations, _DIGITS)
        again = np.round(nearest_rotation(rounded), _DIGITS)
        if np.array_equal(again, rounded):
            break
        rotations = again
    return rounded


def _rounded_lens(lens: Lens) -> Lens:
    numbers = (lens.focal_x, lens.focal_y, lens.centre_x, lens.centre_y)
    focal_x, focal_y, centre_x, centre_y = (round(number, _PIXEL_DIGITS) for number in numbers)
    return replace(lens, focal_x=focal_x, focal_y=focal_y, centre_x=centre_x, centre_y=centre_y)


def first_frames(cameras: Sequence[RecordedCamera]) -> tuple[int, ...]:
    """The first frame of each source that is used: 0 for the camera that started last.

    Offsets are rounded to whole frames; unknown ones count as 0.
    """
    whole = [round(camera.offset or Fraction(0)) for camera in cameras]
    return tuple(offset - min(whole) for offset in whole)
