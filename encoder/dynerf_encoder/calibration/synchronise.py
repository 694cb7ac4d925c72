"""Synchronises the cameras of a solved rig by timecode, sound and motion; refuses clocks that drift."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from dynerf_encoder.captures.picture_source import VideoFile
from dynerf_format.errors import CaptureError

from .colmap.problem import Solution
from .footage import Footage
from .options import CalibrationOptions
from .stills import StillFiles
from .synchronisation.combined import UNKNOWN, CameraOffset, MethodOffset, combine
from .synchronisation.motion import MovingView, motion_scores, view_of_pictures
from .synchronisation.offsets import JointOffsets, joint_offsets
from .synchronisation.sound import LEAST_RATIO, read_sound, sound_offsets
from .synchronisation.timecode import read_timecode, timecode_offsets

_DRIFT_FRAMES = 60  # aligned frames from which both halves are compared
_DRIFT_REACH = 6  # frames


@dataclass(frozen=True, eq=False)
class Synchronisation:
    """Offsets by camera; ``curves`` are scores by lag around each offset by motion, for the report."""

    offsets: Mapping[str, CameraOffset]
    curves: Mapping[str, Float[np.ndarray, " lag"]] = field(default_factory=dict)


def synchronise(
    options: CalibrationOptions,
    footage: Sequence[Footage],
    stills: Mapping[str, StillFiles],
    solution: Solution,
    progress: Callable[[int, int], None],
) -> Synchronisation:
    """The offsets of the solved cameras. Raises CaptureError when a clock drifts."""
    cameras = [camera for camera in footage if camera.name in solution.names]
    names = [camera.name for camera in cameras]
    if options.sync == "none":
        return Synchronisation({})
    chosen = ("timecode", "sound", "motion") if options.sync == "auto" else (options.sync,)
    found: dict[str, Sequence[MethodOffset | None]] = {}
    curves: dict[str, np.ndarray] = {}
    for step, method in enumerate(chosen):
        if method == "timecode":
            found[method] = _by_timecode(cameras)
        elif method == "sound":
            found[method] = _by_sound(cameras, solution, metric=options.scale is not None)
        else:
            views = [moving_view(camera.name, stills, solution) for camera in cameras]
            joint = joint_offsets(len(views), motion_scores(views))
            found[method] = [
                MethodOffset(whole + part, margin, clear) if margin > 0 else None
                for whole, part, margin, clear in zip(
                    joint.whole, joint.fractions, joint.margins, joint.clear, strict=True
                )
            ]
            curves = dict(zip(names, joint.curves, strict=True))
            check_drift(options.folder, names, views, joint)
        progress(step + 1, len(chosen))
    offsets = combine(len(cameras), found)
    return Synchronisation(dict(zip(names, offsets, strict=True)), curves)


def unknown(names: Sequence[str]) -> Synchronisation:
    """All offsets unknown."""
    return Synchronisation(dict.fromkeys(names, UNKNOWN))


def _by_timecode(cameras: Sequence[Footage]) -> list[MethodOffset | None]:
    starts = [
        read_timecode(camera.path, camera.facts.fps) if isinstance(camera.source, VideoFile) else None
        for camera in cameras
    ]
    offsets = timecode_offsets(starts, cameras[0].facts.fps)
    return [None if offset is None else MethodOffset(float(offset), 1.0, True) for offset in offsets]


def _by_sound(cameras: Sequence[Footage], solution: Solution, *, metric: bool) -> list[MethodOffset | None]:
    """Offsets by sound; its source is assumed at the world's origin, which the cameras look at."""
    sounds = [read_sound(camera.path) if isinstance(camera.source, VideoFile) else None for camera in cameras]
    distances = [float(np.linalg.norm(solution.pose(camera.name).centre)) for camera in cameras]
    seconds, ratios = sound_offsets(sounds, distances if metric else None)
    fps = float(cameras[0].facts.fps)
    return [
        None if value is None else MethodOffset(value * fps, ratio, ratio >= LEAST_RATIO)
        for value, ratio in zip(seconds, ratios, strict=True)
    ]


def moving_view(name: str, stills: Mapping[str, StillFiles], solution: Solution) -> MovingView:
    """A camera's thumbnails with its centre and rays."""
    pictures = np.load(stills[name].thumbnails, mmap_mode="r", allow_pickle=False)
    index = solution.names.index(name)
    pose, lens = solution.poses[index], solution.lenses[index]
    return view_of_pictures(pictures, lens, pose)


def check_drift(
    folder: object, names: Sequence[str], views: Sequence[MovingView], joint: JointOffsets
) -> None:
    """CaptureError when both halves of the clip have clear offsets that differ by a frame or more."""
    if not all(joint.clear):
        return
    first = [whole - min(joint.whole) for whole in joint.whole]
    length = min(len(view.pictures) - start for view, start in zip(views, first, strict=True))
    if length < _DRIFT_FRAMES:
        return
    halves = []
    for begin, end in ((0, length // 2), (length - length // 2, length)):
        cut = [
            MovingView(view.pictures[start + begin : start + end], view.centre, view.rays)
            for view, start in zip(views, first, strict=True)
        ]
        halves.append(joint_offsets(len(cut), motion_scores(cut, _DRIFT_REACH)))
    both = zip(names, *(zip(half.whole, half.clear, strict=True) for half in halves), strict=True)
    clear = [(name, late[0] - early[0]) for name, early, late in both if early[1] and late[1]]
    if not clear:
        return
    middle = float(np.median([change for _, change in clear]))
    drifting = [(name, change - middle) for name, change in clear if abs(change - middle) >= 1]
    if drifting:
        found = ", ".join(f"{name} by {change:+.0f}" for name, change in drifting[:4])
        raise CaptureError(
            f"{folder}: clocks drift: offsets of the second half differ from those of the first ({found} "
            f"frames in {length // 2} frames), expected equal frame rates; resample the videos to one rate, "
            "or calibrate a shorter part"
        )
