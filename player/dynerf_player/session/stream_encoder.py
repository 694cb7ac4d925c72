"""Encodes rendered pictures for a live session: independent JPEG files, or an H.264 stream.

H.264 is Constrained Baseline without delay: every picture is returned at once as one access unit in Annex B,
with parameter sets before key pictures, tagged as BT.709 limited range. JPEG is full-range BT.601, as in
JFIF.
"""

import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol, runtime_checkable

import numpy as np
from av import CodecContext, VideoFrame
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from jaxtyping import UInt8

from dynerf_decoder.video.colour import RgbToFrame
from dynerf_decoder.video.h264 import NVENC, X264, Codec, open_encoder, unusable_reason

JPEG, AVC = 0, 1
CODEC_STRING = "avc1.42E033"  # Constrained Baseline, level 5.1: enough for the largest view allowed
_JPEG_QUALITY = 3  # the quantiser scale, 2 (best) to 31
_QP_TO_LAMBDA = 118  # FFmpeg's FF_QP2LAMBDA
_MAX_STREAMS = 3  # encoders kept open per session

_ON_CPU = Codec(
    X264,
    {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "baseline",
        "crf": "18",
        "forced-idr": "1",
        "x264-params": "annexb=1:repeat-headers=1:keyint=300:scenecut=0:sliced-threads=0",
    },
)
_ON_GPU = Codec(
    NVENC,
    {
        "preset": "p2", "tune": "ull", "profile": "baseline", "rc": "constqp", "qp": "20", "bf": "0",
        "delay": "0", "zerolatency": "1", "forced-idr": "1", "g": "300", "level": "5.1",
    },
)  # fmt: skip
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class CodedFrame:
    """One coded picture; ``key`` when it can be decoded without those before it."""

    data: bytes
    key: bool


@runtime_checkable
class Coder(Protocol):
    """Encodes the pictures of one session in order. Sides must be even."""

    codec: int

    def encode(self, rgb: UInt8[np.ndarray, "height width 3"], *, key: bool = False) -> CodedFrame:
        """Encode one picture; ``key`` requests one that can be decoded without those before it."""
        ...


class JpegCoder:
    """Encodes each picture independently."""

    codec = JPEG

    def __init__(self, gpu: bool = False) -> None:
        """``gpu`` is ignored."""
        self._scaler = VideoReformatter()

    def encode(self, rgb: UInt8[np.ndarray, "height width 3"], *, key: bool = False) -> CodedFrame:
        """A JPEG file."""
        frame = self._scaler.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24"),
            format="yuvj420p",
            dst_colorspace=Colorspace.ITU601,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        codec = CodecContext.create("mjpeg", "w")
        assert isinstance(codec, VideoCodecContext)
        codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, "yuvj420p"
        codec.color_range = ColorRange.JPEG
        codec.time_base, codec.thread_count = Fraction(1), 1
        codec.flags |= Flags.qscale
        codec.options = {"global_quality": str(_JPEG_QUALITY * _QP_TO_LAMBDA)}
        frame.pts = 0
        return CodedFrame(
            b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)]), True
        )


@dataclass
class _Stream:
    """The pictures of one size: encoder, colour conversion, and number of pictures so far."""

    codec: VideoCodecContext
    to_frame: RgbToFrame = field(default_factory=RgbToFrame)
    count: int = 0

    def encode(self, rgb: UInt8[np.ndarray, "height width 3"], *, key: bool) -> CodedFrame:
        """One access unit."""
        frame = self.to_frame(rgb)
        frame.pts, frame.time_base = self.count, Fraction(1, 30)
        frame.pict_type = PictureType.I if key else PictureType.NONE
        self.count += 1
        packets = self.codec.encode(frame)
        return CodedFrame(b"".join(bytes(packet) for packet in packets), any(p.is_keyframe for p in packets))


class AvcCoder:
    """Encodes a stream of pictures, with a key picture whenever their size changes.

    Views that take long to render alternate between two sizes, coarse and full. Opening an encoder takes
    longer than encoding a picture, so those of the sizes used last are kept.
    """

    codec = AVC

    def __init__(self, gpu: bool = False) -> None:
        """``gpu``: pictures were rendered on a GPU, so its hardware encoder is tried first."""
        self._gpu = gpu
        self._streams: OrderedDict[tuple[int, int], _Stream] = OrderedDict()

    def encode(self, rgb: UInt8[np.ndarray, "height width 3"], *, key: bool = False) -> CodedFrame:
        """One access unit."""
        size = (rgb.shape[1], rgb.shape[0])
        changed = next(reversed(self._streams), None) != size
        if size not in self._streams:
            self._streams[size] = _Stream(self._opened(*size))
        self._streams.move_to_end(size)
        if len(self._streams) > _MAX_STREAMS:
            self._streams.popitem(last=False)
        return self._streams[size].encode(rgb, key=key or changed)

    def _opened(self, width: int, height: int) -> VideoCodecContext:
        if self._gpu:
            problem = unusable_reason(_ON_GPU, width, height, at_once=True)
            if problem is None:
                return open_encoder(_ON_GPU, width, height)
            self._gpu = False
            _LOG.warning("pictures are encoded on the CPU: %s", problem)
        return open_encoder(_ON_CPU, width, height)
