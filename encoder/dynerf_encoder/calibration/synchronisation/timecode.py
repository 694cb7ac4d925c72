"""Offsets from timecodes: the time of day at which each recording starts, as the camera wrote it."""

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av

_TIMECODE = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})([:;])([0-9]{2,3})")
_DAY = 24 * 3600
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "mov,matroska,webm,avi,mpegts,h264,hevc"}


def read_timecode(path: Path, fps: Fraction) -> int | None:
    """The frame of the day at which a video starts; None without a timecode, or when it cannot be read."""
    try:
        with av.open(str(path.absolute()), options=_OPTIONS) as container:
            texts = [stream.metadata.get("timecode") for stream in container.streams]
            texts.append(container.metadata.get("timecode"))
    except (av.error.FFmpegError, OSError):
        return None
    found = [frame for text in texts if text and (frame := frame_of_day(text, fps)) is not None]
    return found[0] if found else None


def frame_of_day(text: str, fps: Fraction) -> int | None:
    """The number of frames since midnight of ``hh:mm:ss:ff``; ``;`` before ff is drop-frame counting."""
    match = _TIMECODE.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, seconds, frames = (int(match[group]) for group in (1, 2, 3, 5))
    nominal = round(fps)
    if minutes > 59 or seconds > 59 or hours > 23 or frames >= max(nominal, 1):
        return None
    total = (hours * 3600 + minutes * 60 + seconds) * nominal + frames
    if match[4] == ";":  # SMPTE 12M: the first numbers of a minute are skipped, but not every tenth minute
        minute = hours * 60 + minutes
        total -= round(nominal / 15) * (minute - minute // 10)
    return total


def timecode_offsets(starts: Sequence[int | None], fps: Fraction) -> list[int | None]:
    """Offsets in frames by the cameras' starts: an earlier one is a larger offset, midnight considered."""
    known = [start for start in starts if start is not None]
    if not known:
        return [None] * len(starts)
    day = round(_DAY * fps)
    return [None if start is None else (known[0] - start + day // 2) % day - day // 2 for start in starts]
