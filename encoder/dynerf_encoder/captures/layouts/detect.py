"""Finds the layout of a capture by its files, and reads it.

``capture.json`` is chosen before all others: ``dynerf calibrate`` writes it beside them. Then comes
``poses_bounds.npy``, which LLFF makes of a COLMAP model in the same folder. Of the others only one may be
there, unless the user names one.
"""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from dynerf_encoder.captures.folder import POSES
from dynerf_encoder.captures.recording import Recording
from dynerf_format.errors import CaptureError, ConfigError

from . import capture_json, colmap, dynamic_gaussians, easyvolcap, immersive, nerfstudio, panoptic
from .n3v import n3v_recording
from .source_files import entries, find_sources, find_sources_in_folders

Read = Callable[[Path, Path], Recording]


@dataclass(frozen=True)
class Layout:
    """A layout: what it is found by in a folder, and the reader of both, the folder and what was found."""

    find: Callable[[Path], Path | None]
    read: Read
    shown: str


def _file(*names: str) -> Callable[[Path], Path | None]:
    def find(folder: Path) -> Path | None:
        return next((folder / name for name in names if (folder / name).is_file()), None)

    return find


def _calibration(folder: Path) -> Path | None:
    found = sorted(path for path in entries(folder) if path.match(panoptic.PATTERN))
    if len(found) > 1:
        raise CaptureError(
            f"{folder}: holds {', '.join(path.name for path in found[:3])}, expected one calibration"
        )
    return found[0] if found else None


def _intrinsics(folder: Path) -> Path | None:
    both = (folder / easyvolcap.INTRINSICS, folder / easyvolcap.EXTRINSICS)
    return both[0] if all(path.is_file() for path in both) else None


def _by_file(read: Callable[[Path], Recording]) -> Read:
    """The reader of a layout that one file describes."""
    return lambda _, path: read(path)


LAYOUTS: Mapping[str, Layout] = {
    "capture": Layout(_file(capture_json.FILE), _by_file(capture_json.read_capture_json), capture_json.FILE),
    "n3v": Layout(_file(POSES), lambda folder, _: n3v_recording(folder), f"camNN.mp4 and {POSES}"),
    "nerfstudio": Layout(
        _file(nerfstudio.FILE, *nerfstudio.SETS), _by_file(nerfstudio.read_nerfstudio), nerfstudio.FILE
    ),
    "colmap": Layout(colmap.model_folder, colmap.read_colmap, "sparse/0/cameras.bin or .txt"),
    "easyvolcap": Layout(_intrinsics, _by_file(easyvolcap.read_easyvolcap), "intri.yml and extri.yml"),
    "immersive": Layout(_file(immersive.FILE), _by_file(immersive.read_immersive), immersive.FILE),
    "panoptic": Layout(_calibration, _by_file(panoptic.read_panoptic), panoptic.PATTERN),
    "dynamic-3d-gaussians": Layout(
        _file(dynamic_gaussians.FILE),
        _by_file(dynamic_gaussians.read_dynamic_gaussians),
        dynamic_gaussians.FILE,
    ),
}
"""The layouts by name, the preferred ones first."""

_PREFERRED = ("capture", "n3v")


def read_recording(path: Path, layout: str | None = None) -> Recording:
    """What a capture states: ``path`` is its folder, or the file that describes it.

    Raises CaptureError when there are no poses or several layouts, ConfigError for an unknown ``layout``.
    """
    if layout is not None and layout not in LAYOUTS:
        raise ConfigError(f"layout {layout[:40]!r}, expected one of {', '.join(LAYOUTS)}")
    if not path.exists():
        raise CaptureError(f"{path}: does not exist, expected a capture: a folder of videos and poses")
    if not path.is_dir():
        return _read_file(path, layout)
    found = {name: place for name, known in LAYOUTS.items() if (place := known.find(path)) is not None}
    if layout is not None:
        if layout not in found:
            raise CaptureError(f"{path}: holds no {LAYOUTS[layout].shown}, as layout {layout} expects")
        return _read(layout, path, found[layout], [])
    if not found:
        raise CaptureError(no_poses(path))
    first = next(iter(found))
    if len(found) > 1 and first not in _PREFERRED:
        raise CaptureError(
            f"{path}: holds the layouts {', '.join(found)}, expected one; choose with --layout {first}"
        )
    return _read(first, path, found[first], [name for name in found if name != first])


def no_poses(folder: Path) -> str:
    """The message for a folder without poses."""
    sources = find_sources(folder) or find_sources_in_folders(folder, several=True)
    if not sources:
        expected = "; ".join(known.shown for known in LAYOUTS.values())
        return f"{folder}: holds neither videos nor poses, expected a capture ({expected})"
    return f"{folder}: {len(sources)} cameras and no poses: run dynerf calibrate {shlex.quote(str(folder))}"


def _read_file(path: Path, layout: str | None) -> Recording:
    for name, known in LAYOUTS.items():
        if layout in (None, name) and known.find(path.parent) == path:
            return _read(name, path.parent, path, [])
    if path.suffix.lower() == ".json" and layout in (None, "capture"):
        return _read("capture", path.parent, path, [])
    raise CaptureError(
        f"{path}: is a file, expected a folder, or a file that describes a capture like {capture_json.FILE}"
    )


def _read(name: str, folder: Path, path: Path, others: list[str]) -> Recording:
    recording = LAYOUTS[name].read(folder, path)
    if name == "n3v" and not others:
        return recording
    beside = f"; {', '.join(others)} in the same folder not used" if others else ""
    return replace(recording, notes=(f"read as {name} ({path.name}){beside}", *recording.notes))
