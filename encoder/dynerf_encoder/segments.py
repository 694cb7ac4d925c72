"""Where a long clip is cut into segments, each with a model of its own. Pure arithmetic on frame numbers.

A last segment shorter than half the others is merged into the one before it; a longer one is kept. Each
segment is also trained on ``overlap`` frames of its neighbours, which are not written: the frames next to a
border then lie within what the model saw, not at its edge.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from dynerf_format.errors import ConfigError

_TEXT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(s|f)?")


@dataclass(frozen=True)
class SegmentLength:
    """How long a segment is: ``value`` seconds or frames."""

    value: Fraction
    unit: str

    @classmethod
    def parse(cls, text: str) -> "SegmentLength":
        """Read ``10s`` or ``120f``. Raises ConfigError on anything else."""
        match = _TEXT.fullmatch(text)
        if match is None or match[2] is None or (match[2] == "f" and "." in match[1]) or not float(match[1]):
            raise ConfigError(f"--segment {text[:40]}: expected seconds or frames above 0, as 10s or 120f")
        return cls(Fraction(match[1]), match[2])

    def frames(self, fps: Fraction) -> int:
        """The length in frames, rounded, at least 1."""
        return max(1, round(self.value * fps)) if self.unit == "s" else int(self.value)


@dataclass(frozen=True)
class Part:
    """A segment of a clip: the frames of the recording it shows, and those it is trained on."""

    number: int
    shown: range
    trained: range

    @property
    def overlap(self) -> tuple[int, int]:
        """How many frames at the start and at the end are trained on only."""
        return self.shown.start - self.trained.start, self.trained.stop - self.shown.stop


def plan_parts(frames: range, length: int, overlap: int) -> tuple[Part, ...]:
    """Cut the frames of a recording into segments of ``length`` frames."""
    starts = list(range(frames.start, frames.stop, length))
    if len(starts) > 1 and 2 * (frames.stop - starts[-1]) < length:
        starts.pop()
    parts = []
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], frames.stop], strict=True)):
        trained = range(max(frames.start, start - overlap), min(frames.stop, stop + overlap))
        parts.append(Part(number, range(start, stop), trained))
    return tuple(parts)
