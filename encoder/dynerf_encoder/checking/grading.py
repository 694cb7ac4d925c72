"""The verdict on a capture from what was found."""

from collections.abc import Sequence

from dynerf_encoder.calibration.verdict import Grade, Verdict
from dynerf_encoder.capture_faults.finding import Finding

_LEAST_CAMERAS = 3
_LEAST_SHARE = 0.6  # of the cameras, that nothing is wrong with
_HARMLESS = ("exposure", "blurred", "hole", "out of step", "no matches")  # such cameras add to a training


def verdict_of(cameras: Sequence[str], findings: Sequence[Finding]) -> Verdict:
    """The verdict on a capture with these cameras."""
    fatal = [finding.message for finding in findings if finding.severity == "fatal"]
    warnings = [finding for finding in findings if finding.severity == "warning"]
    faulty = {name for finding in warnings if finding.kind not in _HARMLESS for name in finding.cameras}
    left = len(cameras) - len(faulty)
    if not fatal and faulty and left < max(_LEAST_CAMERAS, _LEAST_SHARE * len(cameras)):
        fatal.append(f"only {left} of {len(cameras)} cameras are without a fault")
    grade: Grade = "not usable" if fatal else "usable" if warnings else "good"
    return Verdict(grade, tuple(fatal + [finding.message for finding in warnings]))
