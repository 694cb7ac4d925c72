"""Reads the presentation times of a video's frames without decoding, and derives the frame rate.

``ticks[i]`` is the presentation time of frame i, in units of ``unit`` seconds on the container's clock, with
edit lists applied. Frames are counted from 0 without hidden ones, as the decoder outputs them. MP4 and AVI
files have an index that suffices; of others, and of MP4 files with reordered frames at varying intervals, the
packets are read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from jaxtyping import Int

from dynerf_format.errors import CaptureError

from .frame_rate import simple_rate


@dataclass(frozen=True)
class Gap:
    """An irregular interval: ``missing`` frames after frame ``after``; -1: the next frame is too early."""

    after: int
    seconds: float
    missing: int


@dataclass(frozen=True, eq=False)
class Timeline:
    """Presentation times, ascending. ``stated`` are the rates that container and stream state.

    ``comparable`` is whether decoded frames carry these times: AVI has none, only a rate and a count.
    ``delay`` is by how many seconds all frames are shown later than FFmpeg says (``edit_list``).
    """

    ticks: Int[np.ndarray, " frame"]
    unit: Fraction
    stated: tuple[Fraction, ...]
    comparable: bool = True
    delay: Fraction = Fraction(0)

    @property
    def frames(self) -> int:
        """Number of frames shown."""
        return len(self.ticks)

    @property
    def start(self) -> Fraction:
        """Presentation time of the first frame in seconds."""
        return int(self.ticks[0]) * self.unit + self.delay

    @property
    def step(self) -> Fraction:
        """The median time between frames in seconds; of a single frame 1 / rate."""
        if self.frames < 2:
            return 1 / self.rate
        return Fraction(float(np.median(np.diff(self.ticks)))).limit_denominator(1000) * self.unit

    @property
    def rate(self) -> Fraction:
        """Frames per second by the presentation times, as a simple fraction. Raises ValueError."""
        return simple_rate(self.ticks, self.unit, self.stated)

    def gaps(self, stop: int) -> Iterator[Gap]:
        """Intervals before frame ``stop`` that are below half or above one and a half of the median."""
        intervals = np.diff(self.ticks[:stop])
        if not len(intervals):
            return
        median = float(self.step / self.unit)
        for after in np.flatnonzero((intervals < 0.5 * median) | (intervals > 1.5 * median)):
            interval = float(intervals[after])
            missing = max(1, round(interval / median) - 1) if interval > median else -1
            yield Gap(int(after), interval * float(self.unit), missing)


def indexed_ticks(
    container: InputContainer, stream: VideoStream, first: int | None
) -> Int[np.ndarray, " frame"] | None:
    """Times by the file's index; None when it does not suffice. ``first`` is that of the first decoded frame.

    An index has decoding times. When their intervals are equal, so are those of the presentation times.
    """
    if not stream.frames or stream.frames != len(stream.index_entries):
        return None
    shown = [entry.timestamp for entry in stream.index_entries if not entry.is_discard and entry.size > 0]
    decoding = np.array(shown, np.int64)
    if container.format.name == "avi":
        return decoding
    equal = len(decoding) < 3 or int(np.ptp(np.diff(decoding))) <= 1
    if first is None or not container.format.name.startswith("mov") or not equal:
        return None
    return np.asarray(decoding - decoding[0] + first)


def demuxed_ticks(
    container: InputContainer, stream: VideoStream, first: int | None, where: str
) -> Int[np.ndarray, " frame"]:
    """Times by the packets, read to the end of the file. Raises CaptureError when they have none."""
    times = [packet.pts for packet in container.demux(stream) if packet.size > 0 and not packet.is_discard]
    if first is None or None in times:
        raise CaptureError(
            f"{where}: has no presentation times ({container.format.long_name}), expected a container with "
            "times such as MP4; convert it: ffmpeg -framerate RATE -i IN -c copy OUT.mp4"
        )
    ticks = np.sort(np.array(times, np.int64))
    return ticks[ticks >= first]  # earlier frames depend on a keyframe that was cut off
