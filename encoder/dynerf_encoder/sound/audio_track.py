"""Reads an audio track onto a clip's time axis: 48 kHz, one or two channels, silence where there is no sound.

Samples are placed by the presentation times of the file, with edit lists and a coder's delay as FFmpeg
applies them. Within consecutive frames samples are counted; where times are off by more than ``_TOLERANCE``
(a gap, damaged packets, a clock of another rate), they are placed anew: a gap is silent, an overlap is
dropped. The file is not trusted: times, rates and channels may be anything.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from jaxtyping import Float32

from dynerf_format import SAMPLE_RATE
from dynerf_format.errors import CaptureError

_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,webm,avi,mpegts,h264,hevc,wav,w64,aiff,caf,flac,mp3,ogg,aac",
}
_TOLERANCE = SAMPLE_RATE * 15 // 1000  # samples; containers round times to a millisecond or so
_RATES = range(2_000, 768_001)  # a lower one would make much of few samples
_LATE_FRAMES = 100  # in a row, after which nothing of the clip is expected to follow
_BLOCK = SAMPLE_RATE  # samples of silence at once


@dataclass
class TrackReport:
    """What was found while a track was read; samples are of 48 kHz.

    ``lead`` are samples before the first sound, ``tail`` after the last, ``gaps`` in between; ``damaged``
    counts packets that cannot be decoded. ``decoded`` are samples of the track that are used.
    """

    channels: int = 0
    lead: int = 0
    tail: int = 0
    gaps: int = 0
    damaged: int = 0
    decoded: int = 0
    peak: float = 0.0


@contextlib.contextmanager
def open_track(path: Path) -> Iterator[tuple[InputContainer, AudioStream | None]]:
    """A file and its audio track: the one marked as default, else the first; None when it has none."""
    try:
        container = av.open(str(path.absolute()), options=_OPTIONS)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        message = getattr(error, "strerror", None) or str(error)
        raise CaptureError(f"{path}: cannot be opened as a file with sound: {message}") from error
    with container:
        tracks = list(container.streams.audio)
        default = [track for track in tracks if track.disposition & Disposition.default]
        yield container, next(iter(default or tracks), None)


def read_track(
    path: Path, start: Fraction, samples: int, report: TrackReport
) -> Iterator[Float32[np.ndarray, "sample channel"]]:
    """Yield ``samples`` samples, in blocks, the first of them at ``start`` seconds on the file's clock.

    ``report`` is filled in; its ``channels`` before the first block. Raises CaptureError when the file has
    no audio track or cannot be opened.
    """
    with open_track(path) as (container, stream):
        if stream is None:
            raise CaptureError(f"{path}: has no audio track")
        report.channels = 1 if stream.codec_context.channels == 1 else 2
        axis = _Axis(samples, report)
        track = _Track(container, stream, start, report)
        for position, block in track.blocks(samples):
            yield from axis.place(position, block)
        yield from axis.fill(samples, last=True)


@dataclass
class _Axis:
    """The samples of the clip, of which ``done`` were yielded."""

    samples: int
    report: TrackReport
    done: int = 0

    def place(
        self, position: int, block: Float32[np.ndarray, "sample channel"]
    ) -> Iterator[Float32[np.ndarray, "sample channel"]]:
        """Yield silence up to ``position`` and then what of the block lies behind it, within the clip."""
        block = block[max(self.done - position, 0) :]
        position = max(position, self.done)
        block = block[: max(self.samples - position, 0)]
        if len(block):
            yield from self.fill(position)
            self.done += len(block)
            self.report.decoded += len(block)
            self.report.peak = max(self.report.peak, float(np.abs(block).max()))
            yield block

    def fill(self, position: int, *, last: bool = False) -> Iterator[Float32[np.ndarray, "sample channel"]]:
        """Yield silence up to ``position``."""
        missing = position - self.done
        if last:
            self.report.tail = missing
        elif self.report.decoded:
            self.report.gaps += missing
        else:
            self.report.lead = missing
        while self.done < position:
            length = min(position - self.done, _BLOCK)
            self.done += length
            yield np.zeros((length, self.report.channels), np.float32)


@dataclass
class _Run:
    """Consecutive frames of one format; ``begin`` is the position of the first sample."""

    setup: tuple[str, str, int]
    begin: int
    resampler: AudioResampler
    taken: int = 0  # samples of the track
    given: int = 0  # samples of 48 kHz

    @property
    def next(self) -> int:
        """The position of the next frame's first sample."""
        return self.begin + self.taken * SAMPLE_RATE // self.setup[2]


@dataclass
class _Track:
    """Decodes a track to blocks at positions on the clip's axis."""

    container: InputContainer
    stream: AudioStream
    start: Fraction
    report: TrackReport

    def blocks(self, samples: int) -> Iterator[tuple[int, Float32[np.ndarray, "sample channel"]]]:
        """Positions and blocks, in order of decoding, as far as the position ``samples``."""
        run: _Run | None = None
        late = 0
        for frame in self._frames():
            setup = (frame.format.name, frame.layout.name, frame.sample_rate)
            at = self._position(frame)
            if run is None or run.setup != setup or (at is not None and abs(at - run.next) > _TOLERANCE):
                if run is not None:
                    yield from self._resampled(run, None)
                begin = at if at is not None else 0 if run is None else run.next
                run = _Run(setup, begin, self._resampler())
            late = late + 1 if run.next >= samples else 0
            if late > _LATE_FRAMES:
                return
            yield from self._resampled(run, frame)
        if run is not None:
            yield from self._resampled(run, None)

    def _frames(self) -> Iterator[AudioFrame]:
        """Decoded frames; packets that cannot be decoded are counted and left out."""
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError):  # the file ends within a packet
                self.report.damaged += 1
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError):
                self.report.damaged += 1
                continue
            for frame in frames:
                if isinstance(frame, AudioFrame) and frame.samples > 0 and frame.sample_rate in _RATES:
                    yield frame

    def _position(self, frame: AudioFrame) -> int | None:
        if frame.pts is None or not frame.time_base:
            return None
        return round((frame.pts * frame.time_base - self.start) * SAMPLE_RATE)

    def _resampler(self) -> AudioResampler:
        layout = "mono" if self.report.channels == 1 else "stereo"
        return AudioResampler(format="flt", layout=layout, rate=SAMPLE_RATE)

    def _resampled(
        self, run: _Run, frame: AudioFrame | None
    ) -> Iterator[tuple[int, Float32[np.ndarray, "sample channel"]]]:
        """What a run's frame gives, or with None what is left of it."""
        if frame is None and run.taken == 0:
            return
        if frame is not None:
            frame.pts = None  # the run counts samples
        try:
            pieces = run.resampler.resample(frame)
        except (av.error.FFmpegError, ValueError):  # a layout or rate that cannot be converted
            self.report.damaged += 1
            return
        run.taken += 0 if frame is None else frame.samples
        for piece in pieces:
            block = piece.to_ndarray().reshape(-1, self.report.channels)
            position = run.begin + run.given
            run.given += len(block)
            yield position, np.nan_to_num(block, posinf=1.0, neginf=-1.0).clip(-1, 1)
