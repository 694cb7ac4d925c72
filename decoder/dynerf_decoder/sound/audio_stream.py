"""Codes a track into an audio stream of a file that FFmpeg writes.

The coder's delay is stated in the file (an edit list in MP4, the pre-skip in Ogg), so that the first sample
played is the track's first, and the stream is exactly as long as the track.
"""

from fractions import Fraction
from typing import Literal, get_args

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from jaxtyping import Float32

from dynerf_format import SAMPLE_RATE
from dynerf_format.errors import ConfigError

from .sound_track import SoundTrack

AudioCodec = Literal["aac", "opus", "none"]
"""How sound is coded in an MP4 file."""

_CODERS = {"aac": ("aac", "fltp"), "opus": ("libopus", "flt"), "wav": ("pcm_s16le", "s16")}
_CHANNEL_BIT_RATE = 96_000  # generous, because the sound was coded before


def checked_codec(codec: str) -> str:
    """The codec; ConfigError unless it is one of ``AudioCodec``."""
    if codec not in get_args(AudioCodec):
        raise ConfigError(f"audio codec {codec[:40]!r}: expected one of {', '.join(get_args(AudioCodec))}")
    return codec


class AudioStreamWriter:
    """Adds a track to a container. Call ``write_until`` for every picture and ``finish`` before it is
    closed.
    """

    def __init__(self, container: OutputContainer, track: SoundTrack, codec: str) -> None:
        """``codec`` is aac, opus or wav."""
        name, self._format = _CODERS[codec]
        stream = container.add_stream(name, rate=SAMPLE_RATE)
        assert isinstance(stream, AudioStream)
        stream.layout = ("mono", "stereo")[track.channels - 1]
        stream.format = self._format
        if codec != "wav":
            stream.bit_rate = _CHANNEL_BIT_RATE * track.channels
        self._container, self._stream = container, stream
        self._blocks = iter(track.blocks())
        self._written = 0

    def write_until(self, seconds: Fraction) -> None:
        """Write the samples up to ``seconds`` from the start, or somewhat more."""
        while self._written < seconds * SAMPLE_RATE:
            block = next(self._blocks, None)
            if block is None:
                return
            self._write(block)

    def finish(self) -> None:
        """Write the rest, and the coder's last packets."""
        for block in self._blocks:
            self._write(block)
        self._container.mux(self._stream.encode(None))

    def _write(self, block: Float32[np.ndarray, "sample channel"]) -> None:
        for start in range(0, len(block), SAMPLE_RATE):
            frame = _frame(block[start : start + SAMPLE_RATE], self._format)
            frame.pts, frame.time_base = self._written, Fraction(1, SAMPLE_RATE)
            self._written += frame.samples
            self._container.mux(self._stream.encode(frame))


def _frame(block: Float32[np.ndarray, "sample channel"], kind: str) -> AudioFrame:
    """A block as a frame of FFmpeg's sample format ``kind``."""
    if kind == "s16":
        block = (block.clip(-1, 1) * 32767).round().astype(np.int16)
    packed = block.T if kind.endswith("p") else block.reshape(1, -1)
    frame = AudioFrame.from_ndarray(
        np.ascontiguousarray(packed), kind, ("mono", "stereo")[block.shape[1] - 1]
    )
    frame.sample_rate = SAMPLE_RATE
    return frame
