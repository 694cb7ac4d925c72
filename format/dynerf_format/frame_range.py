"""A half-open range A:B of frame numbers, counted from 0."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import CaptureError, ConfigError

_TEXT = re.compile(r" *([0-9]{0,9}) *: *([0-9]{0,9}) *")


@dataclass(frozen=True)
class FrameRange:
    """Frames ``first`` (included) to ``stop`` (excluded); a ``stop`` of None is the end of the clip.

    Raises ConfigError when the range is empty or starts before frame 0.
    """

    first: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        if self.first < 0:
            raise ConfigError(f"frames {self}: starts before frame 0")
        if self.stop is not None and self.stop <= self.first:
            raise ConfigError(f"frames {self}: empty, expected A:B with A smaller than B")

    def __str__(self) -> str:
        return f"{self.first}:{'' if self.stop is None else self.stop}"

    @classmethod
    def parse(cls, text: str) -> FrameRange:
        """Parse ``A:B``, ``A:``, ``:B`` or ``:``. Raises ConfigError on anything else."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ConfigError(
                f"frames {text[:40]!r}: expected A:B, two frame numbers, either of which may be omitted"
            )
        first, stop = match.groups()
        return cls(int(first or 0), int(stop) if stop else None)

    def within(self, total: int, where: str) -> range:
        """The frame numbers in a clip of ``total`` frames; ``where`` names the clip in the error.

        Raises CaptureError when the clip does not have all of them.
        """
        stop = total if self.stop is None else self.stop
        if not self.first < stop <= total:
            raise CaptureError(f"{where}: frames {self} requested, the clip has frames 0:{total}")
        return range(self.first, stop)
