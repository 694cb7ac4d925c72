"""Chooses the pinhole cameras, all of one size, that a capture's pictures are converted to.

Every pixel of a camera without distortion is kept as it is; a distorted picture becomes that of a pinhole
camera with the lens's own focal length, which spans what the lens sees along the middle row and column, up to
``WIDEST`` degrees to each side: a pinhole picture of a fisheye lens grows without bound towards 90 degrees.
The pictures of all cameras are then placed into frames of the largest width and height among them. Pixels of
a frame that the camera's picture does not cover have no source.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.camera import Camera
from dynerf_format.errors import CaptureError

from .lens import Lens

WIDEST = 50.0  # degrees from the optical axis
MAX_PIXELS = 2**26


@dataclass(frozen=True)
class _Span:
    """How far a pinhole picture reaches from the principal point, in pixels; ``cut`` where more is seen."""

    left: float
    right: float
    up: float
    down: float
    cut: bool = False

    @property
    def width(self) -> int:
        return max(1, round(self.left + self.right))

    @property
    def height(self) -> int:
        return max(1, round(self.up + self.down))


def pinhole_cameras(
    names: Sequence[str], lenses: Sequence[Lens], poses: Sequence[Float[np.ndarray, "3 4"]]
) -> tuple[Camera, ...]:
    """The cameras of the converted pictures at full size, in the order of the lenses. Raises CaptureError."""
    spans = [_span(lens) for lens in lenses]
    width, height = max(span.width for span in spans), max(span.height for span in spans)
    if width * height > MAX_PIXELS:
        raise CaptureError(
            f"pictures that hold what all cameras see have {width}x{height} pixels, expected at most "
            f"{MAX_PIXELS}"
        )
    return tuple(
        Camera(
            name=name,
            width=width,
            height=height,
            focal_x=lens.focal_x,
            focal_y=lens.focal_y,
            centre_x=float(span.left + (width - span.width) // 2),
            centre_y=float(span.up + (height - span.height) // 2),
            camera_to_world=pose,
        )
        for name, lens, pose, span in zip(names, lenses, poses, spans, strict=True)
    )


def is_cut(lens: Lens) -> bool:
    """Whether the lens sees more than the converted picture holds."""
    return _span(lens).cut


def _span(lens: Lens) -> _Span:
    if lens.undistorted:
        x, y = lens.centre_x, lens.centre_y
        return _Span(x, lens.width - x, y, lens.height - y)
    edges = np.array(
        [
            [0.0, lens.centre_y],
            [lens.width, lens.centre_y],
            [lens.centre_x, 0.0],
            [lens.centre_x, lens.height],
        ]
    )
    x, y, z = lens.directions(edges).T
    angles = np.arctan2(np.array([-x[0], x[1], -y[2], y[3]]), z)
    widest = math.radians(WIDEST)
    left, right, up, down = np.tan(np.clip(angles, -widest, widest))
    return _Span(
        float(np.floor(left * lens.focal_x)),
        float(np.floor(right * lens.focal_x)),
        float(np.floor(up * lens.focal_y)),
        float(np.floor(down * lens.focal_y)),
        bool((angles > widest).any()),
    )
