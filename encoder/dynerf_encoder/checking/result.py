"""What a check has found."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dynerf_encoder.calibration.verdict import Verdict
from dynerf_encoder.capture_faults.finding import Finding

from .points import PointFindings


@dataclass(frozen=True, eq=False)
class CheckResult:
    """All findings and the measurements per camera. ``points`` is None where matching was skipped.

    ``frames`` are those that were examined; ``late`` is in frames, None where it is not known; ``skipped``
    says what was not checked, and why.
    """

    capture: Path
    layout: str
    names: tuple[str, ...]
    frames: range
    findings: tuple[Finding, ...]
    verdict: Verdict
    points: PointFindings | None
    late: Mapping[str, int | None]
    sharpness: Mapping[str, float]
    skipped: tuple[str, ...]
