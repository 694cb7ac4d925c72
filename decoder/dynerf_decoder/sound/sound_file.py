"""Writes a track as a sound file: WAV (16 bits) or Ogg Opus."""

from pathlib import Path

import av

from dynerf_format import SAMPLE_RATE
from dynerf_format.errors import ConfigError, OutputError
from dynerf_format.io.atomic_write import atomic_path, check_writable

from .audio_stream import AudioStreamWriter
from .sound_track import SoundTrack

_FORMATS = {".wav": ("wav", "wav"), ".opus": ("ogg", "opus")}
_WAV_BYTES_MAX = 2**32 - 4096  # of samples; the sizes in a WAV file have 32 bits


def check_sound_file(path: Path) -> None:
    """ConfigError unless the name ends in .wav or .opus, OutputError when it cannot be written."""
    if path.suffix.lower() not in _FORMATS:
        raise ConfigError(f"{path}: ends in {path.suffix or 'no suffix'}, supported are .wav and .opus")
    check_writable(path)


def write_sound(path: Path, track: SoundTrack) -> None:
    """Write a track; the file appears complete or not at all. Raises ConfigError, OutputError."""
    check_sound_file(path)
    kind, codec = _FORMATS[path.suffix.lower()]
    most = _WAV_BYTES_MAX // (2 * track.channels)
    if kind == "wav" and track.samples > most:
        found, holds = (samples / SAMPLE_RATE / 3600 for samples in (track.samples, most))
        raise ConfigError(
            f"{path}: {found:.1f} h of sound, a WAV file holds {holds:.1f} h; expected fewer frames or .opus"
        )
    with atomic_path(path) as temporary:
        try:
            with av.open(str(temporary.absolute()), "w", format=kind) as container:
                AudioStreamWriter(container, track, codec).finish()
            with av.open(str(temporary.absolute())) as container:  # a full disk is not always reported
                found = sum(frame.samples for frame in container.decode(audio=0))
        except (av.error.FFmpegError, OSError) as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
        if found < track.samples:
            raise OutputError(f"{path}: reads back as {found} samples, expected {track.samples}")
