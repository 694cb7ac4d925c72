"""Writes the report of a check: one offline HTML page without scripts.

The rig as stated from two sides, a table of cameras, pairs as a matrix, and two pictures with epipolar lines:
those of the first camera with a wrong pose, or of the best pair.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from dynerf_encoder.calibration.colmap.problem import Solution
from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.calibration.report_parts import epipolar_pictures, pair_matrix, write_page
from dynerf_encoder.calibration.rig_drawing import draw_rig
from dynerf_encoder.calibration.stills import StillFiles
from dynerf_encoder.capture_faults.finding import cameras_of

from .camera_metrics import camera_metrics
from .result import CheckResult

_TEMPLATE = Path(__file__).with_name("check_report.html.j2")
_LEAST_UP = 0.1  # length of the mean of unit vectors that have a direction in common


def write_report(result: CheckResult, stills: Mapping[str, StillFiles], path: Path) -> None:
    """Write the page. Raises OutputError."""
    faulty = cameras_of([finding for finding in result.findings if finding.severity != "note"])
    contents: dict[str, object] = {
        "title": result.capture.absolute().name,
        "verdict": result.verdict,
        "layout": result.layout,
        "frames": result.frames,
        "findings": result.findings,
        "skipped": result.skipped,
        "rows": [(name, camera_metrics(result, name).shown) for name in result.names],
        "faulty": faulty,
        "drawings": [],
        "names": (),
        "matrix": [],
        "pictures": [],
    }
    if result.points is not None:
        rig, matches = result.points.rig, result.points.matches
        wrong = next((name for name in faulty if name in rig.names), None)
        contents |= {
            "drawings": draw_rig(_upright(rig), set(faulty)),
            "names": rig.names,
            "matrix": pair_matrix(rig, matches),
            "pictures": epipolar_pictures(rig, matches, stills, wrong),
        }
    write_page(_TEMPLATE, contents, path)


def _upright(rig: Solution) -> Solution:
    """The rig in a world whose y axis is the cameras' mean up, as drawings expect."""
    up = -np.mean([pose.rotation[1] for pose in rig.poses], axis=0)
    length = float(np.linalg.norm(up))
    if length < _LEAST_UP:
        return rig
    up /= length
    back = -np.mean([pose.rotation[2] for pose in rig.poses], axis=0)
    sideways = np.cross(up, back if np.linalg.norm(np.cross(up, back)) > _LEAST_UP else np.roll(up, 1))
    sideways /= np.linalg.norm(sideways)
    turn = np.stack([sideways, up, np.cross(sideways, up)])
    poses = tuple(Pose(pose.rotation @ turn.T, turn @ pose.centre) for pose in rig.poses)
    return replace(rig, poses=poses, points=rig.points @ turn.T)
