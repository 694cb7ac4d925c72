"""Sound for tests: payloads written by hand, synthesised signals, and clips with the sound of a signal.

Signals are float32 arrays (sample, channel) at 48 kHz.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream

from dynerf_format import (
    SAMPLE_RATE,
    Chunk,
    FileSource,
    Reader,
    SoundPackets,
    sound_chunk,
    sound_position,
    write_clip,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from av.container import InputContainer, OutputContainer

    from dynerf_format import Header

Signal = npt.NDArray[np.float32]
SILK_20_MS = 1
"""Configuration of a table-of-contents byte: SILK, narrow band; the one below it has 10 ms."""


def opus_packet(configuration: int, length: int, seed: int = 0) -> bytes:
    """A packet of one coded frame, with arbitrary contents."""
    return bytes([configuration << 3, *((seed + 37 * n) % 256 for n in range(length - 1))])


def sound_payload(channels: int, trim: int, samples: int, packets: Sequence[bytes]) -> bytes:
    """A payload, valid or not."""
    head = struct.pack("<BBHII", 1, channels, len(packets), trim, samples)
    return head + struct.pack(f"<{len(packets)}H", *map(len, packets)) + b"".join(packets)


def clicks(seconds: float, at: Sequence[float], channels: int = 1, rate: int = SAMPLE_RATE) -> Signal:
    """Silence with a click of 1 ms at each of the given seconds."""
    signal = np.zeros((round(seconds * rate), channels), np.float32)
    length = max(rate // 1000, 2)
    for time in at:
        start = round(time * rate)
        signal[start : start + length] = (0.9 * (-1.0) ** np.arange(length))[:, None]
    return signal


def sweep(seconds: float, channels: int = 1, rate: int = SAMPLE_RATE) -> Signal:
    """A tone that rises from 100 Hz to 4 kHz."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * 100 * seconds / np.log(40) * (40 ** (time / seconds) - 1)
    return np.repeat(0.5 * np.sin(phase)[:, None], channels, axis=1).astype(np.float32)


def opus_stream(signal: Signal, bit_rate: int = 96_000) -> SoundPackets:
    """A signal (sample, channel) as one stream of packets; what decodes to its first sample follows
    ``trim``.
    """
    channels = signal.shape[1]
    coder = av.CodecContext.create("libopus", "w")
    coder.sample_rate, coder.format, coder.bit_rate = SAMPLE_RATE, "flt", bit_rate
    coder.layout = ("mono", "stereo")[channels - 1]
    coder.open()
    assert coder.extradata is not None
    trim = int.from_bytes(coder.extradata[10:12], "little")
    padded = np.concatenate([signal, np.zeros((2880 - len(signal) % 960, channels), np.float32)])
    packets: list[bytes] = []
    for start in range(0, len(padded), 960):
        block = np.ascontiguousarray(padded[start : start + 960].reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(block, "flt", coder.layout)
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        packets += [bytes(packet) for packet in coder.encode(frame)]
    return SoundPackets(channels, trim, len(signal), tuple(packets))


def with_sound(header: Header, chunks: Sequence[Chunk], signal: Signal) -> list[Chunk]:
    """The chunks of a clip and, behind each group of latents, the sound of its frames."""
    stream, found = opus_stream(signal), []
    for chunk in chunks:
        found.append(chunk)
        if chunk.kind == b"LATN":
            start, end = (
                sound_position(frame, header.fps_numerator, header.fps_denominator)
                for frame in (chunk.first, chunk.first + chunk.count)
            )
            part = stream.window(start, min(end, stream.samples) - start)
            if part is not None:
                found.append(sound_chunk(chunk.segment, chunk.first, chunk.count, part))
    return found


@dataclass(frozen=True)
class Track:
    """How a signal is stored beside a video: ``late`` are seconds after its first picture, ``rate`` its own.

    ``tempo`` stretches the times that the file states. ``cut`` are seconds [a, b) of packets that are left
    out, ``damaged`` those of packets whose bytes are changed.
    """

    signal: Signal
    rate: int = SAMPLE_RATE
    codec: str = "pcm_s16le"
    layout: str = ""
    late: float = 0.0
    tempo: Fraction = Fraction(1)
    cut: tuple[float, float] = (0.0, 0.0)
    damaged: tuple[float, float] = (0.0, 0.0)


def add_track(video: Path, track: Track, container: str = "") -> None:
    """Write a video anew, its packets as they are, with an audio track.

    ``container`` is a suffix, by default the video's; the name stays.
    """
    output = video.with_name(f"with_sound.{container or video.suffix[1:]}")
    with av.open(str(video)) as source, av.open(str(output), "w") as target:
        pictures = source.streams.video[0]
        copied = target.add_stream_from_template(pictures)
        sound = add_audio(target, track)
        packets: list[Any] = []
        for packet in source.demux(pictures):
            if packet.dts is not None:
                packet.stream = copied
                packets.append(packet)
        packets += coded_track(sound, track)
        for packet in sorted(packets, key=lambda each: float(each.dts * each.time_base)):
            target.mux(packet)
    output.replace(video)


def add_audio(target: OutputContainer, track: Track) -> AudioStream:
    """A new audio stream for a track."""
    stream = target.add_stream(track.codec, rate=track.rate)
    assert isinstance(stream, AudioStream)
    stream.layout = track.layout or {1: "mono", 2: "stereo", 6: "5.1"}[track.signal.shape[1]]
    return stream


def coded_track(stream: AudioStream, track: Track) -> list[Any]:
    """The packets of a track."""
    packets: list[Any] = []
    formats = stream.codec_context.codec.audio_formats
    assert formats is not None
    kind = formats[0].name
    start = round(track.late * track.rate)
    for index in range(0, len(track.signal), 1024):
        block = track.signal[index : index + 1024]
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(block.reshape(1, -1)), "flt", stream.layout.name
        )
        frame.sample_rate, frame.pts, frame.time_base = track.rate, start + index, Fraction(1, track.rate)
        if kind != "flt":
            resampler = av.AudioResampler(format=kind, layout=stream.layout, rate=track.rate)
            (frame,) = resampler.resample(frame)
            frame.pts, frame.time_base = start + index, Fraction(1, track.rate)
        packets += stream.encode(frame)
    packets += stream.encode(None)
    return [_altered(packet, track) for packet in packets if not _within(packet, track, track.cut)]


def _within(packet: Any, track: Track, seconds: tuple[float, float]) -> bool:
    return seconds[0] <= float(packet.pts * packet.time_base) - track.late < seconds[1]


def _altered(packet: Any, track: Track) -> Any:
    if _within(packet, track, track.damaged):
        packet = _damaged(packet)
    packet.pts, packet.dts = (round(tick * track.tempo) for tick in (packet.pts, packet.dts))
    return packet


def _damaged(packet: Any) -> Any:
    """A packet of the same time and length whose bytes are all ones."""
    broken: Any = av.Packet(b"\xff" * packet.size)
    broken.pts, broken.dts, broken.duration = packet.pts, packet.dts, packet.duration
    broken.time_base, broken.stream = packet.time_base, packet.stream
    return broken


def write_wave(path: Path, signal: Signal, rate: int = SAMPLE_RATE) -> None:
    """A WAV file."""
    with av.open(str(path), "w") as container:
        track = Track(signal, rate)
        container.mux(coded_track(add_audio(container, track), track))


def onsets(sound: Signal, level: float = 0.3) -> list[float]:
    """The seconds at which sound gets louder than ``level`` after at least 50 ms below it."""
    loud = np.flatnonzero(np.abs(sound).max(axis=1) > level)
    pairs = zip([-SAMPLE_RATE, *loud], loud, strict=False)
    return [float(after) / SAMPLE_RATE for before, after in pairs if after - before > SAMPLE_RATE // 20]


def track_seconds(container: InputContainer, stream: AudioStream) -> Fraction:
    """How long a track is, as the file states it."""
    if stream.duration is None or stream.time_base is None:
        return Fraction(container.duration or 0, 1_000_000)
    return stream.duration * stream.time_base


def sound_of_file(path: Path) -> Signal:
    """All sound of a file as a player plays it, from presentation time 0 to the track's end, at its own
    rate.
    """
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        length = round(track_seconds(container, stream) * stream.rate)
        found = np.zeros((length, stream.channels), np.float32)
        resampler = av.AudioResampler(format="flt", layout=stream.layout, rate=stream.rate)
        for frame in container.decode(stream):
            assert frame.pts is not None
            assert frame.time_base is not None
            position = round(frame.pts * frame.time_base * stream.rate)
            frame.pts = None
            for piece in resampler.resample(frame):
                block = piece.to_ndarray().reshape(-1, stream.channels)[: length - position]
                found[position : position + len(block)] = block
        return found


def resounded(clip: Path, output: Path, signal: Signal) -> Path:
    """A copy of a clip with a signal as its sound."""
    with FileSource(clip) as source:
        reader = Reader(source)
        chunks = [
            Chunk(entry.kind, entry.segment, entry.layer, entry.first, entry.count, reader.read_chunk(entry))
            for entry in reader.directory
        ]
        write_clip(output, reader.header, with_sound(reader.header, chunks, signal))
    return output
