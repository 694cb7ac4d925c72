"""The bytes of one file that are here: pieces at offsets, the least recently used dropped beyond a limit."""

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
        """What is here, in order, adjacent pieces joined."""
        with self._lock:
            return merge([Span(start, start + len(self._pieces[start])) for start in self._starts])

    def missing(self, wanted: Span) -> tuple[Span, ...]:
        """The parts of a span that are not here, in order."""
        with self._lock:
            return self._missing(wanted)

    def get(self, wanted: Span) -> bytes | None:
        """The bytes of a span, or None unless all of them are here."""
        with self._lock:
            if self._missing(wanted):
                return None
            return b"".join(self._cut(start, wanted) for start in self._touching(wanted))

    def put(self, offset: int, data: bytes) -> None:
        """Keep the bytes from ``offset`` on; those that are here already stay as they are."""
        with self._lock:
            if len(data) > self.limit:
                return
            for gap in self._missing(Span(offset, offset + len(data))):
                insort(self._starts, gap.first)
                self._pieces[gap.first] = data[gap.first - offset : gap.stop - offset]
                self._held += gap.length
            while self._held > self.limit:
                self._drop_oldest()

    def _touching(self, wanted: Span) -> Sequence[int]:
        """Starts of the pieces that hold bytes of a span."""
        first = bisect_right(self._starts, wanted.first) - 1
        if first >= 0 and self._starts[first] + len(self._pieces[self._starts[first]]) <= wanted.first:
            first += 1
        return self._starts[max(first, 0) : bisect_left(self._starts, wanted.stop)]

    def _missing(self, wanted: Span) -> tuple[Span, ...]:
        gaps, position = [], wanted.first
        for start in self._touching(wanted):
            if start > position:
                gaps.append(Span(position, start))
            position = max(position, start + len(self._pieces[start]))
        if position < wanted.stop:
            gaps.append(Span(position, wanted.stop))
        return tuple(gaps)

    def _cut(self, start: int, wanted: Span) -> bytes:
        self._pieces.move_to_end(start)
        return self._pieces[start][max(wanted.first - start, 0) : wanted.stop - start]

    def _drop_oldest(self) -> None:
        start, piece = self._pieces.popitem(last=False)
        self._starts.pop(bisect_left(self._starts, start))
        self._held -= len(piece)
