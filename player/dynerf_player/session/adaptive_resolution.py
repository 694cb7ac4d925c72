"""How many pixels a viewer gets while something moves: as many as arrive in time.

Two things limit them: how fast pictures are rendered (pixels per second, measured) and how long they take to
the viewer's screen and back (acknowledgements). Sizes are steps of a ladder, not any number, because each
change of size begins a new video stream.
"""

from dataclasses import dataclass

_TARGET = 0.1  # seconds of rendering per moving picture
_SLOW_LINK, _FAST_LINK = 0.4, 0.15  # seconds to the screen and back at which pictures shrink, or grow again
_LADDER = (1.0, 0.75, 0.5, 0.375, 0.25, 0.1875, 0.125, 0.09375, 0.0625)
_LEAST_SIDE = 16  # pixels
_ROOM = 0.7  # of the target: a larger step is taken only when it surely fits
_MEMORY = 0.7  # of the measured speed that is kept at each new measurement
_FIRST_GUESS = 100_000.0  # pixels per second


@dataclass
class AdaptiveResolution:
    """The pace of one session."""

    speed: float = _FIRST_GUESS
    _rung: int = len(_LADDER) - 1
    _link_rung: int = 0

    def rendered(self, pixels: int, seconds: float) -> None:
        """A picture of so many pixels took so long."""
        measured = pixels / max(seconds, 1e-4)
        self.speed = _MEMORY * self.speed + (1 - _MEMORY) * measured

    def acknowledged(self, seconds: float) -> None:
        """A picture was on the screen so long after it was sent."""
        if seconds > _SLOW_LINK:
            self._link_rung = min(self._link_rung + 1, len(_LADDER) - 1)
        elif seconds < _FAST_LINK:
            self._link_rung = max(self._link_rung - 1, 0)

    def fits(self, width: int, height: int) -> bool:
        """Whether a picture is rendered in time as it is."""
        return self._seconds(width, height, 1.0) <= _TARGET

    def moving_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height to render while something moves: even, and at most ``full_size``."""
        rung = 0
        while rung < len(_LADDER) - 1:
            room = _ROOM if rung < self._rung else 1.0
            if self._seconds(width, height, _LADDER[rung]) <= _TARGET * room:
                break
            rung += 1
        self._rung = rung
        scale = _LADDER[max(rung, self._link_rung)]
        return full_size(round(width * scale), round(height * scale))

    def _seconds(self, width: int, height: int, scale: float) -> float:
        return width * height * scale**2 / self.speed


def full_size(width: int, height: int) -> tuple[int, int]:
    """The size itself, made even, as H.264 in 4:2:0 needs it."""
    return max(width - width % 2, _LEAST_SIDE), max(height - height % 2, _LEAST_SIDE)
