"""Calibrates a folder of videos: poses, lenses and offsets in time, written as one ``capture.json``.

Stages: probe, pictures, features, matches, poses, synchronisation, report. Each stage's files stay in the
work folder until the end, so that an interrupted calibration continues.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dynerf_format.errors import CaptureError
from dynerf_format.io.folder_lock import folder_lock

from .calibration_report import write_report
from .colmap.run_children import check_installed
from .connections import check_connected
from .correspondences import extract_features, match_times
from .footage import FootageSet, check_folder, find_footage
from .gauge import in_gauge
from .lens_groups import lens_groups
from .motion_groups import motion_witness
from .options import CalibrationOptions
from .outcome import Outcome, check_cameras, check_exports, check_output, write_exports, write_outcome
from .rig import RigRequest, RigSolution, read_time, solve_rig
from .stationary import check_stationary, empty_of_texture, faulty_cameras
from .stills import StillFiles, choose_times, read_stills
from .synchronise import synchronise
from .verdict import camera_qualities, grade
from .work_folder import close_work, open_work

_LEAST_FEATURES = 50

Progress = Callable[[str, int, int], None]
"""Receives a stage's name, the units done and their total."""


@dataclass(frozen=True, eq=False)
class _Pictures:
    """What was read of the videos: cameras, times, pictures and features."""

    footage: FootageSet
    times: tuple[int, ...]
    stills: dict[str, StillFiles]
    features: dict[str, dict[int, Path]]


def calibrate(options: CalibrationOptions, progress: Progress) -> Outcome:
    """Calibrate and write capture.json, points, report and exports. Raises DynerfError.

    An exception leaves the work folder, and nothing under the output's name.
    """
    check_installed()
    check_folder(options.folder)
    check_output(options)
    check_exports(options)
    with folder_lock(options.work, "calibration", "-o"):
        return _calibrate(options, progress)


def _calibrate(options: CalibrationOptions, progress: Progress) -> Outcome:
    footage = find_footage(
        options.folder, lambda done, total: progress("videos", done, total),
        by_folder=options.same_lens == "per-folder",
    )  # fmt: skip
    check_cameras(options, footage)
    times = choose_times(footage.frames, options.times)
    work = open_work(options, footage.cameras, times)
    pictures = _read_pictures(options, footage, times, work, progress)
    rig = _solve(options, pictures, work, progress)
    solution = in_gauge(rig.solution, options.scale)
    sync = synchronise(
        options, pictures.footage.cameras, pictures.stills, solution,
        lambda done, total: progress("synchronisation", done, total),
    )  # fmt: skip
    qualities = camera_qualities(solution, rig.agreement, rig.matches, rig.motion)
    names = [*pictures.footage.names, *pictures.footage.dropped]
    verdict = grade(names, solution, rig.agreement, qualities, sync.offsets, len(times), rig.zooms)
    outcome = Outcome(options, pictures.footage, times, solution, rig, sync, qualities, verdict)
    report = write_report(outcome, pictures.stills)
    if verdict.grade == "not usable":
        raise CaptureError(
            f"{options.folder}: {verdict}; {report} shows what was found, nothing else was written"
        )
    write_outcome(outcome)
    close_work(work)
    write_exports(outcome)
    return outcome


def _read_pictures(
    options: CalibrationOptions, footage: FootageSet, times: tuple[int, ...], work: Path, progress: Progress
) -> _Pictures:
    stills, failed = read_stills(footage, times, work, lambda done, total: progress("pictures", done, total))
    failed |= faulty_cameras(stills)
    footage = footage.without(failed, options.folder)
    stills = {name: stills[name] for name in footage.names}
    features = extract_features(
        stills, work, options.threads, lambda done, total: progress("features", done, total)
    )
    _check_texture(options.folder, features)
    check_stationary(options.folder, features, {camera.name: camera.size[0] for camera in footage.cameras})
    return _Pictures(footage, times, stills, features)


def _check_texture(folder: Path, features: dict[str, dict[int, Path]]) -> None:
    counts = {name: [_count(path) for path in files.values()] for name, files in features.items()}
    poor = empty_of_texture(counts, _LEAST_FEATURES)
    if len(counts) - len(poor) < 3:
        raise CaptureError(
            f"{folder}: too little texture in {', '.join(poor)} (fewer than {_LEAST_FEATURES} features), "
            "expected pictures with detail: hang up posters or newspapers and film them for ten seconds with "
            "the cameras in place, or use a calibration board"
        )


def _count(path: Path) -> int:
    with np.load(path, allow_pickle=False) as stored:
        return len(stored["positions"])


def _solve(options: CalibrationOptions, pictures: _Pictures, work: Path, progress: Progress) -> RigSolution:
    matches = match_times(
        pictures.footage.cameras, pictures.features, work, options.seed, options.threads,
        lambda done, total: progress("matches", done, total),
    )  # fmt: skip
    times = [
        read_time({name: files[time] for name, files in pictures.features.items()}, matches[time])
        for time in pictures.times
    ]
    groups, group = lens_groups(options, pictures.footage.cameras)
    witness = motion_witness(pictures.stills)
    request = RigRequest(groups, group, options.seed, work, options.threads, witness)
    rig = solve_rig(request, times, lambda done, total: progress("poses", done, total))
    check_connected(options.folder, pictures.footage.names, rig)
    return rig
