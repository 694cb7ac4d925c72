"""Plans fetches: the bytes that a moment needs, and those to prefetch. Pure functions of the directory.

Spans are half-open: ``first`` is in, ``stop`` is not. The order of need for a play head at a frame:

1. what a picture of that frame needs: first layer of its segment's weights, its latents;
2. latents of the frames ahead, and the first layer of a segment that begins within the read-ahead;
3. the finer layers of the segment, and its occupancy grid, which is only used with all of them.

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
    """The same bytes in as few spans as possible, in order; those at most ``gap`` bytes apart are joined."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.first <= merged[-1].stop + gap:
            merged[-1] = Span(merged[-1].first, max(merged[-1].stop, span.stop))
        else:
            merged.append(span)
    return tuple(merged)


def chunk_span(entry: Entry) -> Span:
    """The bytes of a chunk, its chunk head included."""
    return Span(entry.offset, entry.end)


def needed(directory: Sequence[Entry], header: Header, frame: float, layers: int = 1) -> tuple[Entry, ...]:
    """The chunks needed to render a moment (in frames, fractions allowed) with ``layers`` quality layers.

    With all layers the occupancy grid is included, without which rendering only takes longer. ViewError
    outside the clip.
    """
    first, count = _latents_at(header, frame)
    segment = header.segment_at(first)
    weights = _weights(directory, segment, layers)
    found = (*weights, *latents_entries(directory, first, count))
    grid = ancillary_entry(directory, OCCUPANCY, segment)
    if grid is None or len(weights) < len(_weights(directory, segment)):
        return found
    return (*found, grid)


def chunks_ahead(directory: Sequence[Entry], header: Header, frame: float, frames: int) -> Iterator[Entry]:
    """All chunks to fetch for a play head at a moment, in the order of need; some occur twice.

    ``frames``, at least 1, bounds how far ahead latents are fetched. ViewError outside the clip.
    """
    yield from needed(directory, header, frame)
    first, _ = _latents_at(header, frame)
    segment = current = header.segment_at(first)
    for entry in latents_entries(directory, first, min(frames, header.frames - first)):
        if entry.segment != segment:
            segment = entry.segment
            yield from _weights(directory, segment, 1)
        yield entry
    finer = [entry for entry in _weights(directory, current) if entry.layer > 0]
    yield from sorted(finer, key=lambda entry: entry.layer)
    grid = ancillary_entry(directory, OCCUPANCY, current)
    if grid is not None:
        yield grid


def next_span(
    entries: Iterable[Entry], missing: Callable[[Span], Sequence[Span]], max_bytes: int, budget: int
) -> Span | None:
    """The next bytes to fetch: the first gap, with the gaps that follow it directly in the file.

    At most ``max_bytes`` bytes. None when the first ``budget`` bytes of ``entries`` have no gap.
    ``missing`` returns the parts of a span that are not in the cache.
    """
    found: Span | None = None
    for span in map(chunk_span, entries):
        budget -= span.length
        if budget < 0:
            break
        for gap in missing(span):
            if found is None:
                found = gap
            elif gap.first != found.stop or gap.stop - found.first > max_bytes:
                return found
            else:
                found = Span(found.first, gap.stop)
        if found is not None and found.length >= max_bytes:
            return Span(found.first, found.first + max_bytes)
    return found


def frames_in(directory: Sequence[Entry], spans: Sequence[Span]) -> list[tuple[int, int]]:
    """The runs of frames, as (first, last), whose latents lie within ``spans`` (merged, in order)."""
    runs: list[tuple[int, int]] = []
    for entry in directory:
        if entry.kind != LATENTS or entry.layer > 0 or not _contains(spans, chunk_span(entry)):
            continue
        last = entry.first + entry.count - 1
        if runs and runs[-1][1] == entry.first - 1:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((entry.first, last))
    return runs


def layers_in(directory: Sequence[Entry], segment: int, spans: Sequence[Span]) -> int:
    """Number of quality layers of a segment, from the first on without a gap, that lie in ``spans``."""
    chain = weights_chain(directory, segment)
    present = [takewhile(lambda entry: _contains(spans, chunk_span(entry)), entries) for entries in chain]
    return min(len(list(entries)) for entries in present)


def _latents_at(header: Header, frame: float) -> tuple[int, int]:
    """First frame and number of the latents that a moment interpolates."""
    first, share = header.moment(frame)
    return first, 2 if share > 0 else 1


def _weights(directory: Sequence[Entry], segment: int, layers: int | None = None) -> list[Entry]:
    """The weight chunks of a segment, after those of the segments that it builds on."""
    return [entry for entries in weights_chain(directory, segment, layers) for entry in entries]


def _contains(spans: Sequence[Span], inner: Span) -> bool:
    index = bisect_right(spans, inner.first, key=lambda span: span.first) - 1
    return index >= 0 and inner.stop <= spans[index].stop
