"""Reads one camera's video file: its properties, and its pictures, decoded in order.

Every format that FFmpeg reads is accepted, as long as pictures can be used as decoded (``presentation.py``).
The file is not trusted: it may only refer to itself (a playlist named like a video would make FFmpeg open
other files), and ``decode`` checks the times that it states against the decoded pictures.

Never use a PyAV stream after its container was closed: PyAV 18 then reads freed memory.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import UInt8

from dynerf_decoder.video.colour import FrameToRgb, SourceColour
from dynerf_format.errors import CaptureError

from .edit_list import read_edits
from .orientation import upright
from .presentation import check_container, check_flags, check_frame, check_stream
from .timeline import Timeline, demuxed_ticks, indexed_ticks
from .track import choose_video

SUFFIXES = (".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts")

_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "mov,matroska,webm,avi,mpegts,h264,hevc"}
_SEEKABLE = ("mov", "matroska")  # formats with an index of keyframes
_MAX_PIXELS = 2**26  # 8192 x 8192: a file of a hundred bytes may claim more than fits into memory

_MAX_REORDERING = 32  # frames; no codec moves a frame that far between decoding and presentation order

# Each decoder thread holds pictures of its own, so memory would grow with the number of cores.
_THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, eq=False)
class VideoFacts:
    """Properties of a video or a sequence of pictures; ``width`` and ``height`` are of upright pictures.

    ``turns`` are the quarter turns, counter-clockwise, from pictures as stored to upright ones.
    """

    width: int
    height: int
    timeline: Timeline
    colour: SourceColour
    fps: Fraction
    turns: int = 0

    @property
    def frames(self) -> int:
        """Number of frames that the video shows."""
        return self.timeline.frames


def probe(path: Path) -> VideoFacts:
    """Read the properties of a video and decode its first picture.

    Frames that an edit list hides do not count. Raises CaptureError when the file is not a video or its
    pictures cannot be used as decoded.
    """
    try:
        return _probe(path)
    except av.error.FFmpegError as error:
        raise CaptureError(f"{path}: its first picture cannot be decoded: {error.strerror}") from error


def _probe(path: Path) -> VideoFacts:
    where = str(path)
    with _open(path) as (container, stream):
        width, height = stream.codec_context.width, stream.codec_context.height
        if not 0 < width * height <= _MAX_PIXELS:
            raise CaptureError(f"{path}: pictures of {width}x{height}, expected 1 to {_MAX_PIXELS} pixels")
        check_container(container, stream, where)
        edits = None
        if container.format.name.startswith("mov"):
            edits = read_edits(path, stream.id, _unit(stream))
        first = next(container.decode(stream), None)
        if first is None:
            raise CaptureError(f"{path}: holds no picture")
        turns = check_frame(first, where)
        check_stream(stream, where)
        colour = SourceColour.of(first, where, stream.codec_context.name)
        # VP8 and VP9 keep their alpha channel in a second stream, which FFmpeg's own decoders drop.
        if stream.metadata.get("alpha_mode") == "1":
            colour = replace(colour, alpha=True)
        timeline = _indexed(container, stream, first)
    if timeline is None:
        timeline = _demuxed(path, first.pts)
    try:
        fps = timeline.rate
    except ValueError as error:
        raise CaptureError(f"{path}: {error}") from error
    if edits is not None:
        timeline = replace(timeline, delay=edits.delay(timeline, where))
    if turns % 2:
        width, height = height, width
    return VideoFacts(width, height, timeline, colour, fps, turns)


def _timeline(path: Path) -> tuple[Timeline, int]:
    """The presentation times of a video's frames, and the quarter turns of its pictures, as in ``probe``."""
    with _open(path) as (container, stream):
        first = next(container.decode(stream), None)
        timeline = None if first is None else _indexed(container, stream, first)
        turns = 0 if first is None else check_frame(first, str(path))
    return timeline or _demuxed(path, None if first is None else first.pts), turns


def _indexed(container: InputContainer, stream: VideoStream, first: VideoFrame) -> Timeline | None:
    ticks = indexed_ticks(container, stream, first.pts)
    if ticks is None or not len(ticks):
        return None
    return Timeline(ticks, _unit(stream), _stated(stream), comparable=container.format.name != "avi")


def _demuxed(path: Path, first: int | None) -> Timeline:
    with _open(path) as (container, stream):
        ticks = demuxed_ticks(container, stream, first, str(path))
        return Timeline(ticks, _unit(stream), _stated(stream), comparable=container.format.name != "avi")


def _unit(stream: VideoStream) -> Fraction:
    return stream.time_base or Fraction(1)


def _stated(stream: VideoStream) -> tuple[Fraction, ...]:
    rates = (stream.guessed_rate, stream.codec_context.framerate, stream.average_rate)
    return tuple(Fraction(rate) for rate in rates if rate)


def decode(path: Path, frames: range) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Yield the pictures of ``frames``, RGB full range, upright, in order.

    Decodes from the start, or from a keyframe whose number is known by its time (``_entry_point``). Memory
    holds one RGB picture and the decoder's own. Raises CaptureError, with the number of frames decoded, when
    the video ends early, is damaged, has frames at other times than it stated, or interlaced ones.
    """
    done = 0
    try:
        timeline, turns = _timeline(path)
        entry = _entry_point(path, timeline, frames.start)
        with _open(path, _THREADS) as (container, stream):
            to_rgb = FrameToRgb(str(path), stream.codec_context.name)
            if entry is not None:
                done, timestamp = entry
                container.seek(timestamp, stream=stream)
            for frame in container.decode(stream):
                if frame.is_corrupt:
                    break
                _check_time(path, done, timeline, frame)
                if done >= frames.start:
                    check_flags(frame, f"{path}: frame {done}")
                    yield upright(to_rgb(frame), turns)
                done += 1
                if done == frames.stop:
                    return
    except av.error.FFmpegError as error:
        raise CaptureError(_stopped(path, done, frames.stop, error.strerror or "cannot be read")) from error
    raise CaptureError(_stopped(path, done, frames.stop, "the file is truncated or damaged"))


def _entry_point(path: Path, timeline: Timeline, target: int) -> tuple[int, int] | None:
    """A frame to start decoding at, well before ``target``: its number, and the timestamp to seek to.

    None when decoding from the start is as good, or when a seek does not lead to a frame of known time.
    """
    if not timeline.comparable or not _MAX_REORDERING < target < timeline.frames:
        return None
    timestamp = int(timeline.ticks[target - _MAX_REORDERING])
    with _open(path) as (container, stream):
        if not container.format.name.startswith(_SEEKABLE):
            return None
        container.seek(timestamp, stream=stream)
        found = next(container.decode(stream), None)
    if found is None or found.pts is None:
        return None
    differences = np.abs(timeline.ticks - found.pts)
    number = int(differences.argmin())
    return (number, timestamp) if 0 < number < target and differences[number] <= 1 else None


def _stopped(path: Path, done: int, expected: int, reason: str) -> str:
    return f"{path}: decoded {done} of {expected} frames, then stopped: {reason}"


def _check_time(path: Path, index: int, timeline: Timeline, frame: VideoFrame) -> None:
    """CaptureError when a decoded frame's time differs from the stated one by over a quarter of a frame."""
    if not timeline.comparable or frame.pts is None or index >= timeline.frames:
        return
    delay = float((frame.pts - int(timeline.ticks[index])) * timeline.unit)
    if abs(delay) * 4 > float(timeline.step):
        order = "after" if delay > 0 else "before"
        raise CaptureError(
            f"{path}: frame {index} is shown {abs(delay):.3f} s {order} the time stated in the file; "
            "frames are missing or damaged"
        )


@contextlib.contextmanager
def _open(path: Path, threads: int = 1) -> Iterator[tuple[InputContainer, VideoStream]]:
    try:
        # An absolute path, because FFmpeg treats "a:b.mp4" as a network address.
        container = av.open(str(path.absolute()), options=_OPTIONS)
    except (av.error.FFmpegError, OSError) as error:
        raise CaptureError(f"{path}: cannot be opened as a video: {error.strerror}") from error
    with container:
        stream = choose_video(container, path)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        yield container, stream
