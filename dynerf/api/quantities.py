"""Parses sizes, durations and rates: ``300 kB``, ``1h30m``, ``30000/1001``.

Units are case-insensitive and may follow a space. Every function raises ValueError with a message that
states what was expected.
"""

import re
from fractions import Fraction
from itertools import pairwise

_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,12})?|\.[0-9]{1,12}"
_SIZE = re.compile(rf"({_NUMBER}) *([a-z]*)", re.IGNORECASE)
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_SIZES = {
    **{f"{prefix}b": factor for prefix, factor in _FACTORS.items()},
    **_FACTORS, "byte": 1, "bytes": 1,
}  # fmt: skip
_MAX_BYTES = 2**32 - 1
_BIT_RATE = re.compile(rf"({_NUMBER}) *(k?)(?:b|bit|bps|bit/s|b/s)?", re.IGNORECASE)
LEAST_BIT_RATE, MOST_BIT_RATE = 6_000, 510_000
"""Bits per second that Opus is specified for (RFC 6716, section 2.1.1)."""
_DURATION = re.compile(
    rf"(?:({_NUMBER}) *(?:h|hr|hrs|hours?))? *(?:({_NUMBER}) *(?:m|min|mins|minutes?))? *"
    rf"(?:({_NUMBER}) *(?:s|sec|secs|seconds?))?",
    re.IGNORECASE,
)
_PERCENTAGE = re.compile(rf"({_NUMBER}) *%?")
_PLAIN = re.compile(_NUMBER)
_FRAMES = re.compile(r"([0-9]{1,9}) *(?:f|frames?)", re.IGNORECASE)
# Plain numbers only: Fraction would expand 1e99999999.
_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?|[0-9]{1,9} */ *[0-9]{1,9}) *(?:fps)?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes, 1 to 2^32 - 1: kB and MB are powers of ten, as in the command's output; KiB is 2^10."""
    match = _SIZE.fullmatch(text.strip())
    factor = None if match is None else _SIZES.get(match[2].lower())
    size = 0 if match is None or factor is None else round(Fraction(match[1]) * factor)
    if not 1 <= size <= _MAX_BYTES:
        raise ValueError("a size such as 500kB or 2MB, below 4GiB")
    return size


def parse_bit_rate(text: str) -> int:
    """Bits per second of sound, 6000 to 510000: ``96k``, ``96 kbit/s`` or ``96000``."""
    match = _BIT_RATE.fullmatch(text.strip())
    rate = 0 if match is None else round(Fraction(match[1]) * (1000 if match[2] else 1))
    if not LEAST_BIT_RATE <= rate <= MOST_BIT_RATE:
        raise ValueError("a bit rate from 6k to 510k, such as 96k")
    return rate


def parse_shares(text: str) -> tuple[float, ...]:
    """Increasing percentages above 0, the last 100: ``10%,30%,100%``."""
    matches = [_PERCENTAGE.fullmatch(part.strip()) for part in text.split(",")]
    shares = [0.0 if match is None else float(match[1]) / 100 for match in matches]
    if shares[-1] != 1 or any(share >= after for share, after in pairwise((0.0, *shares))):
        raise ValueError("increasing percentages of which the last is 100%, such as 10%,30%,100%")
    return tuple(shares)


def parse_duration(text: str) -> Fraction:
    """Seconds, at least 0: a bare number, or hours, minutes and seconds with their units."""
    text = text.strip()
    if _PLAIN.fullmatch(text):
        return Fraction(text)
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError("a duration such as 90, 90s, 3m, 2h or 1h30m")
    hours, minutes, seconds = (Fraction(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds


def parse_frames_or_seconds(text: str) -> tuple[Fraction, str]:
    """A length above 0 and its unit, ``f`` or ``s``: ``120f``, ``10s`` or ``1m30s``, not a bare number."""
    frames = _FRAMES.fullmatch(text.strip())
    if frames is not None and int(frames[1]) > 0:
        return Fraction(int(frames[1])), "f"
    try:
        seconds = Fraction(0) if _PLAIN.fullmatch(text.strip()) else parse_duration(text)
    except ValueError:
        seconds = Fraction(0)
    if seconds == 0:
        raise ValueError("seconds, minutes or frames above 0, such as 10s, 2m or 120f")
    return seconds, "s"


def parse_rate(text: str) -> Fraction:
    """Frames per second, above 0: ``30``, ``29.97``, ``30000/1001`` or ``30 fps``."""
    match = _RATE.fullmatch(text.strip())
    try:
        rate = Fraction(0) if match is None else Fraction(match[1].replace(" ", ""))
    except ZeroDivisionError:
        rate = Fraction(0)
    if rate == 0:
        raise ValueError("frames per second, such as 30 or 30000/1001")
    return rate
