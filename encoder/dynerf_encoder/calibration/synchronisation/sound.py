"""Offsets from sound: the delay between two microphones that hear the same, by GCC-PHAT.

The cross-spectrum of two recordings, whitened (Knapp and Carter 1976, the phase transform), peaks at their
delay even in noise and reverberation. The ratio of the peak to the highest one elsewhere says how clear it
is. Sound takes 2.9 ms per metre: it reaches a distant camera late.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from jaxtyping import Float

RATE = 16_000  # samples per second
LEAST_RATIO = 2.5  # of the peak to the next one: below it delays in reverberant rooms are wrong
SPEED = 343.0  # metres per second
_BAND = (200.0, 4000.0)  # Hz
_MOST_SECONDS = 120.0
_LEAST_SECONDS = 0.5
_APART = 0.004  # seconds beside a peak that belong to it
_SILENCE = 1e-4  # of full scale
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "mov,matroska,webm,avi,mpegts"}


def read_sound(path: Path) -> Float[np.ndarray, " sample"] | None:
    """A video's sound, mono at ``RATE``, from the time of its first picture on; None without usable sound."""
    try:
        with av.open(str(path.absolute()), options=_OPTIONS) as container:
            if not container.streams.audio or not container.streams.video:
                return None
            video = container.streams.video[0]
            start = float((video.start_time or 0) * (video.time_base or Fraction(1)))
            return _decoded(container, start)
    except (av.error.FFmpegError, OSError, ValueError):
        return None


def _decoded(container: "av.container.InputContainer", start: float) -> Float[np.ndarray, " sample"] | None:
    resampler = AudioResampler(format="flt", layout="mono", rate=RATE)
    parts: list[np.ndarray] = []
    begin: float | None = None
    most, count = int(_MOST_SECONDS * RATE), 0
    for frame in container.decode(audio=0):
        if begin is None:
            begin = float(frame.time or 0.0)
        for piece in resampler.resample(frame):
            parts.append(piece.to_ndarray().reshape(-1))
            count += len(parts[-1])
        if count >= most:
            break
    if begin is None or not parts:
        return None
    sound = np.concatenate(parts)[:most]
    lead = round((begin - start) * RATE)
    sound = np.concatenate([np.zeros(lead, sound.dtype), sound]) if lead > 0 else sound[-lead:]
    loud = len(sound) >= _LEAST_SECONDS * RATE and float(np.abs(sound).max()) > _SILENCE
    return sound.astype(np.float64) if loud else None


def delay(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " m"], most: float | None = None
) -> tuple[float, float]:
    """By how many seconds the first recording started earlier, and the ratio of the peak to the next.

    The same sound is ``delay`` seconds later in ``first``. ``most`` bounds the search, in seconds.
    """
    size = 2 ** int(np.ceil(np.log2(len(first) + len(second))))
    cross = np.fft.rfft(first, size) * np.conj(np.fft.rfft(second, size))
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    band = (frequency >= _BAND[0]) & (frequency <= _BAND[1])
    white = np.where(band, cross / np.maximum(np.abs(cross), 1e-12), 0)
    curve = np.fft.irfft(white, size)
    reach = min(len(first), len(second)) if most is None else round(most * RATE)
    lags = np.arange(-min(reach, len(second) - 1), min(reach, len(first) - 1) + 1)
    values = curve[lags % size]
    best = int(values.argmax())
    apart = np.abs(lags - lags[best]) > _APART * RATE
    other = float(values[apart].max()) if apart.any() else 0.0
    ratio = float(values[best]) / other if other > 0 else 0.0
    return float(lags[best]) / RATE, ratio


def sound_offsets(
    sounds: Sequence[Float[np.ndarray, " n"] | None], distances: Sequence[float] | None
) -> tuple[list[float | None], list[float]]:
    """Offsets in seconds of every camera relative to the best connected one, and the ratios of their peaks.

    ``distances`` are of the microphones to the source, in metres; without them sound's travel is neglected.
    Cameras join along the clearest pairs; None for those whose peaks are all below ``LEAST_RATIO``.
    """
    count = len(sounds)
    pairs = []
    for i in range(count):
        for j in range(i + 1, count):
            one, two = sounds[i], sounds[j]
            if one is not None and two is not None:
                seconds, ratio = delay(one, two)
                pairs.append((ratio, i, j, seconds))
    pairs.sort(key=lambda pair: -pair[0])
    offsets: list[float | None] = [None] * count
    ratios = [0.0] * count
    if not pairs or pairs[0][0] < LEAST_RATIO:
        return offsets, ratios
    offsets[pairs[0][1]], ratios[pairs[0][1]] = 0.0, pairs[0][0]
    while (found := _next(pairs, offsets)) is not None:
        ratio, known, new, seconds = found
        travel = 0.0 if distances is None else (distances[new] - distances[known]) / SPEED
        offsets[new], ratios[new] = (offsets[known] or 0.0) + seconds - travel, ratio
    return offsets, ratios


def _next(
    pairs: Sequence[tuple[float, int, int, float]], offsets: Sequence[float | None]
) -> tuple[float, int, int, float] | None:
    """The clearest pair of a camera with an offset and one without: ratio, both, delay of the new one."""
    for ratio, i, j, seconds in pairs:
        if ratio < LEAST_RATIO:
            return None
        if offsets[i] is not None and offsets[j] is None:
            return ratio, i, j, -seconds
        if offsets[j] is not None and offsets[i] is None:
            return ratio, j, i, seconds
    return None
