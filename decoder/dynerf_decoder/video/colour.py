"""Converts between the YCbCr of video files and the RGB of the field, for input and output.

Inside the codec a picture is RGB, uint8, height x width x 3, full range (0 is black, 255 is white) and
display-referred: the code values that a screen expects, never linear light. On input, the matrix and range in
the video's tags are used. A video without a matrix is read as BT.709, one without a range as limited (16 to
235), as players do with HD material. RGB without a range is full range, and so is grey unless its codec's
standard says limited. Output is always BT.709, limited range, and tagged: some players would read untagged
output as BT.601 and others as BT.709, 8 of 255 levels apart.

Only matrix and range are converted. Primaries and transfer curve are kept, so wide-gamut SDR looks slightly
muted. HDR (PQ, HLG), linear and logarithmic light, whose code values have another meaning, and pixel formats
without a definite meaning are refused. Transparency is dropped.
"""

import functools
from dataclasses import dataclass

import numpy as np
from av import VideoFormat, VideoFrame
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

# Increment when FrameToRgb may return other values than before: stored pictures are then decoded again.
CONVERSION_VERSION = 2

# Without full chroma and accurate rounding swscale's errors double (on a 4:2:0 gradient: 7 levels instead of
# 4); without BITEXACT the result depends on the machine's vector units.
_EXACT = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.BITEXACT
)
_THREADS = 2

# Values of H.273 (FFmpeg's AVColorSpace) that swscale can invert.
_RGB, _BT709, _UNSPECIFIED = 0, 1, 2
_MATRICES = {_BT709, 4, 5, 6, 7, 9}  # BT.709, FCC, BT.601 (625), BT.601 (525), SMPTE 240M, BT.2020 NCL
_UNSUPPORTED_TRANSFERS = {
    int(ColorTrc.SMPTE2084): "HDR video (PQ transfer)",
    int(ColorTrc.ARIB_STD_B67): "HDR video (HLG transfer)",
    int(ColorTrc.LINEAR): "video in linear light",
    int(ColorTrc.LOG): "video in logarithmic light",
    int(ColorTrc.LOG_SQRT): "video in logarithmic light",
    int(ColorTrc.SMPTE428): "digital cinema video (SMPTE ST 428-1 transfer)",
}
_WIDE_PRIMARIES = {
    int(ColorPrimaries.BT2020): "BT.2020",
    int(ColorPrimaries.SMPTE428): "CIE XYZ",
    int(ColorPrimaries.SMPTE431): "DCI-P3",
    int(ColorPrimaries.SMPTE432): "Display P3",
}
_LIMITED_BY_STANDARD = {"h264", "hevc", "vvc", "av1", "libdav1d", "vp9", "vp8", "mpeg4", "mpeg2video", "vc1"}
_MISREAD = ("bgr555be", "bgr565be", "rgb565be")  # swscale 9.5 gives other colours
_BLACK, _WHITE = 16, 235  # limited range in 8 bits


@dataclass(frozen=True)
class SourceColour:
    """How the samples of a video are read: H.273 matrix, range, and whether these are assumed.

    ``alpha`` is whether the samples have transparency, which is dropped; ``wide`` names primaries beyond
    BT.709 and BT.601, which are not converted.
    """

    matrix: int
    full_range: bool
    assumed: bool
    alpha: bool = False
    wide: str | None = None

    @classmethod
    def of(cls, frame: VideoFrame, where: str, codec: str = "h264") -> "SourceColour":
        """The colour by the tags of a frame decoded by ``codec`` (FFmpeg's name); ``where`` names the video.

        Raises CaptureError for transfers, matrices and pixel formats that cannot be converted to SDR RGB.
        """
        unsupported = _UNSUPPORTED_TRANSFERS.get(int(frame.color_trc))
        if unsupported is not None:
            raise CaptureError(f"{where}: {unsupported}, expected SDR; convert it to BT.709 first")
        pixels = frame.format
        _check_pixels(pixels, where)
        alpha = any(component.is_alpha for component in pixels.components)
        wide = _WIDE_PRIMARIES.get(int(frame.color_primaries))
        # The old full-range formats state the range in their names instead of in a tag.
        full = frame.color_range == ColorRange.JPEG or pixels.name.startswith("yuvj")
        unspecified = not full and frame.color_range != ColorRange.MPEG
        if pixels.is_rgb or pixels.has_palette:
            return cls(_RGB, full or unspecified, assumed=False, alpha=alpha, wide=wide)
        if _is_grey(pixels):
            full = full or (unspecified and codec not in _LIMITED_BY_STANDARD)
            return cls(_BT709, full, assumed=unspecified and not full, alpha=alpha, wide=wide)
        if frame.colorspace == _UNSPECIFIED:
            return cls(_BT709, full, assumed=True, alpha=alpha, wide=wide)
        if frame.colorspace not in _MATRICES:
            raise CaptureError(
                f"{where}: colour matrix {frame.colorspace} (H.273), "
                "expected BT.709, BT.601, FCC, SMPTE 240M or BT.2020 non-constant luminance"
            )
        return cls(int(frame.colorspace), full, assumed=False, alpha=alpha, wide=wide)


def _is_grey(pixels: VideoFormat) -> bool:
    return pixels.name.startswith(("gray", "ya"))


def _check_pixels(pixels: VideoFormat, where: str) -> None:
    """CaptureError for formats that swscale converts differently or not at all: Bayer, float, 1 bit, XYZ."""
    unsupported = (
        pixels.name in _MISREAD
        or pixels.name.startswith(("bayer", "xyz", "mono"))
        or "f16" in pixels.name
        or "f32" in pixels.name
    )
    if unsupported or (pixels.components[0].bits < 5 and not pixels.has_palette):
        raise CaptureError(
            f"{where}: pixel format {pixels.name}, expected YCbCr, RGB or grey in whole numbers; convert it: "
            "ffmpeg -i IN -pix_fmt yuv420p OUT"
        )


class FrameToRgb:
    """Converts decoded frames to RGB pictures. Keep one per video: it holds swscale's tables.

    ``codec`` is FFmpeg's name of the frames' codec.
    """

    def __init__(self, where: str, codec: str = "h264") -> None:
        self._where = where
        self._codec = codec
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
        """The frame as full range RGB. Raises CaptureError as ``SourceColour.of`` does."""
        source = SourceColour.of(frame, self._where, self._codec)
        # swscale treats grey and RGB as full range, whatever its parameters say.
        expand = not source.full_range and (source.matrix == _RGB or _is_grey(frame.format))
        rgb = self._scaler.reformat(
            frame,
            format="rgb24",
            src_colorspace=source.matrix,
            src_color_range=ColorRange.JPEG if source.full_range or expand else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=_EXACT,
            threads=_THREADS,
        )
        picture = np.ascontiguousarray(rgb.to_ndarray())
        if expand:
            return np.asarray(_expansion(max(8, frame.format.components[0].bits))[picture])
        return picture


@functools.cache
def _expansion(bits: int) -> UInt8[np.ndarray, "256"]:
    """Full range values of limited grey and RGB samples, which swscale scales to 8 bits as full range."""
    # swscale scales a sample to 8 bits by its largest value; limited range is defined by 2^(bits - 8).
    samples = np.arange(256) * (2**bits - 1) / (255 * 2 ** (bits - 8))
    full = (samples - _BLACK) * 255 / (_WHITE - _BLACK)
    return np.asarray(np.clip(np.round(full), 0, 255), np.uint8)


class RgbToFrame:
    """Converts RGB pictures to BT.709 limited range frames for a video encoder. Keep one per output."""

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
    """Set the four colour tags of frames from ``RgbToFrame`` on an encoder."""
    codec.colorspace = _BT709
    codec.color_range = ColorRange.MPEG
    codec.color_primaries = ColorPrimaries.BT709
    codec.color_trc = ColorTrc.BT709


def is_tagged_bt709(codec: VideoCodecContext) -> bool:
    """Whether a video file has all four tags that ``tag_bt709`` sets."""
    return (
        codec.colorspace == _BT709
        and codec.color_range == ColorRange.MPEG
        and codec.color_primaries == ColorPrimaries.BT709
        and codec.color_trc == ColorTrc.BT709
    )
