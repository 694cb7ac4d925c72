"""What the user states about a capture in place of its layout."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Reading:
    """How to read a capture; None: as found.

    ``layout`` is the name of one of the layouts (``layouts.detect``); ``depths`` are near and far of all
    cameras in world units; ``fps`` is the rate of picture sequences.
    """

    layout: str | None = None
    depths: tuple[float, float] | None = None
    fps: Fraction | None = None


READ_AS_FOUND = Reading()
