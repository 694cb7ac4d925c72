"""Estimates the nominal frame rate of a sequence of presentation times, as a simple fraction.

Containers round times to their own units, frame intervals of phones vary, and average rates include the last
frame's duration, which some files do not state. So the rate is computed from the presentation times and then
replaced by a simple fraction that is close enough to make no difference over the clip.
"""

from collections.abc import Iterable
from fractions import Fraction
from math import floor

import numpy as np
from jaxtyping import Int

LOWEST, HIGHEST = Fraction(1, 3600), Fraction(1000)  # what MP4 and the clip's header can represent
_NTSC = Fraction(1000, 1001)
_MAX_EXACT_DENOMINATOR = 1001  # rates with denominators up to this one are taken as exact
_MAX_DRIFT = Fraction(1, 4)  # of a frame over the clip, when times vary
_USUAL = tuple(map(Fraction, (24, 25, 30, 48, 50, 60, 90, 100, 120, 240)))  # of cameras
_COARSE_TICKS = 4  # times of frames at most this many ticks apart are exact, not rounded
_DENOMINATORS = (*range(1, 61), 100, 1000, _MAX_EXACT_DENOMINATOR, 10_000, 100_000)


def simple_rate(ticks: Int[np.ndarray, " frame"], unit: Fraction, stated: Iterable[Fraction]) -> Fraction:
    """Frames per second of ascending presentation times in units of ``unit`` seconds.

    ``stated`` are the rates that the file states: one that agrees with the times is used, where these vary
    or are coarse only a nominal one (an average includes the last frame's duration). A single frame has the
    first positive one. Raises ValueError when there is no rate or when it cannot be stored.
    """
    if len(ticks) < 2:
        found = next((rate for rate in stated if rate > 0), None)
        if found is None:
            raise ValueError("states no frame rate")
        return _storable(found)
    span = int(ticks[-1] - ticks[0])
    if span == 0:
        raise ValueError("shows all its frames at the same time")
    steps = len(ticks) - 1
    measured = steps / (span * unit)
    intervals = np.diff(ticks)
    variation = int(np.ptp(intervals))
    grain = int(np.gcd.reduce(intervals)) if variation else 1  # of times that a muxer stored in finer units
    variation, span = variation // grain, span // grain
    coarse = span <= _COARSE_TICKS * steps
    candidates: list[Fraction] = []
    if variation == 0 and coarse:
        tolerance = Fraction(0)
    elif variation <= 1 and not coarse:
        tolerance = Fraction(1, span)
        candidates += stated
    else:
        tolerance = _MAX_DRIFT / steps
        candidates += [rate for rate in stated if rate.denominator in (1, _NTSC.denominator)]
        if variation <= 1:
            candidates += _USUAL
    if variation == 0 and measured.denominator <= _MAX_EXACT_DENOMINATOR:
        candidates.append(measured)
    candidates += _simple_fractions(measured)
    near = (rate for rate in candidates if rate > 0 and abs(rate / measured - 1) <= tolerance)
    return _storable(next(near, measured.limit_denominator(_DENOMINATORS[-1])))


def _simple_fractions(measured: Fraction) -> Iterable[Fraction]:
    """Fractions near a rate, the simplest first; for rates below 1, those of the frame interval."""
    yield Fraction(round(measured))
    yield round(measured / _NTSC) * _NTSC
    for denominator in _DENOMINATORS:
        if measured >= 1:
            yield measured.limit_denominator(denominator)
        else:
            yield 1 / (1 / measured).limit_denominator(denominator)


def _storable(rate: Fraction) -> Fraction:
    if not LOWEST <= rate <= HIGHEST:
        raise ValueError(f"shows {float(rate):g} frames per second, expected {LOWEST} to {floor(HIGHEST)}")
    return rate
