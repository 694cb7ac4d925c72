"""The sound of the frames that are encoded, as packets of one Opus stream."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Float32

from dynerf_encoder.captures.capture import Capture
from dynerf_format import SAMPLE_RATE, SoundPackets, sound_position
from dynerf_format.errors import CaptureError, ConfigError
from dynerf_format.sound.sound_payload import PACKETS_MAX, PREROLL

from .audio_track import TrackReport, read_track
from .opus_coder import code_opus
from .sound_source import AUTO, NONE, SoundOptions, SoundSource, automatic_sources, named_source

_MOST_SECONDS = PACKETS_MAX / 50 - PREROLL / SAMPLE_RATE - 0.1  # that a chunk of sound can hold
_NOTICEABLE = SAMPLE_RATE // 50  # samples of silence at an end that are mentioned


def code_sound(
    options: SoundOptions,
    capture: Capture,
    held_out: Sequence[str],
    frames: range,
    group: int,
    message: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> SoundPackets | None:
    """Choose, read and code the sound of ``frames``; None when there is none or none is requested.

    ``group`` is the number of frames whose sound stands in one chunk. What was chosen, and what of it is
    silent, is one ``message``. Raises ConfigError or CaptureError only for a source that ``options`` name.
    """
    if options.source == NONE:
        return None
    named = options.source != AUTO
    if named:
        sources = [named_source(options.source, capture, frames)]
    else:
        sources = automatic_sources(capture, held_out, frames)
    if not sources:
        return None
    if group / capture.fps > _MOST_SECONDS:
        refusal = (
            f"a group of {group} frames lasts {float(group / capture.fps):.0f} s, its sound at most 81 s"
        )
        if named:
            raise ConfigError(f"--audio {options.source}: {refusal}; expected a smaller quantisation.group")
        message(f"no sound: {refusal}")
        return None
    samples = sound_position(len(frames), capture.fps.numerator, capture.fps.denominator)
    absences = []
    for source in sources:
        report = TrackReport()
        sound = code_opus(_reported(source, samples, report, progress), options.bit_rate)
        if report.decoded and (named or report.peak > 0):
            message(_description(source, held_out, sound, report))
            return sound
        absences.append(_absence(source, report))
    if named:
        raise CaptureError(f"--audio {options.source}: {absences[0]}")
    message(f"no sound: {absences[0]}")
    return None


def sound_digest(sound: SoundPackets) -> str:
    """SHA-256 (hex) of coded sound: segments that were encoded with another one do not fit."""
    return hashlib.sha256(
        repr((sound.channels, sound.trim, sound.samples, sound.packets)).encode()
    ).hexdigest()


def _reported(
    source: SoundSource, samples: int, report: TrackReport, progress: Callable[[int, int], None]
) -> Iterator[Float32[np.ndarray, "sample channel"]]:
    done = 0
    for block in read_track(source.path, source.start, samples, report):
        yield block
        done += len(block)
        progress(done, samples)


def _description(
    source: SoundSource, held_out: Sequence[str], sound: SoundPackets, report: TrackReport
) -> str:
    """For example: sound: cam00 (held out), stereo, 98 kbit/s; silent for the first 0.5 s."""
    seconds = Fraction(sound.samples, SAMPLE_RATE)
    rate = float(sum(map(len, sound.packets)) * 8 / seconds / 1000)
    where = " (held out)" if source.label in held_out else ""
    silent = [
        f"for the {what} {samples / SAMPLE_RATE:.3g} s"
        for what, samples in (("first", report.lead), ("last", report.tail))
        if samples > _NOTICEABLE
    ]
    if report.gaps:
        silent.append(f"in gaps of {report.gaps / SAMPLE_RATE:.3g} s")
    if report.damaged:
        silent.append(f"where damaged ({report.damaged} packets)")
    kind = ("mono", "stereo")[sound.channels - 1]
    text = f"sound: {source.label}{where}, {kind}, {rate:.0f} kbit/s"
    return f"{text}; silent {', '.join(silent)}" if silent else text


def _absence(source: SoundSource, report: TrackReport) -> str:
    if report.damaged and not report.decoded:
        return f"the track of {source.path} is damaged, nothing of these frames can be decoded"
    if not report.decoded:
        return f"the track of {source.path} has nothing at the time of these frames"
    return f"the track of {source.path} is silent"
