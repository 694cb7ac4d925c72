"""One camera's video file: what it states about itself, and its pictures, decoded in order.

Whatever FFmpeg reads is taken, as long as its pixels are square, upright and SDR. The file is not trusted:
it may only refer to itself (a playlist under the name of a video would make FFmpeg fetch other files), and
the frame count that it states is a claim until ``decode`` has delivered the last picture.

Never touch a PyAV stream after its container was closed: PyAV 18 then reads freed memory.
"""

import bisect
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import UInt8

from dynerf_decoder.colour import FrameToRgb, SourceColour
from dynerf_format.errors import CaptureError

_SAFE = {"protocol_whitelist": "file", "format_whitelist": "mov,matroska,webm,avi,mpegts,h264,hevc"}
_MOST_PIXELS = 2**26  # 8192 x 8192: a hundred-byte file may claim more than memory holds

_REORDERED = 32  # frames; no codec shows a frame that much later or earlier than it is stored

# Each decoder thread holds pictures of its own, so the core count of a big machine would become memory.
_THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True)
class VideoFacts:
    """What a video states: picture size in pixels, frames per second, frame count, colour."""

    width: int
    height: int
    fps: Fraction
    frames: int
    colour: SourceColour


def probe(path: Path) -> VideoFacts:
    """Read the facts and the first picture of a video.

    The count leaves out frames that an edit list hides. Raises CaptureError when the file is no video or one
    whose pictures cannot be used as they are.
    """
    try:
        return _probe(path)
    except av.error.FFmpegError as error:
        raise CaptureError(f"{path}: its first picture cannot be decoded: {error.strerror}") from error


def _probe(path: Path) -> VideoFacts:
    with _opened(path) as (container, stream):
        fps = stream.average_rate or stream.guessed_rate
        if not fps or fps <= 0:
            raise CaptureError(f"{path}: states no frame rate")
        hidden = sum(entry.is_discard for entry in stream.index_entries)
        frames = stream.frames - hidden if stream.frames > 0 else None
        width, height = stream.codec_context.width, stream.codec_context.height
        if not 0 < width * height <= _MOST_PIXELS:
            raise CaptureError(f"{path}: pictures of {width}x{height}, expected 1 to {_MOST_PIXELS} pixels")
        ratio = stream.sample_aspect_ratio
        if ratio is not None and ratio not in (0, 1):
            raise CaptureError(f"{path}: pixels are {ratio} times as wide as high, expected square pixels")
        first = next(container.decode(stream), None)
        if first is None:
            raise CaptureError(f"{path}: holds no picture")
        if first.rotation % 360 != 0:
            raise CaptureError(f"{path}: is to be shown turned by {first.rotation} degrees, expected upright")
        colour = SourceColour.of(first, str(path))
    return VideoFacts(width, height, fps, _count(path) if frames is None else frames, colour)


def decode(path: Path, frames: range) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Yield the pictures of the frames asked for, RGB full range, in order.

    Decodes from the start, or from a keyframe whose number the file's index proves (``_entry_point``), and
    holds one RGB picture and what the decoder itself holds. Raises CaptureError, saying how far it came, when
    the video ends early, is damaged, or repeats or leaves out frames.
    """
    to_rgb = FrameToRgb(str(path))
    done = 0
    previous: float | None = None
    try:
        entry = _entry_point(path, frames.start)
        with _opened(path) as (container, stream):
            if entry is not None:
                done, timestamp = entry
                container.seek(timestamp, stream=stream)
            step = 1 / float(stream.average_rate or stream.guessed_rate or 1)
            for frame in container.decode(stream):
                if frame.is_corrupt:
                    break
                previous = _check_time(path, done, previous, frame, step)
                if done >= frames.start:
                    yield to_rgb(frame)
                done += 1
                if done == frames.stop:
                    return
    except av.error.FFmpegError as error:
        raise CaptureError(_stopped(path, done, frames.stop, error.strerror or "cannot be read")) from error
    raise CaptureError(_stopped(path, done, frames.stop, "the file is truncated or damaged"))


def _entry_point(path: Path, wanted: int) -> tuple[int, int] | None:
    """A frame to begin decoding with, well before ``wanted``: its number, and the timestamp to seek to.

    None where decoding from the start is as good, or where the file's index does not tell the number of the
    frame that a seek leads to: without an index of all frames, or at a varying frame rate.
    """
    if wanted <= _REORDERED:
        return None
    with _opened(path) as (container, stream):
        times = [entry.timestamp for entry in stream.index_entries if not entry.is_discard]
        first = next(container.decode(stream), None)
        if first is None or first.pts is None or len(times) <= wanted:
            return None
        container.seek(times[wanted - _REORDERED], stream=stream)
        found = next(container.decode(stream), None)
        if found is None or found.pts is None:
            return None
        number = bisect.bisect_left(times, times[0] + found.pts - first.pts)
        exact = number < wanted and times[number] - times[0] == found.pts - first.pts
        return (number, times[wanted - _REORDERED]) if exact and number > 0 else None


def _stopped(path: Path, done: int, wanted: int, reason: str) -> str:
    return f"{path}: decoded {done} of {wanted} frames, then stopped: {reason}"


def _check_time(
    path: Path, index: int, previous: float | None, frame: VideoFrame, step: float
) -> float | None:
    """The frame's time in seconds; CaptureError when it is not one step after the one before."""
    if frame.pts is None or frame.time_base is None:
        return None
    now = float(frame.pts * frame.time_base)
    if previous is not None and not 0.5 * step < now - previous < 1.5 * step:
        raise CaptureError(
            f"{path}: frame {index} is shown {now - previous:.3f} s after the one before, "
            f"expected {step:.3f} s; frames were dropped or the frame rate varies"
        )
    return now


def _count(path: Path) -> int:
    """Count the frames of a file that does not state how many it has, without decoding them."""
    with _opened(path) as (container, stream):
        return sum(1 for packet in container.demux(stream) if packet.size > 0 and not packet.is_discard)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    try:
        # An absolute path: FFmpeg takes "a:b.mp4" for a network address.
        container = av.open(str(path.absolute()), options=_SAFE)
    except (av.error.FFmpegError, OSError) as error:
        raise CaptureError(f"{path}: cannot be opened as a video: {error.strerror}") from error
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            raise CaptureError(f"{path}: holds no video stream")
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = _THREADS
        yield container, stream
