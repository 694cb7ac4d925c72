"""The contents of a clip's header as frozen dataclasses. They are plain data; ``header.py`` has the rules.

Lengths are in world units (metres where the capture is metric), picture sizes and intrinsics in pixels,
frames are counted from 0 at the start of the clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from dynerf_format.errors import ViewError

Role: TypeAlias = Literal["training", "held_out"]
SpaceKind: TypeAlias = Literal["perspective", "box"]
Scalar: TypeAlias = int | float | str | bool


@dataclass(frozen=True)
class CameraRecord:
    """A pinhole camera of the capture.

    ``camera_to_world`` is the 3x4 matrix [R | o], row by row. Camera axes are OpenGL's: x right, y up, z
    backwards. The centre of the upper left pixel is at (0.5, 0.5). "held_out" cameras were not trained on.
    """

    name: str
    width: int
    height: int
    focal_x: float
    focal_y: float
    centre_x: float
    centre_y: float
    camera_to_world: tuple[float, ...]
    role: Role


@dataclass(frozen=True)
class SpaceRecord:
    """The scene bounds: ``matrix``, 4x4 row by row, maps homogeneous world points to the cube [-1, 1]^3.

    The result is divided by its fourth component. ``near`` is the distance from a camera, in world units,
    before which nothing is rendered.
    """

    kind: SpaceKind
    matrix: tuple[float, ...]
    near: float


@dataclass(frozen=True)
class FieldRecord:
    """The kind of field that the weights belong to, and its settings, which the decoder interprets."""

    kind: str
    settings: dict[str, int | float | str | bool | list[Any]]


@dataclass(frozen=True)
class SegmentRecord:
    """Frames that share one set of weights: ``frames`` of them from ``first_frame`` on."""

    first_frame: int
    frames: int


@dataclass(frozen=True)
class Header:
    """Everything needed before the first picture, and how the file was made.

    ``first_source_frame`` is the frame of the recordings that became frame 0. ``colour`` describes the
    decoded RGB. ``config`` is the encoder's effective configuration, ``quality`` what it measured.
    ``viewing_volume`` holds points (x, y, z) whose convex hull bounds the intended viewpoints; it is empty
    when the file declares none.
    """

    generator: str
    fps_numerator: int
    fps_denominator: int
    frames: int
    first_source_frame: int
    cameras: tuple[CameraRecord, ...]
    space: SpaceRecord
    field: FieldRecord
    sampling: dict[str, Scalar]
    segments: tuple[SegmentRecord, ...]
    colour: dict[str, str]
    config: dict[str, Any]
    quality: dict[str, Scalar]
    viewing_volume: tuple[tuple[float, ...], ...] = ()

    @property
    def fps(self) -> Fraction:
        """Frames per second, exact."""
        return Fraction(self.fps_numerator, self.fps_denominator)

    def segment_at(self, frame: int) -> int:
        """The number of the segment that holds a frame; ViewError when the clip has no such frame."""
        for number, segment in enumerate(self.segments):
            if segment.first_frame <= frame < segment.first_frame + segment.frames:
                return number
        raise ViewError(f"frame {frame} requested, the clip has 0 to {self.frames - 1}")

    def moment(self, frame: float) -> tuple[int, float]:
        """The frame at or before a fractional frame number, and the weight of the next frame's latents.

        Between the last frame of a segment and the first of the next the nearer one is used: latents of
        different models cannot be interpolated. ViewError outside the clip.
        """
        if not 0 <= frame <= self.frames - 1:
            raise ViewError(f"frame {frame:g} requested, the clip has frames 0 to {self.frames - 1}")
        frame_before = int(frame)
        weight = frame - frame_before
        if weight > 0 and self.segment_at(frame_before) != self.segment_at(frame_before + 1):
            return round(frame), 0.0
        return frame_before, weight
