"""When the pictures of a video are shown: their times, read without decoding, and the rate that follows.

``ticks[i]`` is when frame i is shown, in units of ``unit`` seconds on the container's clock, edit lists
applied. Frames are counted from 0 and hidden ones are left out, as in what the decoder delivers. MP4 and AVI
files have an index that tells it all; from others, and from MP4 files with reordered frames at varying
distances, the packets are read.
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
    """An uneven step: ``left_out`` frames are missing after frame ``after``; -1: the next comes too early."""

    after: int
    seconds: float
    left_out: int


@dataclass(frozen=True, eq=False)
class Timeline:
    """Presentation times, ascending. ``stated`` are the rates that container and stream name.

    ``comparable`` tells whether decoded frames carry these times: AVI has none, only a rate and a count.
    """

    ticks: Int[np.ndarray, " frame"]
    unit: Fraction
    stated: tuple[Fraction, ...]
    comparable: bool = True

    @property
    def frames(self) -> int:
        """How many frames are shown."""
        return len(self.ticks)

    @property
    def start(self) -> Fraction:
        """When the first frame is shown, in seconds."""
        return int(self.ticks[0]) * self.unit

    @property
    def step(self) -> Fraction:
        """The usual time from one frame to the next in seconds: the median, or 1 / rate of a single frame."""
        if self.frames < 2:
            return 1 / self.rate
        return Fraction(float(np.median(np.diff(self.ticks)))).limit_denominator(1000) * self.unit

    @property
    def rate(self) -> Fraction:
        """Frames per second by the distances of the pictures, as a simple fraction. Raises ValueError."""
        return simple_rate(self.ticks, self.unit, self.stated)

    def gaps(self, stop: int) -> Iterator[Gap]:
        """Where a step before frame ``stop`` is under a half or over one and a half of the usual."""
        distances = np.diff(self.ticks[:stop])
        if not len(distances):
            return
        usual = float(self.step / self.unit)
        for after in np.flatnonzero((distances < 0.5 * usual) | (distances > 1.5 * usual)):
            distance = float(distances[after])
            left_out = max(1, round(distance / usual) - 1) if distance > usual else -1
            yield Gap(int(after), distance * float(self.unit), left_out)


def indexed_ticks(
    container: InputContainer, stream: VideoStream, first: int | None
) -> Int[np.ndarray, " frame"] | None:
    """Times by the file's index; None where it does not tell them. ``first`` is the first decoded frame's.

    An index has decoding times. Where their distances are all equal, those of the presentation times are too.
    """
    if not stream.frames or stream.frames != len(stream.index_entries):
        return None
    shown = [entry.timestamp for entry in stream.index_entries if not entry.is_discard and entry.size > 0]
    decoded = np.array(shown, np.int64)
    if container.format.name == "avi":
        return decoded
    even = len(decoded) < 3 or int(np.ptp(np.diff(decoded))) <= 1
    if first is None or not container.format.name.startswith("mov") or not even:
        return None
    return np.asarray(decoded - decoded[0] + first)


def demuxed_ticks(
    container: InputContainer, stream: VideoStream, first: int | None, where: str
) -> Int[np.ndarray, " frame"]:
    """Times by the packets, read to the end of the file. Raises CaptureError where they have none."""
    times = [packet.pts for packet in container.demux(stream) if packet.size > 0 and not packet.is_discard]
    if first is None or None in times:
        raise CaptureError(
            f"{where}: states no times for its frames ({container.format.long_name}), expected a file "
            "such as MP4; make one: ffmpeg -framerate RATE -i IN -c copy OUT.mp4"
        )
    ticks = np.sort(np.array(times, np.int64))
    return ticks[ticks >= first]  # earlier ones depend on a keyframe that was cut off
