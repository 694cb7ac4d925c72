"""Parses the user's VIEW, which says how the camera moves, and the size in pixels.

A view is a camera of the clip (``cam00`` or ``still:cam00``), ``spiral``, ``orbit``, or a camera path
exported by nerfstudio's viewer (``.json``). Input is not trusted; invalid input raises ViewError.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from dynerf_decoder.cameras.camera import Camera
from dynerf_format.errors import ViewError

from .nerfstudio import MAX_SIDE, CameraPath, read_camera_path

_SIZE = re.compile(r"([0-9]{1,5}) *[xX×] *([0-9]{1,5})")
_NAMES_SHOWN = 40


@dataclass(frozen=True)
class Still:
    """A fixed camera."""

    camera: Camera


@dataclass(frozen=True)
class RigPath:
    """A path derived from the clip's cameras; see ``plan_shots``."""

    kind: Literal["spiral", "orbit"]


View: TypeAlias = Still | RigPath | CameraPath
_RIG_PATHS = {"spiral": RigPath("spiral"), "orbit": RigPath("orbit")}


def parse_size(text: str) -> tuple[int, int]:
    """Width and height in pixels from ``WxH``. Raises ViewError unless both are from 1 to 8192."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ViewError(f"size {text!r}: expected WIDTHxHEIGHT in pixels, as 1280x720")
    return checked_size(int(match[1]), int(match[2]), "size")


def parse_view(text: str, cameras: Sequence[Camera]) -> View:
    """The view that a VIEW argument names; reads the file when it names one.

    ``still:NAME`` selects a camera that has the name of a path. Raises ViewError, listing the choices.
    """
    named = {camera.name: camera for camera in cameras}
    if text in _RIG_PATHS:
        return _RIG_PATHS[text]
    name = text.removeprefix("still:")
    if name in named:
        return Still(named[name])
    if text.lower().endswith(".json"):
        return read_camera_path(Path(text))
    shown = ", ".join(list(named)[:_NAMES_SHOWN])
    more = f" and {len(named) - _NAMES_SHOWN} more" if len(named) > _NAMES_SHOWN else ""
    raise ViewError(
        f"view {text!r}: there is no such view, expected a camera ({shown}{more}), "
        "spiral, orbit, or a camera path ending in .json"
    )


def default_size(view: View, cameras: Sequence[Camera]) -> tuple[int, int]:
    """Width and height when the user gives none: the view's own, else those of the first camera."""
    if isinstance(view, Still):
        return view.camera.width, view.camera.height
    width, height = cameras[0].width, cameras[0].height
    if not isinstance(view, CameraPath):
        return width, height
    if view.size is None and view.aspect is not None:
        return checked_size(max(1, round(height * view.aspect)), height, str(view.source))
    return view.size or (width, height)


def checked_size(width: int, height: int, where: str) -> tuple[int, int]:
    """Return the size. Raises ViewError, starting with ``where``, when it cannot be rendered."""
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise ViewError(f"{where}: {width}x{height} pixels, expected sides of 1 to {MAX_SIDE}")
    return width, height
