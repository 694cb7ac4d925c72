"""Offsets from sound: four cameras in synthetic rooms, written and read as AAC, and what is not sound."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dynerf_encoder.calibration.synchronisation.sound import (
    LEAST_RATIO,
    RATE,
    SPEED,
    delay,
    read_sound,
    sound_offsets,
)

_SECONDS = 6.0
_WRITTEN = 48_000
_STARTS = (0.0, 11 / 30, 4 / 30, 26 / 30)  # seconds at which the cameras start, whole frames at 30 per second
_DISTANCES = (3.0, 6.0, 4.5, 9.0)  # metres to the source


def _source(generator: np.random.Generator) -> np.ndarray:
    """Syllables: noise whose loudness changes a few times a second."""
    samples = int(10 * _WRITTEN)
    loudness = np.repeat(generator.random(64) ** 2, samples // 64)
    return np.asarray(generator.standard_normal(len(loudness)) * loudness)


def _recording(source: np.ndarray, camera: int, snr: float, generator: np.random.Generator) -> np.ndarray:
    """What a camera records: the direct sound, echoes 1 dB below it in sum, and noise at ``snr`` dB."""
    delays = int(_DISTANCES[camera] / SPEED * _WRITTEN)
    room = np.zeros(int(0.5 * _WRITTEN))
    room[delays] = 1.0
    tail = np.arange(len(room) - delays)
    room[delays:] += 0.018 * generator.standard_normal(len(tail)) * np.exp(-tail / (0.1 * _WRITTEN))
    size = len(source) + len(room)
    recorded = np.fft.irfft(np.fft.rfft(source, size) * np.fft.rfft(room, size), size)
    start = int((1.0 + _STARTS[camera]) * _WRITTEN)
    part = recorded[start : start + int(_SECONDS * _WRITTEN)]
    noise = generator.standard_normal(len(part)) * part.std() * 10 ** (-snr / 20)
    mixed = part + noise
    return np.asarray(0.3 * mixed / np.abs(mixed).max())


def _write(path: Path, sound: np.ndarray) -> Path:
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30, options={"x264-params": "log-level=none"})
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        audio = container.add_stream("aac", rate=_WRITTEN)
        audio.layout = "mono"
        for _ in range(int(_SECONDS * 30)):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode())
        for index, start in enumerate(range(0, len(sound) - 1023, 1024)):
            piece = sound[None, start : start + 1024].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = _WRITTEN, index * 1024, Fraction(1, _WRITTEN)
            container.mux(audio.encode(frame))
        container.mux(audio.encode())
    return path


@pytest.mark.parametrize("snr", [20, 5, -5])
def test_four_cameras_in_a_room_are_exact(tmp_path: Path, snr: int) -> None:
    generator = np.random.default_rng(abs(snr))
    source = _source(generator)
    sounds = [
        read_sound(_write(tmp_path / f"cam{camera}.mp4", _recording(source, camera, snr, generator)))
        for camera in range(4)
    ]
    offsets, ratios = sound_offsets(sounds, _DISTANCES)
    assert min(ratios) >= LEAST_RATIO
    frames = [None if offset is None else 30 * (offset - (offsets[0] or 0.0)) for offset in offsets]
    assert frames == pytest.approx([-30 * start for start in _STARTS], abs=0.05)
    neglected, _ = sound_offsets(sounds, None)
    assert neglected[3] is not None and offsets[3] is not None
    travel = abs((neglected[3] - (neglected[0] or 0)) - (offsets[3] - (offsets[0] or 0)))
    assert travel == pytest.approx((_DISTANCES[3] - _DISTANCES[0]) / SPEED, abs=1e-3)


def test_unrelated_sounds_are_not_confident() -> None:
    generator = np.random.default_rng(1)
    sounds = [generator.standard_normal(3 * RATE) for _ in range(3)]
    offsets, _ = sound_offsets([*sounds, None], None)
    assert offsets == [None, None, None, None]


def test_the_delay_is_that_of_the_later_sound() -> None:
    sound = np.random.default_rng(2).standard_normal(2 * RATE)
    seconds, ratio = delay(np.concatenate([np.zeros(800), sound]), sound)
    assert seconds == pytest.approx(800 / RATE)
    assert ratio > LEAST_RATIO


def test_silence_and_videos_without_sound_are_none(tmp_path: Path) -> None:
    assert read_sound(_write(tmp_path / "silent.mp4", np.zeros(int(_SECONDS * _WRITTEN)))) is None
    assert read_sound(Path(__file__).parents[3] / "samples/candle/cam00.mp4") is None
