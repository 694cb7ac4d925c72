"""Cut a long clip into segments, each with its own model. Pure arithmetic on frame numbers.

A last segment shorter than half the others is merged into the one before it; a longer one is kept. Each
segment is also trained on ``overlap`` frames of its neighbours, which are not written: the frames next to a
border are then inside the range of frames that the model was trained on.
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class SegmentLength:
    """How long a segment is: ``value`` seconds (``unit`` "s") or frames ("f")."""

    value: Fraction
    unit: str

    def frames(self, fps: Fraction) -> int:
        """The length in frames, rounded, at least 1."""
        return max(1, round(self.value * fps)) if self.unit == "s" else int(self.value)


@dataclass(frozen=True)
class PlannedSegment:
    """A segment of a clip: the frames of the recording that it shows, and those that it is trained on."""

    number: int
    shown: range
    trained: range

    @property
    def overlap(self) -> tuple[int, int]:
        """How many frames at the start and at the end are only trained on."""
        return self.shown.start - self.trained.start, self.trained.stop - self.shown.stop


def plan_segments(frames: range, length: int, overlap: int) -> tuple[PlannedSegment, ...]:
    """Cut the frames of a recording into segments of ``length`` frames."""
    starts = list(range(frames.start, frames.stop, length))
    if len(starts) > 1 and 2 * (frames.stop - starts[-1]) < length:
        starts.pop()
    segments = []
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], frames.stop], strict=True)):
        trained = range(max(frames.start, start - overlap), min(frames.stop, stop + overlap))
        segments.append(PlannedSegment(number, range(start, stop), trained))
    return tuple(segments)
