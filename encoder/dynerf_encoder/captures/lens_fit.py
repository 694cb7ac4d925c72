"""Fits a lens that was calibrated on pictures of one size to pictures of another.

Pictures are scaled, or a few rows or columns are cut off by a codec or a camera's video mode. Which of the
two follows from the ratio of the sides alone; what is assumed is reported.
"""

from dataclasses import replace

from dynerf_format.errors import CaptureError

from .lens import Lens

_MAX_ROUNDING = 1.0  # pixels: sides of scaled pictures are whole numbers
_MAX_CROP = 0.05  # of a side
_MAX_STRETCH = 1e-2  # relative difference of the aspect ratios


def fit_lens(lens: Lens, width: int, height: int, name: str) -> tuple[Lens, str | None]:
    """The lens of pictures of ``width`` x ``height``, and what was assumed about them, if anything.

    ``name`` is the camera's, for errors.

    Raises CaptureError when the pictures are neither scaled nor slightly cropped ones of the lens's size.
    """
    if (width, height) == (lens.width, lens.height):
        return lens, None
    across, down = width / lens.width, height / lens.height
    rounding = min(abs(width - lens.width * down), abs(height - lens.height * across))
    if rounding <= _MAX_ROUNDING:
        return _scaled(lens, width, height), None
    cut = lens.width - width, lens.height - height
    if 0 in cut and 0 < max(cut) <= _MAX_CROP * max(lens.width, lens.height):
        return _cropped(lens, width, height), (
            f"{width}x{height}, calibrated as {lens.width}x{lens.height}: taken as cropped equally "
            f"at both {'sides' if cut[0] else 'ends'}, by {max(cut) / 2:g} pixels each"
        )
    if abs(across / down - 1) <= _MAX_STRETCH:
        return _scaled(lens, width, height), (
            f"{width}x{height}, calibrated as {lens.width}x{lens.height}: taken as stretched by "
            f"{abs(across / down - 1):.1%}"
        )
    swapped = abs(width / height - lens.height / lens.width) <= _MAX_STRETCH
    cause = "; width and height are swapped, or the calibration is of pictures before they are turned"
    raise CaptureError(
        f"{name}: the video is {width}x{height}, the pose was made for {lens.width}x{lens.height}, expected "
        f"the same aspect ratio{cause if swapped else ''}"
    )


def _scaled(lens: Lens, width: int, height: int) -> Lens:
    across, down = width / lens.width, height / lens.height
    return replace(
        lens,
        width=width,
        height=height,
        focal_x=lens.focal_x * across,
        focal_y=lens.focal_y * down,
        centre_x=lens.centre_x * across,
        centre_y=lens.centre_y * down,
    )


def _cropped(lens: Lens, width: int, height: int) -> Lens:
    return replace(
        lens,
        width=width,
        height=height,
        centre_x=lens.centre_x - (lens.width - width) / 2,
        centre_y=lens.centre_y - (lens.height - height) / 2,
    )
