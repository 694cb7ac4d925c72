"""A trajectory: the motion of a camera while a clip plays, independent of the output rate."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, runtime_checkable

from dynerf_decoder.cameras.camera import Camera, Cameras

from .render_plan import Shot, plan_shots
from .timing import plan_timing
from .view import Still, View


@runtime_checkable
class Content(Protocol):
    """The properties of a clip that a trajectory needs."""

    @property
    def cameras(self) -> Cameras:
        """The cameras of the capture."""

    @property
    def frames(self) -> int:
        """Number of frames."""

    @property
    def fps(self) -> Fraction:
        """Frames per second."""


@dataclass(frozen=True)
class Trajectory:
    """A view of a clip with its timing; iterating yields the shots at its own rate.

    Without ``frame_range`` (a, b) or ``seconds`` (start, stop) the whole clip is shown. ``speed`` is relative
    to the clip's own; ``freeze`` stops the content at a second. ``size`` is width and height in pixels.
    """

    content: Content
    view: View
    frame_range: tuple[int, int] | None = None
    seconds: tuple[float, float] | None = None
    speed: float = 1.0
    freeze: float | None = None
    size: tuple[int, int] | None = None

    @classmethod
    def still(cls, content: Content, camera: Camera) -> "Trajectory":
        """The whole clip, seen by a fixed camera."""
        return cls(content, Still(camera))

    def shots(self, fps: Fraction | None = None) -> tuple[list[Shot], Fraction]:
        """The shots at a rate, by default the trajectory's own, and that rate. Raises ViewError."""
        timing = plan_timing(
            self.content.frames,
            self.content.fps,
            frame_range=self.frame_range,
            seconds=self.seconds,
            speed=self.speed,
            freeze=self.freeze,
            out_fps=fps,
            view=self.view,
        )
        return plan_shots(self.view, self.content.cameras, timing=timing, size=self.size), timing.fps

    def __iter__(self) -> Iterator[Shot]:
        return iter(self.shots()[0])
