"""Encodes H.264 with the GPU's encoder (NVENC) if it works, else with libx264.

FFmpeg's support for NVENC does not suffice: it also needs a driver, a GPU that has NVENC, a supported picture
size and a free session. Therefore an encoder is tried: it is opened with its actual settings and encodes a
picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
from av import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from .colour import RgbToFrame, tag_bt709

NVENC, X264 = "h264_nvenc", "libx264"
_RATE = Fraction(30)


@dataclass(frozen=True)
class Codec:
    """FFmpeg's name of an encoder and its options; ``reason``: why a requested GPU encoder is not used."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


X264_VIDEO = Codec(X264, {"crf": "14", "preset": "medium"})
_NVENC_VIDEO = Codec(NVENC, {"preset": "p6", "tune": "hq", "rc": "constqp", "qp": "16", "bf": "0"})


def video_codec(gpu: bool, width: int, height: int) -> Codec:
    """The encoder for a video of this picture size; ``gpu`` is whether the pictures are rendered on a GPU."""
    if not gpu:
        return X264_VIDEO
    problem = unusable_reason(_NVENC_VIDEO, width + width % 2, height + height % 2)
    if problem is None:
        return _NVENC_VIDEO
    return Codec(X264_VIDEO.name, X264_VIDEO.options, f"videos are encoded on the CPU: {problem}")


def unusable_reason(codec: Codec, width: int, height: int, *, at_once: bool = False) -> str | None:
    """Why an encoder cannot encode pictures of this size (even sides); None when it can.

    With ``at_once`` it must output the first picture before it receives another, as a key picture preceded by
    its parameter sets (Annex B).
    """
    try:
        context = open_encoder(codec, width, height)
        frame = RgbToFrame()(np.full((height, width, 3), 128, np.uint8))
        frame.pts, frame.time_base, frame.pict_type = 0, 1 / _RATE, PictureType.I
        first = [bytes(packet) for packet in context.encode(frame)]
        rest = [bytes(packet) for packet in context.encode(None)]
    except (av.error.FFmpegError, OSError, ValueError) as error:
        return f"{codec.name}: {getattr(error, 'strerror', None) or error}"
    if at_once and not (len(first) == 1 and _starts_with_parameters(first[0])):
        return f"{codec.name}: does not output each picture at once"
    return None if first or rest else f"{codec.name}: produces no output"


def open_encoder(codec: Codec, width: int, height: int) -> VideoCodecContext:
    """An encoder for 4:2:0 pictures at about 30 per second, tagged as BT.709. Raises what PyAV raises."""
    context = CodecContext.create(codec.name, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = 1 / _RATE, _RATE
    context.thread_count = 1
    context.options = dict(codec.options)
    tag_bt709(context)
    return context


def _starts_with_parameters(unit: bytes) -> bool:
    """Whether an access unit is in Annex B format with a sequence parameter set before a key picture."""
    unit_types = [part[0] & 31 for part in unit.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:] if part]
    starts = unit.startswith((b"\0\0\1", b"\0\0\0\1"))
    return starts and 7 in unit_types and 5 in unit_types[unit_types.index(7) :]
