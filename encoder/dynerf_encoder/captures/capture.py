"""A capture: synchronised videos of one scene, each with the camera that took it.

Every reader in this package (one per layout on disk) produces this and nothing else. World units and axes
are the capture's own; cameras follow ``cameras.camera`` and fit the videos' real picture size. All
views share picture size, frame rate and frame count: frame t of every view shows the same instant.
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
    """One camera of a capture: its video, its pose, and the depths (world units) between which it sees.

    ``first`` is the frame of the video that is frame 0 of the capture.
    """

    name: str
    video: Path
    camera: Camera
    near: float
    far: float
    first: int = 0

    def in_video(self, frames: range) -> range:
        """Where frames of the capture lie in the video."""
        return range(self.first + frames.start, self.first + frames.stop)

    def __post_init__(self) -> None:
        # Names become file names in the frame store.
        if _NAME.fullmatch(self.name) is None:
            raise CaptureError(
                f"{self.video}: view name {self.name!r}, expected letters, digits, dot, dash, underscore"
            )


@dataclass(frozen=True)
class Capture:
    """All views of a scene; ``colour[i]`` is how the samples of ``views[i]`` are read.

    ``frames`` are the instants that all views show; ``notes`` says what of the videos was not used.
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
        """The view called ``name``; ViewError, listing those that exist, when there is none."""
        for view in self.views:
            if view.name == name:
                return view
        raise ViewError(f"{self.root}: no view {name!r}, there are {', '.join(self.names)}")

    def only(self, names: Collection[str]) -> "Capture":
        """The same capture with some of its views, in their order; ViewError when one does not exist."""
        for name in names:
            self.view(name)
        kept = [index for index, view in enumerate(self.views) if view.name in names]
        return replace(
            self,
            views=tuple(self.views[index] for index in kept),
            colour=tuple(self.colour[index] for index in kept),
        )
