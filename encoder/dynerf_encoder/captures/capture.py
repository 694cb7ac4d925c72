"""Defines a capture: synchronised videos of one scene, each with its camera.

``opening`` makes one from what a layout states. World units and axes are the capture's own. ``camera`` is the
pinhole camera of the pictures that training sees, after ``ingest`` has undistorted them and made them one
size; ``lens`` is that of the pictures as decoded. All views share picture size, frame rate and frame count:
frame t of every view shows the same instant.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.video.colour import SourceColour
from dynerf_format.errors import ViewError

from .lens import Lens
from .picture_source import PictureSource


@dataclass(frozen=True)
class CaptureView:
    """One camera of a capture: its pictures, its lens and pose, and its near and far depths (world units).

    ``first`` is the frame of the source that is frame 0 of the capture; its instant is shown ``lag`` frames
    after that one, where offsets are known to a fraction of a frame.
    """

    name: str
    source: PictureSource
    lens: Lens
    camera: Camera
    near: float
    far: float
    first: int = 0
    lag: Fraction = Fraction(0)

    @property
    def video(self) -> Path:
        """The path of the video, or of the folder or pattern of pictures."""
        return self.source.path

    def in_video(self, frames: range) -> range:
        """The source's frame numbers of a range of the capture's frames."""
        return range(self.first + frames.start, self.first + frames.stop)

    def decode(self, frames: range) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Yield upright RGB pictures of a range of the capture's frames, with the lens's distortion."""
        return self.source.decode(self.in_video(frames))


@dataclass(frozen=True)
class Capture:
    """All views of a scene; ``colour[i]`` is the colour format of the samples of ``views[i]``.

    ``frames`` is the number of instants that all views show; ``notes`` lists what was assumed and what of the
    videos is not used.
    """

    root: Path
    views: tuple[CaptureView, ...]
    fps: Fraction
    frames: int
    colour: tuple[SourceColour, ...]
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The views' names, in order."""
        return tuple(view.name for view in self.views)

    @property
    def untagged(self) -> tuple[str, ...]:
        """Names of the views whose video states no colour matrix, so that BT.709 was assumed."""
        return tuple(
            view.name for view, colour in zip(self.views, self.colour, strict=True) if colour.assumed
        )

    def view(self, name: str) -> CaptureView:
        """The view called ``name``. Raises ViewError, listing the existing ones, when there is none."""
        for view in self.views:
            if view.name == name:
                return view
        raise ViewError(f"{self.root}: no view {name!r}, there are {', '.join(self.names)}")

    def only(self, names: Collection[str]) -> "Capture":
        """The same capture with some of its views, in their order. Raises ViewError when one is missing."""
        for name in names:
            self.view(name)
        chosen = [index for index, view in enumerate(self.views) if view.name in names]
        return replace(
            self,
            views=tuple(self.views[index] for index in chosen),
            colour=tuple(self.colour[index] for index in chosen),
        )
