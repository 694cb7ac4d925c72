"""Chooses the resolution of moving pictures: as many pixels as arrive in time.

The limits are the measured rendering speed (pixels per second) and the round-trip time from sending a picture
to its acknowledgement. Scales are the steps of a ladder, because each change of size starts a new video
stream.
"""

from dataclasses import dataclass

_TARGET_SECONDS = 0.1  # seconds of rendering per moving picture
_SLOW_LINK, _FAST_LINK = 0.4, 0.15  # seconds of round trip: above, pictures shrink; below, they grow
_LADDER = (1.0, 0.75, 0.5, 0.375, 0.25, 0.1875, 0.125, 0.09375, 0.0625)
_MIN_SIDE = 16  # pixels
_MARGIN = 0.7  # of the target: hysteresis before a larger step is taken
_SMOOTHING = 0.7  # weight of the previous estimate of the speed
_INITIAL_SPEED = 100_000.0  # pixels per second


@dataclass
class AdaptiveResolution:
    """The resolution of one session's moving pictures."""

    speed: float = _INITIAL_SPEED
    _rung: int = len(_LADDER) - 1
    _link_rung: int = 0

    def rendered(self, pixels: int, seconds: float) -> None:
        """Update the speed: a picture of ``pixels`` took ``seconds`` to render."""
        measured = pixels / max(seconds, 1e-4)
        self.speed = _SMOOTHING * self.speed + (1 - _SMOOTHING) * measured

    def acknowledged(self, seconds: float) -> None:
        """Update the scale: a picture was acknowledged ``seconds`` after it was sent."""
        if seconds > _SLOW_LINK:
            self._link_rung = min(self._link_rung + 1, len(_LADDER) - 1)
        elif seconds < _FAST_LINK:
            self._link_rung = max(self._link_rung - 1, 0)

    def fits(self, width: int, height: int) -> bool:
        """Whether a picture of this size is rendered in time."""
        return self._seconds(width, height, 1.0) <= _TARGET_SECONDS

    def moving_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height to render while something moves: even, and at most ``full_size``."""
        rung = 0
        while rung < len(_LADDER) - 1:
            margin = _MARGIN if rung < self._rung else 1.0
            if self._seconds(width, height, _LADDER[rung]) <= _TARGET_SECONDS * margin:
                break
            rung += 1
        self._rung = rung
        scale = _LADDER[max(rung, self._link_rung)]
        return full_size(round(width * scale), round(height * scale))

    def _seconds(self, width: int, height: int, scale: float) -> float:
        return width * height * scale**2 / self.speed


def full_size(width: int, height: int) -> tuple[int, int]:
    """The size itself, made even, as H.264 in 4:2:0 needs it."""
    return max(width - width % 2, _MIN_SIDE), max(height - height % 2, _MIN_SIDE)
