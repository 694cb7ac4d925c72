"""Reads the CMU Panoptic data set: ``calibration_SEQUENCE.json``, and ``hdVideos/hd_00_NN.mp4``.

``R`` and ``t`` map world to camera space, OpenCV's axes, in centimetres; world y points down. Distortion is
OpenCV's k1 k2 p1 p2 k3 (formulas of the toolbox's panutils.py; the field names are those of its files).
Cameras of type ``hd`` whose pictures exist are read; of other types only when there are no such cameras.
"""

from pathlib import Path

import numpy as np

from dynerf_encoder.captures.json_input import JsonRecord, read_record
from dynerf_encoder.captures.lens import Lens, lens_of
from dynerf_encoder.captures.recording import RecordedCamera, Recording, check_count, checked_recording
from dynerf_format.errors import CaptureError

from .extra_keys import depths_of, rate_of
from .pose_conversion import from_world_to_camera, intrinsics_of_matrix
from .source_files import camera_name, find_sources

PATTERN = "calibration*.json"
_FOLDERS = {"hd": ("hdVideos", "hdImgs"), "vga": ("vgaVideos", "vgaImgs")}
_PIXEL = 0.5  # OpenCV's calibration counts pixels from the centre of the first one


def read_panoptic(path: Path) -> Recording:
    """The recording of a calibration file. Raises CaptureError."""
    record = read_record(path, "a calibration of CMU Panoptic")
    records = record.records("cameras")
    check_count(len(records), path)
    cameras = [(each, source) for each in records if (source := _source(each, path.parent)) is not None]
    best = [pair for pair in cameras if pair[0].text("type", "hd") == "hd"] or cameras
    if not best:
        raise CaptureError(
            f"{path}: no camera has a video, expected hdVideos/hd_00_00.mp4 beside the calibration"
        )
    return checked_recording(
        Recording(
            path,
            "panoptic",
            tuple(_camera(each, source) for each, source in best),
            fps=rate_of(record),
            unit="centimetre",
        )
    )


def _source(record: JsonRecord, folder: Path) -> Path | None:
    """The camera's video or folder of pictures; None when it is not there."""
    kind, name = record.text("type", "hd"), record.text("name")
    for place in _FOLDERS.get(kind, ()):
        found = find_sources(folder / place)
        for candidate in (f"{kind}_{name}", name):
            if camera_name(candidate) in found:
                return found[camera_name(candidate)]
    return None


def _camera(record: JsonRecord, source: Path) -> RecordedCamera:
    translation = np.asarray(record.array("t", (3,), (3, 1))).ravel()
    near, far = depths_of(record)
    return RecordedCamera(
        name=camera_name(record.text("name")),
        source=source,
        lens=_lens(record),
        camera_to_world=from_world_to_camera(record.array("R", (3, 3)), translation, record.where),
        near=near,
        far=far,
    )


def _lens(record: JsonRecord) -> Lens:
    width, height = record.array("resolution", (2,))
    k1, k2, p1, p2, k3 = np.append(record.array("distCoef", (4,), (5,)), 0.0)[:5]
    intrinsics = intrinsics_of_matrix(record.array("K", (3, 3)), _PIXEL, record.where)
    try:
        return lens_of(
            "OPENCV",
            (int(width), int(height)),
            intrinsics,
            {"k1": k1, "k2": k2, "p1": p1, "p2": p2, "k3": k3},
        )
    except CaptureError as error:
        raise CaptureError(f"{record.where}: {error}") from error
