"""Keeps bytes of one file in memory: pieces at offsets, the least recently used evicted beyond a limit."""

import threading
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Sequence

from .fetch_planner import Span, merge


class ByteCache:
    """Pieces of one version of one file. All methods may be called from several threads.

    ``limit`` bounds the bytes kept; a piece longer than that is not kept at all.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._starts: list[int] = []
        self._pieces: OrderedDict[int, bytes] = OrderedDict()  # by offset, least recently used first
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes kept."""
        return self._held

    def spans(self) -> tuple[Span, ...]:
        """The spans in the cache, in order, adjacent pieces joined."""
        with self._lock:
            return merge([Span(start, start + len(self._pieces[start])) for start in self._starts])

    def missing(self, span: Span) -> tuple[Span, ...]:
        """The parts of a span that are not in the cache, in order."""
        with self._lock:
            return self._missing(span)

    def get(self, span: Span) -> bytes | None:
        """The bytes of a span, or None unless all of them are in the cache."""
        with self._lock:
            if self._missing(span):
                return None
            return b"".join(self._cut(start, span) for start in self._touching(span))

    def put(self, offset: int, data: bytes) -> None:
        """Keep the bytes from ``offset`` on; those already in the cache stay as they are."""
        with self._lock:
            if len(data) > self.limit:
                return
            for gap in self._missing(Span(offset, offset + len(data))):
                insort(self._starts, gap.first)
                self._pieces[gap.first] = data[gap.first - offset : gap.stop - offset]
                self._held += gap.length
            while self._held > self.limit:
                self._drop_oldest()

    def _touching(self, span: Span) -> Sequence[int]:
        """Starts of the pieces that hold bytes of a span."""
        first = bisect_right(self._starts, span.first) - 1
        if first >= 0 and self._starts[first] + len(self._pieces[self._starts[first]]) <= span.first:
            first += 1
        return self._starts[max(first, 0) : bisect_left(self._starts, span.stop)]

    def _missing(self, span: Span) -> tuple[Span, ...]:
        gaps, position = [], span.first
        for start in self._touching(span):
            if start > position:
                gaps.append(Span(position, start))
            position = max(position, start + len(self._pieces[start]))
        if position < span.stop:
            gaps.append(Span(position, span.stop))
        return tuple(gaps)

    def _cut(self, start: int, span: Span) -> bytes:
        self._pieces.move_to_end(start)
        return self._pieces[start][max(span.first - start, 0) : span.stop - start]

    def _drop_oldest(self) -> None:
        start, piece = self._pieces.popitem(last=False)
        self._starts.pop(bisect_left(self._starts, start))
        self._held -= len(piece)
