"""Which bytes a moment needs, and which to fetch ahead: pure functions of the directory, no reading.

Spans are half-open: ``first`` is in, ``stop`` is not. The order of need for a play head at a frame:

1. what a picture of that frame needs: first layer of its segment's weights, its latents;
2. latents of the frames ahead, and the first layer of a segment that begins within the read-ahead;
3. the finer layers of the segment, and where it is empty, which is of use with all of them only.

Wherever a segment's weights are needed, so are those of the segments that it builds on.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from dynerf_format import OCCUPANCY, Entry, Header, ancillary_entry, latents_entries, weights_chain
from dynerf_format.container.chunks import LATENTS


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The bytes ``first`` to ``stop - 1`` of a file."""

    first: int
    stop: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.stop - self.first


def merge(spans: Iterable[Span], gap: int = 0) -> tuple[Span, ...]:
    """The same bytes in as few spans as possible, in order; those at most ``gap`` bytes apart become one."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.first <= merged[-1].stop + gap:
            merged[-1] = Span(merged[-1].first, max(merged[-1].stop, span.stop))
        else:
            merged.append(span)
    return tuple(merged)


def chunk_span(entry: Entry) -> Span:
    """Where a chunk lies, its chunk head included."""
    return Span(entry.offset, entry.end)


def needed(directory: Sequence[Entry], header: Header, frame: float, layers: int = 1) -> tuple[Entry, ...]:
    """The chunks that a picture of a moment (in frames, fractions allowed) takes.

    With the first ``layers`` quality layers; with all of them the grid of empty space is among them, without
    which the picture only takes longer. ViewError outside the clip.
    """
    first, count = _latents_at(header, frame)
    segment = header.segment_at(first)
    weights = _weights(directory, segment, layers)
    found = (*weights, *latents_entries(directory, first, count))
    empty = ancillary_entry(directory, OCCUPANCY, segment)
    if empty is None or len(weights) < len(_weights(directory, segment)):
        return found
    return (*found, empty)


def ahead(directory: Sequence[Entry], header: Header, frame: float, frames: int) -> Iterator[Entry]:
    """All chunks worth having for a play head at a moment, in the order of need; some occur twice.

    ``frames``, at least 1, bounds how far ahead latents are wanted. ViewError outside the clip.
    """
    yield from needed(directory, header, frame)
    first, _ = _latents_at(header, frame)
    segment = here = header.segment_at(first)
    for entry in latents_entries(directory, first, min(frames, header.frames - first)):
        if entry.segment != segment:
            segment = entry.segment
            yield from _weights(directory, segment, 1)
        yield entry
    finer = [entry for entry in _weights(directory, here) if entry.layer > 0]
    yield from sorted(finer, key=lambda entry: entry.layer)
    empty = ancillary_entry(directory, OCCUPANCY, here)
    if empty is not None:
        yield empty


def next_span(
    wanted: Iterable[Entry], missing: Callable[[Span], Sequence[Span]], most: int, budget: int
) -> Span | None:
    """The next bytes to fetch: the first that are missing, with what follows them at once in the file.

    At most ``most`` bytes. None when nothing is missing among the first ``budget`` bytes that are wanted.
    ``missing`` tells the parts of a span that are not here.
    """
    found: Span | None = None
    for span in map(chunk_span, wanted):
        budget -= span.length
        if budget < 0:
            break
        for gap in missing(span):
            if found is None:
                found = gap
            elif gap.first != found.stop or gap.stop - found.first > most:
                return found
            else:
                found = Span(found.first, gap.stop)
        if found is not None and found.length >= most:
            return Span(found.first, found.first + most)
    return found


def frames_in(directory: Sequence[Entry], spans: Sequence[Span]) -> list[tuple[int, int]]:
    """The frames, first and last of each run, whose latents lie within ``spans`` (merged, in order)."""
    runs: list[tuple[int, int]] = []
    for entry in directory:
        if entry.kind != LATENTS or entry.layer > 0 or not _holds(spans, chunk_span(entry)):
            continue
        last = entry.first + entry.count - 1
        if runs and runs[-1][1] == entry.first - 1:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((entry.first, last))
    return runs


def layers_in(directory: Sequence[Entry], segment: int, spans: Sequence[Span]) -> int:
    """How many quality layers of a segment, from the first on without a gap, lie within ``spans``."""
    chain = weights_chain(directory, segment)
    here = [takewhile(lambda entry: _holds(spans, chunk_span(entry)), entries) for entries in chain]
    return min(len(list(entries)) for entries in here)


def _latents_at(header: Header, frame: float) -> tuple[int, int]:
    """First frame and number of the latents that a moment is made of."""
    first, share = header.moment(frame)
    return first, 2 if share > 0 else 1


def _weights(directory: Sequence[Entry], segment: int, layers: int | None = None) -> list[Entry]:
    """All that is read for a segment besides its latents, of those it builds on first."""
    return [entry for entries in weights_chain(directory, segment, layers) for entry in entries]


def _holds(spans: Sequence[Span], wanted: Span) -> bool:
    index = bisect_right(spans, wanted.first, key=lambda span: span.first) - 1
    return index >= 0 and wanted.stop <= spans[index].stop
