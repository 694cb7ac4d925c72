"""How much is measured: sizes, repetitions, steps."""

from dataclasses import dataclass

Size = tuple[int, int]  # width and height in pixels
PATIENCE = 120.0  # seconds after which no further repetition is begun, even when one is too few


@dataclass(frozen=True)
class Effort:
    """Picture ``sizes`` for decoding and the one for its ``stage_size``; how often each thing is repeated.

    A picture is rendered at least ``least`` times, then until ``seconds`` have passed or ``most`` are done.
    Training takes ``warm_steps`` that are not timed, then ``steps``.
    """

    sizes: tuple[Size, ...]
    stage_size: Size
    least: int
    most: int
    seconds: float
    warm_steps: int
    steps: int

    def enough(self, done: int, seconds: float) -> bool:
        """Whether ``done`` repetitions that took so many seconds are enough."""
        return done >= self.most or seconds >= (PATIENCE if done < self.least else self.seconds)


FULL = Effort(((256, 192), (640, 360), (1352, 1014)), (640, 360), 3, 30, 5.0, 3, 20)
QUICK = Effort(((256, 192),), (256, 192), 2, 2, 0.0, 1, 3)


def name_of(size: Size) -> str:
    """``256x192``."""
    return f"{size[0]}x{size[1]}"
