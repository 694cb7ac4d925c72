"""Reads Immersive Light Field Video (Broxton et al., 2020): ``models.json`` and ``camera_0001.mp4``, ...

https://github.com/augmentedperception/deepview_video_dataset. ``orientation`` is a rotation vector from world
to camera, ``position`` the centre; OpenCV's axes. The lens is an equidistant fisheye with two coefficients.
Cameras whose video is missing are left out, as in the data set. The README does not say where pixels are
counted from; the first pixel's centre is taken to be at (0.5, 0.5).
"""

from pathlib import Path

import numpy as np

from dynerf_encoder.captures.json_input import JsonRecord, read_json, record_of, shown
from dynerf_encoder.captures.lens import Lens, lens_of
from dynerf_encoder.captures.recording import RecordedCamera, Recording, check_count, checked_recording
from dynerf_format.errors import CaptureError

from .extra_keys import depths_of, rate_of
from .pose_conversion import from_centre
from .source_files import camera_name, find_sources, source_named

FILE = "models.json"


def read_immersive(path: Path) -> Recording:
    """The recording of a ``models.json``. Raises CaptureError."""
    models = read_json(path, "the cameras of an Immersive Video (models.json)")
    if not isinstance(models, list) or not models:
        raise CaptureError(f"{path}: found {shown(models)}, expected a list of cameras")
    check_count(len(models), path)
    records = [record_of(each, f"{path}: [{index}]") for index, each in enumerate(models)]
    present = set(find_sources(path.parent))
    missing = [name for record in records if camera_name(name := record.text("name")) not in present]
    kept = [record for record in records if record.text("name") not in missing] or records
    notes = (
        (f"{len(missing)} cameras of {path.name} have no video: {', '.join(missing[:6])}",) if missing else ()
    )
    return checked_recording(
        Recording(
            path,
            "immersive",
            tuple(_camera(record, path.parent) for record in kept),
            fps=rate_of(records[0]),
            notes=notes,
        )
    )


def _camera(record: JsonRecord, folder: Path) -> RecordedCamera:
    name = record.text("name")
    near, far = depths_of(record)
    return RecordedCamera(
        name=camera_name(name),
        source=source_named(folder, name, record.where),
        lens=_lens(record),
        camera_to_world=from_centre(
            record.array("orientation", (3,)), record.array("position", (3,)), record.where
        ),
        near=near,
        far=far,
    )


def _lens(record: JsonRecord) -> Lens:
    kind = record.text("projection_type", "fisheye")
    if kind not in ("fisheye", "perspective"):
        raise CaptureError(f"{record.where}: projection_type {kind[:40]!r}, expected fisheye or perspective")
    focal = record.number("focal_length")
    across, down = record.array("principal_point", (2,))
    k1, k2, k3 = np.append(record.array("radial_distortion", (2,), (3,)), 0.0)[:3]
    coefficients = {"k1": float(k1), "k2": float(k2), "k3": float(k3)}
    try:
        return lens_of(
            "OPENCV_FISHEYE" if kind == "fisheye" else "OPENCV",
            (record.size("width"), record.size("height")),
            (focal, focal * record.number("pixel_aspect_ratio", 1.0), float(across), float(down)),
            coefficients,
        )
    except CaptureError as error:
        raise CaptureError(f"{record.where}: {error}") from error
