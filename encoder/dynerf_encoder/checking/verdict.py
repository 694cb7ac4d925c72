"""The verdict on a capture: one of three grades, with its reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .signs.findings import Finding

Grade = Literal["good", "usable", "not usable"]

_LEAST_CAMERAS = 3
_LEAST_SHARE = 0.6  # of the cameras, that nothing is wrong with
_HARMLESS = ("exposure", "blurred", "hole", "out of step")  # a camera with these still tells something


@dataclass(frozen=True)
class Verdict:
    """The grade, and the reasons for it, the most important first."""

    grade: Grade
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return self.grade + (f", because {'; '.join(self.reasons)}" if self.reasons else "")


def verdict(cameras: Sequence[str], findings: Sequence[Finding]) -> Verdict:
    """The verdict on a capture with these cameras."""
    fatal = [finding.message for finding in findings if finding.severity == "fatal"]
    warnings = [finding for finding in findings if finding.severity == "warning"]
    faulty = {name for finding in warnings if finding.kind not in _HARMLESS for name in finding.cameras}
    left = len(cameras) - len(faulty)
    if not fatal and faulty and left < max(_LEAST_CAMERAS, _LEAST_SHARE * len(cameras)):
        fatal.append(f"only {left} of {len(cameras)} cameras are without a fault")
    grade: Grade = "not usable" if fatal else "usable" if warnings else "good"
    return Verdict(grade, tuple(fatal + [finding.message for finding in warnings]))
