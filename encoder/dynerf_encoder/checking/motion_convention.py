"""The convention of poses without matched points: with right poses, motion agrees on epipolar planes.

What moves is seen by two cameras in the same planes through both centres at the same time
(``calibration.synchronisation.motion``). Of the readings of the poses that have a name, the one whose planes
correlate best is the true one, when it is clearly better. Cameras are taken to be in step.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import UInt8

from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.calibration.synchronisation.motion import motion_scores, view_of_pictures
from dynerf_encoder.capture_faults.finding import Finding
from dynerf_encoder.captures.lens import Lens

from .conventions import AXES, PoseReading, described, readings
from .matched_rays import RigPoses
from .quick.frame_offsets import LEAST_FRAMES

_MOST_FRAMES = 45
_LEAST_SCORE, _LEAST_GAIN = 0.2, 1.25  # mean correlation; over that of the poses as read
_REACH = 1  # frames: only the score of cameras in step counts


def convention_by_motion(
    names: Sequence[str],
    pictures: Mapping[str, UInt8[np.ndarray, "frame height width"]],
    lenses: Mapping[str, Lens],
    poses: RigPoses,
    layout: str,
) -> list[Finding]:
    """A finding when the poses are in another convention."""
    small = {name: pictures[name][:_MOST_FRAMES, ::2, ::2] for name in names}
    if len(names) < 3 or min(len(found) for found in small.values()) < LEAST_FRAMES:
        return []

    def score(reading: PoseReading) -> float:
        views = [
            view_of_pictures(
                small[name], lenses[name],
                Pose(reading.poses.rotations[index], reading.poses.centres[index]),
            )
            for index, name in enumerate(names)
        ]  # fmt: skip
        found = [pair.scores[pair.reach] for pair in motion_scores(views, _REACH)]
        return float(np.mean(found)) if found else 0.0

    known = [reading for reading in readings(poses, layout) if reading.axes in AXES]
    scores = [score(reading) for reading in known]
    best = int(np.argmax(scores))
    as_read = scores[next(index for index, reading in enumerate(known) if reading.as_read)]
    if known[best].as_read or scores[best] < max(_LEAST_SCORE, _LEAST_GAIN * as_read):
        return []
    message = (
        f"{described(known[best], layout)} (read so, motion of the cameras correlates by {scores[best]:.2f}, "
        f"as they are by {as_read:.2f})"
    )
    return [Finding("convention", (), message, "fatal")]
