"""Colour in and out: the one place where YCbCr of video files meets the RGB of the field.

Inside the codec a picture is RGB, uint8, height x width x 3, full range (0 is black, 255 is white) and
display-referred: the code values that a screen expects, never linear light. Coming in, the matrix and the
range that the video is tagged with are honoured; a video that states no matrix is taken as BT.709, one that
states no range as limited (16 to 235), which is what players do with HD material. Going out it is always
BT.709, limited range, and tagged so: untagged output would be read as BT.601 by some players and as BT.709
by others, 8 of 255 levels apart.

Only matrix and range are converted. Primaries and transfer curve are kept as they are, so wide-gamut SDR
comes out slightly muted, and HDR (PQ, HLG) is refused: its code values mean something else altogether.
"""

from dataclasses import dataclass

import numpy as np
from av import VideoFrame
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from jaxtyping import UInt8

from dynerf_format.errors import CaptureError

# Raise it whenever from_frame may return other numbers than before: stored pictures are then made anew.
CONVERSION_VERSION = 1

# Without full chroma and accurate rounding swscale's shortcuts are twice as far off (measured on a 4:2:0
# gradient: 7 levels instead of 4), and without BITEXACT the result depends on the machine's vector units.
_EXACT = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.BITEXACT
)
_THREADS = 2

# Values of H.273 (FFmpeg's AVColorSpace) that swscale knows how to invert.
_RGB, _BT709, _UNSPECIFIED = 0, 1, 2
_MATRICES = {_BT709, 4, 5, 6, 7, 9}  # BT.709, FCC, BT.601 (625), BT.601 (525), SMPTE 240M, BT.2020 NCL
_HDR_TRANSFERS = {int(ColorTrc.SMPTE2084): "PQ", int(ColorTrc.ARIB_STD_B67): "HLG"}


@dataclass(frozen=True)
class SourceColour:
    """How the samples of one video are read: H.273 matrix, range, and whether the matrix is our guess."""

    matrix: int
    full_range: bool
    assumed: bool

    @classmethod
    def of(cls, frame: VideoFrame, where: str) -> "SourceColour":
        """What the tags of a decoded frame say; ``where`` names the video in errors.

        Raises CaptureError for HDR transfers and for matrices that cannot be inverted.
        """
        hdr = _HDR_TRANSFERS.get(int(frame.color_trc))
        if hdr is not None:
            raise CaptureError(
                f"{where}: HDR video ({hdr} transfer), expected SDR; convert it to BT.709 first"
            )
        if frame.format.is_rgb:
            return cls(matrix=_RGB, full_range=True, assumed=False)
        # Old JPEG-range formats carry the range in their name instead of in a tag.
        full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
        if frame.colorspace == _UNSPECIFIED:
            return cls(matrix=_BT709, full_range=full, assumed=True)
        if frame.colorspace not in _MATRICES:
            raise CaptureError(
                f"{where}: colour matrix {frame.colorspace} (H.273), "
                "expected BT.709, BT.601, FCC, SMPTE 240M or BT.2020 non-constant luminance"
            )
        return cls(matrix=int(frame.colorspace), full_range=full, assumed=False)


class FrameToRgb:
    """Decoded frames to RGB pictures; keep one per video, it holds swscale's tables."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
        """The frame as full range RGB. Raises CaptureError as ``SourceColour.of`` does."""
        source = SourceColour.of(frame, self._where)
        rgb = self._scaler.reformat(
            frame,
            format="rgb24",
            src_colorspace=source.matrix,
            src_color_range=ColorRange.JPEG if source.full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=_EXACT,
            threads=_THREADS,
        )
        return np.ascontiguousarray(rgb.to_ndarray())


class RgbToFrame:
    """RGB pictures to BT.709 limited range frames for a video encoder; keep one per output."""

    def __init__(self, pixel_format: str = "yuv420p") -> None:
        self._pixel_format = pixel_format
        self._scaler = VideoReformatter()

    def __call__(self, rgb: UInt8[np.ndarray, "height width 3"]) -> VideoFrame:
        """The picture as a tagged frame without time stamps. yuv420p needs even sizes."""
        frame = self._scaler.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24"),
            format=self._pixel_format,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=_EXACT,
            threads=_THREADS,
        )
        frame.color_primaries = ColorPrimaries.BT709
        frame.color_trc = ColorTrc.BT709
        return frame


def tag_bt709(codec: VideoCodecContext) -> None:
    """Make an encoder write the four tags of what ``RgbToFrame`` produces."""
    codec.colorspace = _BT709
    codec.color_range = ColorRange.MPEG
    codec.color_primaries = ColorPrimaries.BT709
    codec.color_trc = ColorTrc.BT709


def is_tagged_bt709(codec: VideoCodecContext) -> bool:
    """Whether a video file states all four tags that ``tag_bt709`` sets."""
    return (
        codec.colorspace == _BT709
        and codec.color_range == ColorRange.MPEG
        and codec.color_primaries == ColorPrimaries.BT709
        and codec.color_trc == ColorTrc.BT709
    )
