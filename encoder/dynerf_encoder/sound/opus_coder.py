"""Codes sound as one Opus stream of 20 ms packets."""

from collections.abc import Iterable

import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from jaxtyping import Float32

from dynerf_format import PACKET_SAMPLES, SAMPLE_RATE, SoundPackets

DEFAULT_BIT_RATES = (64_000, 96_000)
"""Bits per second of one and of two channels."""

_CHANNEL_BIT_RATE = 256_000  # libopus takes no more


def code_opus(blocks: Iterable[Float32[np.ndarray, "sample channel"]], bit_rate: int | None) -> SoundPackets:
    """Code all blocks, at least one, of one or two channels at 48 kHz; ``bit_rate`` is in bits per second.

    The packets reach beyond the last sample, so that a cut or join may round it up.
    """
    coder: _Coder | None = None
    for block in blocks:
        coder = coder or _Coder(block.shape[1], bit_rate)
        coder.add(block)
    if coder is None:
        raise ValueError("no sound to code")
    return coder.finished()


class _Coder:
    """A stream being coded: ``samples`` were added, of which those not yet coded are in ``_rest``."""

    def __init__(self, channels: int, bit_rate: int | None) -> None:
        self._coder = AudioCodecContext.create("libopus", "w")
        self._coder.sample_rate = SAMPLE_RATE
        self._coder.format = "flt"
        self._coder.layout = ("mono", "stereo")[channels - 1]
        self._coder.bit_rate = min(bit_rate or DEFAULT_BIT_RATES[channels - 1], channels * _CHANNEL_BIT_RATE)
        self._coder.options = {"frame_duration": "20", "application": "audio", "vbr": "on"}
        self._coder.open()
        self._channels = channels
        self._rest = np.zeros((0, channels), np.float32)
        self._packets: list[bytes] = []
        self._samples = self._coded = 0

    def add(self, block: Float32[np.ndarray, "sample channel"]) -> None:
        self._samples += len(block)
        data = np.concatenate([self._rest, block])
        whole = len(data) - len(data) % PACKET_SAMPLES
        for start in range(0, whole, PACKET_SAMPLES):
            self._code(data[start : start + PACKET_SAMPLES])
        self._rest = data[whole:]

    def finished(self) -> SoundPackets:
        """All packets; ``trim`` is the coder's delay."""
        samples, trim = self._samples, self._delay()
        reach = trim + samples + 1
        missing = -(-reach // PACKET_SAMPLES) * PACKET_SAMPLES - samples
        self.add(np.zeros((missing, self._channels), np.float32))
        return SoundPackets(self._channels, trim, samples, tuple(self._packets))

    def _delay(self) -> int:
        """The delay in samples that libopus states in its identification header (RFC 7845, section 5.1)."""
        return int.from_bytes((self._coder.extradata or bytes(12))[10:12], "little")

    def _code(self, block: Float32[np.ndarray, "sample channel"]) -> None:
        packed = np.ascontiguousarray(block.reshape(1, -1))
        frame = AudioFrame.from_ndarray(packed, "flt", self._coder.layout.name)
        frame.sample_rate, frame.pts = SAMPLE_RATE, self._coded
        self._coded += len(block)
        self._packets += [bytes(packet) for packet in self._coder.encode(frame)]
