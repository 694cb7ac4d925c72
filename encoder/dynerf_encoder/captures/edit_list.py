"""Reads the edit list of an MP4 or QuickTime track, and checks that FFmpeg shows what it states.

FFmpeg plays edits of any rate at rate 1, misreads empty edits between others, and moves the first frame of a
part to the part's start, even where the part begins in the middle of the frame before. The file is not
trusted: boxes are found by seeking, and the sizes of tables are bounded.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Int

from dynerf_format.errors import CaptureError, reason

from .timeline import Timeline

_MAX_BOXES = 10_000  # in one box
_MAX_EDITS = 10_000
_MAX_BYTES = 2**26  # of a table
_MAX_FRAMES = 2**23  # 39 hours at 60 frames per second
_MAX_OFFSET = 0.2  # of a frame, between times by the edit list and by FFmpeg
_LATEST = 2**62  # later times are taken as this one
_NORMAL_RATE = 2**16  # 16.16 bits
_NARROW = np.dtype([("duration", ">u4"), ("start", ">i4"), ("rate", ">i4")])
_WIDE = np.dtype([("duration", ">u8"), ("start", ">i8"), ("rate", ">i4")])
_REMEDY = (
    "export the video with its edits applied, or, to use its frames as recorded, remove the edit list: "
    "ffmpeg -ignore_editlist 1 -i IN -map 0:v -c copy -avoid_negative_ts make_zero OUT"
)

_Span = tuple[int, int]  # of a box's content in the file


@dataclass(frozen=True)
class _Edit:
    """Shows the media from ``start`` on, which is None in an empty edit; both in units of the track."""

    duration: int
    start: int | None


@dataclass(frozen=True, eq=False)
class EditList:
    """The edits of a track, and the ascending presentation times of its frames before editing."""

    edits: tuple[_Edit, ...]
    times: Int[np.ndarray, " frame"]

    def delay(self, timeline: Timeline, where: str) -> Fraction:
        """How long after its time by FFmpeg the first frame is shown, in seconds; ``timeline`` is FFmpeg's.

        Raises CaptureError when FFmpeg shows other frames than the edits, or at other times.
        """
        shown = [edit for edit in self.edits if edit.start is not None]
        if len(shown) == 1:
            start = shown[0].start or 0
            return int(self.times[np.searchsorted(self.times, start)] - start) * timeline.unit
        stated = self._stated(timeline.frames)
        if len(stated) != timeline.frames:
            raise CaptureError(
                f"{where}: its edit list of {len(shown)} parts shows other frames than FFmpeg; {_REMEDY}"
            )
        first = int(stated[0]) - int(timeline.ticks[0])
        off = np.abs(stated - timeline.ticks - first) > _MAX_OFFSET * float(timeline.step / timeline.unit)
        if off.any():
            raise CaptureError(
                f"{where}: FFmpeg does not show frame {int(off.argmax())} at the time that the edit list of "
                f"{len(shown)} parts states; {_REMEDY}"
            )
        return first * timeline.unit

    def check_not_empty(self, where: str) -> None:
        """CaptureError when no frame is shown."""
        if not len(self._stated(1)):
            raise CaptureError(f"{where}: its edit list shows no frame; {_REMEDY}")

    def _stated(self, most: int) -> Int[np.ndarray, " shown"]:
        """The times at which frames are shown by all edits, until more than ``most`` are found."""
        parts, begin, found = [np.zeros(0, np.int64)], 0, 0
        for edit in self.edits:
            if edit.start is not None and found <= most:
                low, high = np.searchsorted(self.times, [edit.start, edit.start + edit.duration])
                parts.append(self.times[low:high] - edit.start + begin)
                found += int(high - low)
            begin = min(begin + edit.duration, _LATEST)
        return np.concatenate(parts)


def read_edits(path: Path, track: int, unit: Fraction) -> EditList | None:
    """The edit list of the track with the number ``track`` and times in units of ``unit`` seconds.

    None when it has none, or when all its frames are in fragments, whose times by FFmpeg are as stated.
    Raises CaptureError when it cannot be read, or states what FFmpeg does not honour.
    """
    where = str(path)
    try:
        with path.open("rb") as file:
            found = _read(file, track, unit, where)
    except OSError as error:
        raise CaptureError(f"{path}: cannot be read: {reason(error)}") from error
    except (struct.error, ValueError) as error:
        raise CaptureError(
            f"{path}: its edit list cannot be read ({error}); write its index anew: "
            "ffmpeg -i IN -map 0:v -c copy OUT"
        ) from error
    if found is not None:
        found.check_not_empty(where)
    return found


def _read(file: BinaryIO, track: int, unit: Fraction, where: str) -> EditList | None:
    movie = _Box(file, "file", (0, file.seek(0, 2))).first("moov")
    tracks = [box for box in movie.all("trak") if box.first("tkhd").after_dates() == track]
    if len(tracks) != 1:
        raise ValueError(f"{len(tracks)} tracks have number {track}")
    lists = [edits for box in tracks[0].all("edts") for edits in box.all("elst")]
    if not lists:
        return None
    if len(lists) > 1:
        raise ValueError(f"track {track} has {len(lists)}")
    entries = lists[0].table(_WIDE if lists[0].version() == 1 else _NARROW)
    scale = movie.first("mvhd").after_dates() or 1
    samples = tracks[0].first("mdia").first("minf").first("stbl")
    times = _presentation_times(samples)
    _check_entries(entries, fragmented=not len(times), where=where)
    if not len(entries) or not len(times):
        return None
    to_track = 1 / (scale * unit)
    edits = tuple(
        _Edit(
            _rounded(int(entry["duration"]) * to_track),
            None if entry["start"] == -1 else min(int(entry["start"]), _LATEST),
        )
        for entry in entries
    )
    return EditList(edits, times)


def _check_entries(entries: np.ndarray, *, fragmented: bool, where: str) -> None:
    """CaptureError when FFmpeg does not honour an edit."""
    if len(entries) > _MAX_EDITS:
        raise ValueError(f"{len(entries)} edits, expected at most {_MAX_EDITS}")
    shown = entries["start"] != -1
    if (entries["start"] < -1).any():
        raise ValueError("an edit starts at a negative time")
    for rate in entries["rate"][shown & (entries["rate"] != _NORMAL_RATE)][:1]:
        raise CaptureError(
            f"{where}: its edit list plays the video at {int(rate) / _NORMAL_RATE:g} times its rate"
            f"{'' if rate else ' (holds a frame)'}, expected 1; {_REMEDY}"
        )
    if shown.any() and not shown[shown.argmax() :].all():
        raise CaptureError(
            f"{where}: its edit list has a pause (an empty edit) after the first part, expected one at the "
            f"start only; {_REMEDY}"
        )
    if fragmented and (shown.sum() > 1 or (~shown).sum() > 1):
        raise CaptureError(f"{where}: is fragmented and has {len(entries)} edits, expected one; {_REMEDY}")
    if not fragmented and (entries["duration"][shown] == 0).any():
        raise CaptureError(f"{where}: its edit list has a part of duration 0, which shows nothing; {_REMEDY}")


def _presentation_times(samples: "_Box") -> Int[np.ndarray, " frame"]:
    """The frames' presentation times before editing, ascending, in units of the track."""
    steps = samples.first("stts").table(np.dtype([("count", ">u4"), ("value", ">u4")]))
    durations = _expanded(steps)
    times = np.cumsum(durations) - durations
    for offsets in samples.all("ctts"):
        shifts = _expanded(offsets.table(np.dtype([("count", ">u4"), ("value", ">i4")])))[: len(times)]
        times[: len(shifts)] += shifts
    return np.sort(times)


def _expanded(runs: np.ndarray) -> Int[np.ndarray, " frame"]:
    frames = int(runs["count"].sum(dtype=np.uint64))
    if frames > _MAX_FRAMES:
        raise ValueError(f"{frames} frames, expected at most {_MAX_FRAMES}")
    return np.repeat(runs["value"].astype(np.int64), runs["count"].astype(np.int64))


def _rounded(value: Fraction) -> int:
    """As FFmpeg rounds times, halves up; at most ``_LATEST``."""
    return min((2 * value.numerator + value.denominator) // (2 * value.denominator), _LATEST)


@dataclass(frozen=True)
class _Box:
    """A box of an open file: its kind, and where its content is."""

    file: BinaryIO
    kind: str
    span: _Span

    def all(self, kind: str) -> list["_Box"]:
        """The boxes of a kind directly in this one."""
        return [box for box in islice(self._inner(), _MAX_BOXES) if box.kind == kind]

    def first(self, kind: str) -> "_Box":
        """The first box of a kind directly in this one. Raises ValueError when there is none."""
        for box in islice(self._inner(), _MAX_BOXES):
            if box.kind == kind:
                return box
        raise ValueError(f"no box {kind}")

    def _inner(self) -> Iterator["_Box"]:
        start, stop = self.span
        while start + 8 <= stop:
            self.file.seek(start)
            header = self.file.read(16)
            size, kind = struct.unpack_from(">I4s", header)
            content = start + 8
            if size == 1:
                content, size = start + 16, struct.unpack_from(">Q", header, 8)[0]
            end = stop if size == 0 else min(start + size, stop)
            if end < content:
                return
            yield _Box(self.file, kind.decode("latin1"), (content, end))
            start = end

    def version(self) -> int:
        return self._read(0, 1)[0]

    def after_dates(self) -> int:
        """The field after the two dates: a movie's units per second, a track's number."""
        offset = 20 if self.version() == 1 else 12
        return int(struct.unpack(">I", self._read(offset, 4))[0])

    def table(self, entry: np.dtype[Any]) -> np.ndarray:
        """The entries of a box that consists of version, flags, count and entries."""
        count = struct.unpack(">I", self._read(4, 4))[0]
        count = min(count, (self.span[1] - self.span[0] - 8) // entry.itemsize)
        if count * entry.itemsize > _MAX_BYTES:
            raise ValueError(f"{count} entries of {self.kind}, expected at most {_MAX_BYTES} bytes")
        return np.frombuffer(self._read(8, count * entry.itemsize), entry)

    def _read(self, offset: int, size: int) -> bytes:
        start, stop = self.span
        self.file.seek(start + offset)
        data = self.file.read(size) if start + offset + size <= stop else b""
        if len(data) < size:
            raise ValueError(f"the box {self.kind} is cut off")
        return data
