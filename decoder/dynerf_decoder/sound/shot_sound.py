"""Which sound belongs to a sequence of pictures: none unless the clip's time passes at its own speed."""

from collections.abc import Sequence
from fractions import Fraction

from dynerf_format import SAMPLE_RATE
from dynerf_format.container.reader import Reader

from .sound_track import SoundTrack, has_sound

NOT_NORMAL = "without sound: the time of the clip does not pass at its own speed"


def plays_normally(times: Sequence[float], fps: Fraction, reader: Reader) -> bool:
    """Whether pictures at ``times`` (seconds of the clip), shown ``fps`` per second, keep the clip's pace.

    Each is then within half a frame of its time; pictures after the last frame show that frame.
    """
    header = reader.header
    last = float((header.frames - 1) / header.fps)
    most = 0.5 / float(header.fps)
    expected = (min(times[0] + float(index / fps), last) for index in range(len(times)))
    return all(abs(time - wanted) <= most for time, wanted in zip(times, expected, strict=True))


def sound_of_times(reader: Reader, times: Sequence[float], fps: Fraction) -> SoundTrack | None:
    """The sound of pictures at ``times``, exactly as long as these are shown.

    None when the clip has none there, or time does not pass normally. Raises RemoteError.
    """
    if not has_sound(reader) or not plays_normally(times, fps, reader):
        return None
    samples = len(times) * SAMPLE_RATE * fps.denominator // fps.numerator
    track = SoundTrack.of(reader, round(times[0] * SAMPLE_RATE), samples)
    return track if track.parts or track.damage else None
