"""H.264 by the GPU's own coder (NVENC) where there is one, else by libx264: chosen by trying.

That FFmpeg knows NVENC says nothing: it also takes a driver, a card that has it, pictures of a size that it
likes and a free session. So a coder is opened with the very settings it is wanted for and given a picture.
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
    """FFmpeg's name of a coder and its options; ``reason`` says why it is not the GPU's, if wanted."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


MOVIE = Codec(X264, {"crf": "14", "preset": "medium"})
_MOVIE_ON_GPU = Codec(NVENC, {"preset": "p6", "tune": "hq", "rc": "constqp", "qp": "16", "bf": "0"})


def movie_codec(gpu: bool, width: int, height: int) -> Codec:
    """What codes a movie of such pictures; ``gpu`` when they come from one."""
    if not gpu:
        return MOVIE
    problem = why_not(_MOVIE_ON_GPU, width + width % 2, height + height % 2)
    if problem is None:
        return _MOVIE_ON_GPU
    return Codec(MOVIE.name, MOVIE.options, f"movies are coded on the CPU: {problem}")


def why_not(codec: Codec, width: int, height: int, *, at_once: bool = False) -> str | None:
    """Why a coder cannot code even pictures of this size; None when it can.

    ``at_once``: it must give out the first picture before it gets another, as a key picture with its
    parameter sets in front (Annex B).
    """
    try:
        context = opened(codec, width, height)
        frame = RgbToFrame()(np.full((height, width, 3), 128, np.uint8))
        frame.pts, frame.time_base, frame.pict_type = 0, 1 / _RATE, PictureType.I
        first = [bytes(packet) for packet in context.encode(frame)]
        rest = [bytes(packet) for packet in context.encode(None)]
    except (av.error.FFmpegError, OSError, ValueError) as error:
        return f"{codec.name}: {getattr(error, 'strerror', None) or error}"
    if at_once and not (len(first) == 1 and _starts_with_parameters(first[0])):
        return f"{codec.name}: does not give out each picture at once"
    return None if first or rest else f"{codec.name}: gives out nothing"


def opened(codec: Codec, width: int, height: int) -> VideoCodecContext:
    """A coder for pictures of 4:2:0 at about 30 per second, tagged as BT.709. Raises what PyAV raises."""
    context = CodecContext.create(codec.name, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = 1 / _RATE, _RATE
    context.thread_count = 1
    context.options = dict(codec.options)
    tag_bt709(context)
    return context


def _starts_with_parameters(unit: bytes) -> bool:
    """Whether an access unit is in Annex B and has a sequence parameter set before any picture."""
    kinds = [part[0] & 31 for part in unit.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:] if part]
    return unit.startswith((b"\0\0\1", b"\0\0\0\1")) and 7 in kinds and 5 in kinds[kinds.index(7) :]
