"""Cameras that are out of step: what moves is seen by all cameras on the same epipolar planes at one time.

Needs right poses, so cameras with a known fault are to be left out. Where nothing moves, or views have too
little in common, nothing is reported.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8

from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.calibration.synchronisation.motion import motion_scores, view_of_pictures
from dynerf_encoder.calibration.synchronisation.offsets import joint_offsets
from dynerf_encoder.capture_faults.finding import Finding
from dynerf_encoder.captures.lens import Lens

LEAST_FRAMES = 24
_LEAST_CLEAR = 0.5  # share of the cameras: fewer show that poses or motion do not suffice
_LEAST_LATE = 0.75  # frames: offsets are found to about 0.3 of a frame
_LEAST_SAME = 0.5  # share of the clear cameras that are in step


def frame_offsets(
    pictures: Mapping[str, UInt8[np.ndarray, "frame height width"]],
    lenses: Mapping[str, Lens],
    poses: Mapping[str, Pose],
) -> dict[str, int | None]:
    """By how many frames each camera is late against the median of all; None where it is not clear."""
    names = list(pictures)
    if len(names) < 2 or min(len(found) for found in pictures.values()) < LEAST_FRAMES:
        return dict.fromkeys(names)
    views = [view_of_pictures(pictures[name], lenses[name], poses[name]) for name in names]
    joint = joint_offsets(len(names), motion_scores(views))
    clear = joint.clear
    if sum(clear) < max(2, _LEAST_CLEAR * len(names)):
        return dict.fromkeys(names)
    offsets = np.array(joint.whole) + np.array(joint.fractions)
    late = offsets - np.median(offsets[list(clear)])
    return {
        name: (round(frames) if abs(frames) >= _LEAST_LATE else 0) if known else None
        for name, frames, known in zip(names, late.tolist(), clear, strict=True)
    }


def offset_findings(found: Mapping[str, int | None]) -> list[Finding]:
    """One finding per camera out of step, or one for all when most are."""
    late = {name: frames for name, frames in found.items() if frames is not None}
    wrong = {name: frames for name, frames in late.items() if frames}
    if len(late) - len(wrong) < _LEAST_SAME * len(late):
        shown = ", ".join(f"{name} {frames:+d}" for name, frames in list(late.items())[:8])
        return [
            Finding(
                "out of step", tuple(wrong),
                f"the cameras are not synchronised ({shown} frames): dynerf calibrate finds their offsets",
            )
        ]  # fmt: skip
    return [
        Finding(
            "out of step", (name,),
            f"{name}: is {abs(frames)} frame{'s' * (abs(frames) != 1)} {'late' if frames > 0 else 'early'} "
            "against the others",
        )
        for name, frames in wrong.items()
    ]  # fmt: skip
