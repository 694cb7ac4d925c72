"""The metrics of one camera as the table, JSON and the report show them."""

import math
from dataclasses import dataclass

from .result import CheckResult


@dataclass(frozen=True)
class CameraMetrics:
    """None for what was not measured. ``late`` is in frames; see the columns of ``dynerf check``."""

    points: int | None
    explained: float | None
    residual_px: float | None
    predicted_px: float | None
    late: int | None
    sharpness: float | None
    brightness: float | None

    @property
    def shown(self) -> tuple[str, ...]:
        """As text, in the order of the fields."""
        return (
            _text(self.points, "d"), _text(self.explained, ".0%"), _text(self.residual_px, ".2f"),
            _text(self.predicted_px, ".2f"), _text(self.late, "+d" if self.late else "d"),
            _text(self.sharpness, ".2f"), _text(self.brightness, ".2f"),
        )  # fmt: skip


def camera_metrics(result: CheckResult, name: str) -> CameraMetrics:
    """The metrics of a camera."""
    points = result.points
    late, sharp = result.late.get(name), _finite(result.sharpness.get(name))
    if points is None:
        return CameraMetrics(None, None, None, None, late, sharp, None)
    count, gain = points.geometry.counts.get(name), _finite(points.gains.get(name))
    if name in points.geometry.unchecked:  # these few say nothing about its pose
        return CameraMetrics(count, None, None, None, late, sharp, gain)
    return CameraMetrics(
        count, _finite(points.geometry.shares.get(name)), _finite(points.residuals.get(name)),
        _finite(points.predicted.get(name)), late, sharp, gain,
    )  # fmt: skip


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)


def _text(value: int | float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
