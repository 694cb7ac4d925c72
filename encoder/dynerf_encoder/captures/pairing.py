"""Which frames of several videos show the same instant: paired by the times that the files state.

Frame 0 of a capture is the first instant that all cameras show; ``Pairing.firsts`` says which frame of each
video that is. Times are compared with each other only, so an equal start of all videos means nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median_low

import numpy as np

from dynerf_format.errors import CaptureError
from dynerf_format.frame_range import FrameRange

from .timeline import Gap, Timeline
from .video import VideoFacts

_MOST_APART = Fraction(1, 5)  # of a frame from a whole number of frames
_MOST_DRIFT = 0.5  # of a frame: from there on, another frame of the other camera is nearer


@dataclass(frozen=True)
class Pairing:
    """``frames`` instants that all videos show, from frame ``firsts[i]`` of video i on, ``fps`` a second.

    ``note`` says what was left out, if anything was.
    """

    firsts: tuple[int, ...]
    frames: int
    fps: Fraction
    note: str | None


def pair(
    folder: Path, names: Sequence[str], facts: Sequence[VideoFacts], frames: FrameRange | None
) -> Pairing:
    """Pair the frames of all videos over the frames that will be used (None: all).

    Raises CaptureError when frames are missing, when the videos do not start whole frames apart, or when
    they drift apart by half a frame.
    """
    timelines = [fact.timeline for fact in facts]
    fps = _common_rate([fact.fps for fact in facts])
    used = (frames or FrameRange()).stop
    starts = _start_difference(names, timelines, fps)
    later = _starts_later(folder, timelines, fps, starts)
    firsts = tuple(max(later) - own for own in later)
    for name, timeline, first in zip(names, timelines, firsts, strict=True):
        _check_gaps(folder, name, timeline, timeline.frames if used is None else first + used)
    lengths = [timeline.frames - first for timeline, first in zip(timelines, firsts, strict=True)]
    if min(lengths) < 1:
        raise CaptureError(f"{folder}: {starts}; no instant is shown by all")
    _check_drift(folder, names, facts, firsts, min(lengths) if used is None else min(used, *lengths))
    if not any(firsts):
        if used is None:
            cure = f"--frames 0:{min(lengths)} takes what all have"
            check_same(folder, names, "frame count", [str(fact.frames) for fact in facts], cure)
        return Pairing(firsts, min(lengths), fps, None)
    note = (
        f"{starts}: frames are paired by time, and the {min(lengths)} frames are used "
        f"that all cameras show, of {_range([fact.frames for fact in facts])}"
    )
    return Pairing(firsts, min(lengths), fps, note)


def _common_rate(rates: Sequence[Fraction]) -> Fraction:
    """The rate that most videos have; of equally frequent ones that nearest to the middle."""
    middle = median_low(rates)
    return max(rates, key=lambda rate: (rates.count(rate), -abs(rate - middle)))


def _starts_later(folder: Path, timelines: Sequence[Timeline], fps: Fraction, starts: str) -> tuple[int, ...]:
    """By how many frames each video starts after the usual start; ``starts`` says it in an error."""
    usual = median_low([timeline.start for timeline in timelines])
    offsets = [(timeline.start - usual) * fps for timeline in timelines]
    if any(abs(offset - round(offset)) > _MOST_APART for offset in offsets):
        raise CaptureError(
            f"{folder}: {starts}, expected whole frames; if the cameras ran in step all the same, take the "
            "start out: ffmpeg -i IN -map 0:v -c copy -avoid_negative_ts make_zero OUT"
        )
    return tuple(round(offset) for offset in offsets)


def _start_difference(names: Sequence[str], timelines: Sequence[Timeline], fps: Fraction) -> str:
    """Which cameras start when, beside the others: "cam03 starts 0.067 s (2 frames) after the others"."""
    usual = median_low([timeline.start for timeline in timelines])
    having: dict[Fraction, list[str]] = {}
    for name, timeline in zip(names, timelines, strict=True):
        if abs(timeline.start - usual) * fps > _MOST_APART:
            having.setdefault(timeline.start - usual, []).append(name)
    parts = []
    for seconds, cameras in sorted(having.items()):
        frames = abs(seconds) * fps
        if abs(frames - round(frames)) <= _MOST_APART:  # MP4 rounds a start to milliseconds
            frames = Fraction(round(frames))
        parts.append(
            f"{listed(cameras)} {'start' if len(cameras) > 1 else 'starts'} {float(frames / fps):.3f} s "
            f"({float(frames):.3g} {'frame' if frames == 1 else 'frames'}) "
            f"{'after' if seconds > 0 else 'before'}"
        )
    return f"{', '.join(parts)} the others"


def _check_gaps(folder: Path, name: str, timeline: Timeline, stop: int) -> None:
    gaps = list(timeline.gaps(stop))
    if not gaps:
        return
    if len(gaps) * 4 > min(stop, timeline.frames):
        distances = np.diff(timeline.ticks[:stop]) * float(timeline.unit)
        raise CaptureError(
            f"{folder}: {name} shows its frames at varying distances, {distances.min():.3f} to "
            f"{distances.max():.3f} s, expected a constant frame rate"
        )
    more = f", and at {len(gaps) - 1} more places" if len(gaps) > 1 else ""
    raise CaptureError(f"{folder}: {name} {_described(gaps[0], float(timeline.step))}{more}")


def _described(gap: Gap, step: float) -> str:
    if gap.left_out < 0:
        what = f"shows frame {gap.after + 1} too early"
    else:
        what = f"leaves out {'a frame' if gap.left_out == 1 else f'{gap.left_out} frames'}"
    return f"{what} after frame {gap.after}: {gap.seconds:.3f} s to the next one, expected {step:.3f} s"


def _check_drift(
    folder: Path, names: Sequence[str], facts: Sequence[VideoFacts], firsts: Sequence[int], used: int
) -> None:
    """CaptureError when the same frame of two videos is shown half a frame apart, counted from frame 0."""
    times = np.stack([
        (fact.timeline.ticks[first : first + used] - fact.timeline.ticks[first]) * float(fact.timeline.unit)
        for fact, first in zip(facts, firsts, strict=True)
    ])  # fmt: skip
    step = float(min(fact.timeline.step for fact in facts))
    apart = np.ptp(times, axis=0) / step
    if apart.max() < _MOST_DRIFT:
        return
    frame = int(np.argmax(apart >= _MOST_DRIFT))
    last = f"from frame {frame} on they are half a frame or more apart"
    check_same(folder, names, "frame rate", [f"{float(fact.fps):.6g}" for fact in facts], last)
    slow, fast = names[int(times[:, frame].argmax())], names[int(times[:, frame].argmin())]
    raise CaptureError(f"{folder}: {slow} and {fast} do not run in step: {last}")


def check_same(folder: Path, names: Sequence[str], what: str, values: Sequence[str], more: str = "") -> None:
    """CaptureError saying which camera has what, unless all values are equal."""
    having: dict[str, list[str]] = {}
    for name, value in zip(names, values, strict=True):
        having.setdefault(value, []).append(name)
    if len(having) > 1:
        # The odd ones out first: they are what the user has to look for.
        groups = sorted(having.items(), key=lambda item: len(item[1]))
        found = "; ".join(f"{value} in {listed(cameras)}" for value, cameras in groups)
        raise CaptureError(f"{folder}: cameras differ in {what}: {found}{more and f'; {more}'}")


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names in a sentence, the first ones of many."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def _range(values: Sequence[int]) -> str:
    return f"{min(values)}" if min(values) == max(values) else f"{min(values)} to {max(values)}"
