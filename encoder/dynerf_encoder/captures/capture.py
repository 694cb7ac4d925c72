"""Defines a capture: synchronised videos of one scene, each with its camera.

Every reader (one per layout on disk) returns a ``Capture``. World units and axes are the capture's own;
cameras follow ``cameras.camera`` and have the size of the videos' pictures. All views share picture size,
frame rate and frame count: frame t of every view shows the same instant.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.video.colour import SourceColour
from dynerf_format.errors import CaptureError, ViewError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class CaptureView:
    """One camera of a capture: its video, its pose, and its near and far depths (world units).

    ``first`` is the frame of the video that is frame 0 of the capture.
    """

    name: str
    video: Path
    camera: Camera
    near: float
    far: float
    first: int = 0

    def in_video(self, frames: range) -> range:
        """The video's frame numbers of a range of the capture's frames."""
        return range(self.first + frames.start, self.first + frames.stop)

    def __post_init__(self) -> None:
        # Names become file names in the frame store.
        if _NAME.fullmatch(self.name) is None:
            raise CaptureError(
                f"{self.video}: view name {self.name!r}, expected letters, digits, dot, dash, underscore"
            )


@dataclass(frozen=True)
class Capture:
    """All views of a scene; ``colour[i]`` is the colour format of the samples of ``views[i]``.

    ``frames`` is the number of instants that all views show; ``notes`` lists what of the videos is not used.
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
