"""Pairs the frames of several videos that show the same instant, by their presentation times.

Frame 0 of a capture is the first instant that all cameras show; ``Pairing.firsts`` is the frame of each video
that shows it. Only differences between videos matter: a start time that all videos share has no effect.
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

_MAX_OFFSET = Fraction(1, 5)  # of a frame, from a whole number of frames
_MAX_DRIFT = 0.5  # of a frame: beyond it another frame of the other camera is nearer


@dataclass(frozen=True)
class Pairing:
    """``frames`` instants that all videos show, from frame ``firsts[i]`` of video i on, ``fps`` per second.

    ``note`` says which frames are not used; None when all are.
    """

    firsts: tuple[int, ...]
    frames: int
    fps: Fraction
    note: str | None


def pair(
    folder: Path, names: Sequence[str], facts: Sequence[VideoFacts], frames: FrameRange | None
) -> Pairing:
    """Pair the frames of all videos over the frames that will be used (None: all).

    Raises CaptureError when frames are missing, when start times do not differ by whole frames, or when the
    videos drift apart by half a frame.
    """
    timelines = [fact.timeline for fact in facts]
    fps = _common_rate([fact.fps for fact in facts])
    used = (frames or FrameRange()).stop
    starts = _start_difference(names, timelines, fps)
    offsets = _start_offsets(folder, timelines, fps, starts)
    firsts = tuple(max(offsets) - offset for offset in offsets)
    for name, timeline, first in zip(names, timelines, firsts, strict=True):
        _check_gaps(folder, name, timeline, timeline.frames if used is None else first + used)
    lengths = [timeline.frames - first for timeline, first in zip(timelines, firsts, strict=True)]
    if min(lengths) < 1:
        raise CaptureError(f"{folder}: {starts}; no instant is shown by all cameras")
    _check_drift(folder, names, facts, firsts, min(lengths) if used is None else min(used, *lengths))
    if not any(firsts):
        if used is None:
            remedy = f"--frames 0:{min(lengths)} selects the frames that all have"
            check_same(folder, names, "frame count", [str(fact.frames) for fact in facts], remedy)
        return Pairing(firsts, min(lengths), fps, None)
    note = (
        f"{starts}: frames are paired by time; {min(lengths)} frames that all cameras show are used, "
        f"of {_range([fact.frames for fact in facts])}"
    )
    return Pairing(firsts, min(lengths), fps, note)


def pair_by_offsets(
    folder: Path,
    names: Sequence[str],
    facts: Sequence[VideoFacts],
    frames: FrameRange | None,
    firsts: tuple[int, ...],
) -> Pairing:
    """Pair frames by their numbers, from frame ``firsts[i]`` of source i on, whatever its start time is.

    Raises CaptureError when frames are missing, or when the sources drift apart by half a frame.
    """
    timelines = [fact.timeline for fact in facts]
    used = (frames or FrameRange()).stop
    for name, timeline, first in zip(names, timelines, firsts, strict=True):
        _check_gaps(folder, name, timeline, timeline.frames if used is None else first + used)
    lengths = [timeline.frames - first for timeline, first in zip(timelines, firsts, strict=True)]
    if min(lengths) < 1:
        short = names[lengths.index(min(lengths))]
        raise CaptureError(
            f"{folder}: {short} ends before the camera with the smallest offset starts; no instant is shown "
            "by all cameras"
        )
    _check_drift(folder, names, facts, firsts, min(lengths) if used is None else min(used, *lengths))
    counts = [fact.frames for fact in facts]
    used_frames = f"{min(lengths)} of {_range(counts)} are used"
    note = f"frames are paired by offsets of up to {max(firsts)} frames; {used_frames}"
    return Pairing(
        firsts, min(lengths), _common_rate([fact.fps for fact in facts]), note if any(firsts) else None
    )


def _common_rate(rates: Sequence[Fraction]) -> Fraction:
    """The most frequent rate; of equally frequent ones that nearest to the median."""
    median = median_low(rates)
    return max(rates, key=lambda rate: (rates.count(rate), -abs(rate - median)))


def _start_offsets(
    folder: Path, timelines: Sequence[Timeline], fps: Fraction, starts: str
) -> tuple[int, ...]:
    """How many frames each video starts after the median start; ``starts`` describes it in an error."""
    median = median_low([timeline.start for timeline in timelines])
    offsets = [(timeline.start - median) * fps for timeline in timelines]
    if any(abs(offset - round(offset)) > _MAX_OFFSET for offset in offsets):
        raise CaptureError(
            f"{folder}: {starts}, expected whole frames; if the cameras were synchronised nevertheless, "
            "remove the start time: ffmpeg -i IN -map 0:v -c copy -avoid_negative_ts make_zero OUT"
        )
    return tuple(round(offset) for offset in offsets)


def _start_difference(names: Sequence[str], timelines: Sequence[Timeline], fps: Fraction) -> str:
    """Cameras with other start times, as "cam03 starts 0.067 s (2 frames) after the others"."""
    median = median_low([timeline.start for timeline in timelines])
    by_difference: dict[Fraction, list[str]] = {}
    for name, timeline in zip(names, timelines, strict=True):
        if abs(timeline.start - median) * fps > _MAX_OFFSET:
            by_difference.setdefault(timeline.start - median, []).append(name)
    parts = []
    for seconds, cameras in sorted(by_difference.items()):
        frames = abs(seconds) * fps
        if abs(frames - round(frames)) <= _MAX_OFFSET:  # MP4 rounds start times to milliseconds
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
        intervals = np.diff(timeline.ticks[:stop]) * float(timeline.unit)
        raise CaptureError(
            f"{folder}: {name} has varying frame intervals, {intervals.min():.3f} to "
            f"{intervals.max():.3f} s, expected a constant frame rate"
        )
    more = f"; {len(gaps) - 1} more intervals are irregular" if len(gaps) > 1 else ""
    raise CaptureError(f"{folder}: {name} {_gap_text(gaps[0], float(timeline.step))}{more}")


def _gap_text(gap: Gap, step: float) -> str:
    if gap.missing < 0:
        what = f"shows frame {gap.after + 1} too early"
    else:
        what = f"lacks {'a frame' if gap.missing == 1 else f'{gap.missing} frames'}"
    return f"{what} after frame {gap.after}: {gap.seconds:.3f} s to the next one, expected {step:.3f} s"


def _check_drift(
    folder: Path, names: Sequence[str], facts: Sequence[VideoFacts], firsts: Sequence[int], used: int
) -> None:
    """CaptureError when times of the same frame differ by half a frame between videos, from frame 0 on."""
    times = np.stack([
        (fact.timeline.ticks[first : first + used] - fact.timeline.ticks[first]) * float(fact.timeline.unit)
        for fact, first in zip(facts, firsts, strict=True)
    ])  # fmt: skip
    step = float(min(fact.timeline.step for fact in facts))
    drift = np.ptp(times, axis=0) / step
    if drift.max() < _MAX_DRIFT:
        return
    frame = int(np.argmax(drift >= _MAX_DRIFT))
    found = f"from frame {frame} on they are half a frame or more apart"
    check_same(folder, names, "frame rate", [f"{float(fact.fps):.6g}" for fact in facts], found)
    slow, fast = names[int(times[:, frame].argmax())], names[int(times[:, frame].argmin())]
    raise CaptureError(f"{folder}: {slow} and {fast} are not synchronised: {found}")


def check_same(folder: Path, names: Sequence[str], what: str, values: Sequence[str], more: str = "") -> None:
    """CaptureError listing the cameras by value, unless all values are equal."""
    by_value: dict[str, list[str]] = {}
    for name, value in zip(names, values, strict=True):
        by_value.setdefault(value, []).append(name)
    if len(by_value) > 1:
        # The smallest group first: its cameras are the likely culprits.
        groups = sorted(by_value.items(), key=lambda item: len(item[1]))
        found = "; ".join(f"{value} in {listed(cameras)}" for value, cameras in groups)
        raise CaptureError(f"{folder}: cameras differ in {what}: {found}{more and f'; {more}'}")


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names joined for a sentence; of many only the first ones and a count."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def _range(values: Sequence[int]) -> str:
    return f"{min(values)}" if min(values) == max(values) else f"{min(values)} to {max(values)}"
