"""Parsers of values, for the ``type`` of an argument; errors are ArgumentTypeError with what was expected."""

import argparse
import math
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from dynerf.api.opening import parse_location
from dynerf.api.quantities import parse_bit_rate, parse_duration, parse_shares, parse_size

_T = TypeVar("_T")
_INTEGER = re.compile(r"[0-9]{1,10}")
_RATE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}|/[0-9]{1,6})?")
_MAX_THREADS = 1024
_MAX_RATE = 1000


def local_path(text: str) -> Path:
    """A local path, for commands that do not accept an address."""
    location = parse_location(text)
    if isinstance(location, str):
        raise argparse.ArgumentTypeError(
            "found an address, expected a file or folder on this machine: download it first"
        )
    return location


def positive(text: str) -> int:
    """A whole number from 1."""
    return _integer(text, 1, 10**6)


def port(text: str) -> int:
    """A TCP port; 0 chooses a free one."""
    return _integer(text, 0, 65535)


def keyframes(text: str) -> str:
    """An interval of keyframes in frames, or ``auto``."""
    return text if text == "auto" else str(_integer(text, 1, 10**6))


def threads(text: str) -> int:
    """A number of threads."""
    return _integer(text, 1, _MAX_THREADS)


def seed(text: str) -> int:
    """A random seed of 32 bits."""
    return _integer(text, 0, 2**32 - 1)


def quality(text: str) -> int:
    """A quality from 1 to 10."""
    return _integer(text, 1, 10)


def shares(text: str) -> tuple[float, ...]:
    """Shares of a file, increasing, the last 1."""
    return _quantity(parse_shares, text)


def size(text: str) -> int:
    """A size in bytes, such as ``2MB``."""
    return _quantity(parse_size, text)


def bit_rate(text: str) -> int:
    """Bits per second of sound, such as ``96k``."""
    return _quantity(parse_bit_rate, text)


def duration(text: str) -> float:
    """A duration above 0, in seconds."""
    seconds = _quantity(parse_duration, text)
    if seconds == 0:
        raise argparse.ArgumentTypeError(f"found {text[:40]!r}, expected a duration above 0")
    return float(seconds)


def depths(text: str) -> tuple[float, float]:
    """Two depths, ``NEAR:FAR``."""
    near, _, far = text.partition(":")
    found = number(near), number(far)
    if not 0 < found[0] < found[1]:
        raise argparse.ArgumentTypeError(f"found {text[:40]!r}, expected NEAR:FAR with 0 < NEAR < FAR")
    return found


def rate(text: str) -> Fraction:
    """Frames per second, such as ``25``, ``29.97`` or ``30000/1001``."""
    try:
        found = Fraction(text) if _RATE.fullmatch(text) else Fraction(0)
    except ZeroDivisionError:
        found = Fraction(0)
    if not 0 < found <= _MAX_RATE:
        raise argparse.ArgumentTypeError(
            f"found {text[:40]!r}, expected a rate above 0 and up to {_MAX_RATE}"
        )
    return found.limit_denominator(100_000)


def seconds(text: str) -> float:
    """Seconds of the clip; the range is checked once the clip is open."""
    try:
        return float(parse_duration(text))
    except ValueError:
        return number(text)


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"found {text[:40]!r}, expected a number")
    return value


def _quantity(parse: Callable[[str], _T], text: str) -> _T:
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"found {text[:40]!r}, expected {error}") from None


def _integer(text: str, least: int, most: int) -> int:
    if _INTEGER.fullmatch(text) is None or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(
            f"found {text[:40]!r}, expected a whole number from {least} to {most}"
        )
    return int(text)
