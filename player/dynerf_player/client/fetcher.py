"""RangeClient and cache together: what is here is not fetched again, and what is on its way is waited for.

A fetch that has begun is finished even when nobody waits for it any more: a viewer who drags the time line
wishes for another moment many times a second, and a long chunk that starts anew each time never arrives. Few
run at once, so that abandoned ones do not pile up.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from .cache import ByteCache
from .fetch_planner import Span, merge
from .range_client import RangeClient

_LANES = 3  # requests under way


@dataclass(frozen=True)
class Budget:
    """The bytes spent on a file of ``total`` bytes: received from the network, in how many requests; kept."""

    fetched: int
    requests: int
    total: int
    held: int


class Fetcher:
    """Gets spans of one file into the cache. Belongs to the wire's event loop, except ``budget``."""

    def __init__(self, wire: RangeClient, cache: ByteCache) -> None:
        self.cache = cache
        self._wire = wire
        self._lanes = asyncio.Semaphore(_LANES)
        self._under_way: dict[Span, asyncio.Task[None]] = {}

    def budget(self) -> Budget:
        """What was spent; from any thread."""
        wire = self._wire
        return Budget(wire.fetched, wire.requests, wire.version.size, self.cache.held)

    async def open(self, length: int) -> None:
        """Fetch the first bytes, as many of ``length`` as the file has, and pin its version."""
        piece = await self._wire.fetch(Span(0, length))
        self.cache.put(piece.first, piece.data)

    async def load(self, wanted: Span) -> bytes:
        """Return the bytes of a span of the file. RemoteError, ChangedError."""
        if wanted.length <= self.cache.limit // 2:
            await self.ensure([wanted])
            data = self.cache.get(wanted)
            if data is not None:
                return data
        # Too long to be kept, or others pushed it out at once.
        piece = await self._wire.fetch(wanted)
        return piece.data[wanted.first - piece.first : wanted.stop - piece.first]

    async def ensure(self, wanted: Sequence[Span]) -> None:
        """Have spans in the cache, with one request per gap. RemoteError, ChangedError."""
        gaps = [gap for span in merge(wanted) for gap in self.cache.missing(span)]
        await asyncio.gather(*map(self._fill, gaps))

    async def check(self) -> None:
        """Ask the server whether the file is still the same. ChangedError if not, RemoteError if unknown."""
        await self._wire.check()

    async def _fill(self, gap: Span) -> None:
        await self._lanes.acquire()
        while (busy := self._busy(gap)) is not None:
            self._lanes.release()
            await asyncio.wait([busy])
            await self._lanes.acquire()
        rest = self.cache.missing(gap)
        if not rest:
            self._lanes.release()
            return
        task = self._begin(Span(rest[0].first, rest[-1].stop))
        await asyncio.wait([task])  # which, unlike ``await task``, leaves it alone when this is cancelled
        task.result()

    def _busy(self, gap: Span) -> asyncio.Task[None] | None:
        """A fetch under way that brings a part of ``gap``."""
        overlapping = (span for span in self._under_way if span.first < gap.stop and gap.first < span.stop)
        return next((self._under_way[span] for span in overlapping), None)

    def _begin(self, span: Span) -> asyncio.Task[None]:
        """Start to fetch a span, on a lane that the caller has taken and the fetch gives back."""
        task = self._under_way[span] = asyncio.create_task(self._get(span))

        def finish(task: asyncio.Task[None]) -> None:
            self._lanes.release()
            del self._under_way[span]
            if not task.cancelled():
                task.exception()  # or it would be reported as lost when nobody waits any more

        task.add_done_callback(finish)
        return task

    async def _get(self, span: Span) -> None:
        piece = await self._wire.fetch(span)
        self.cache.put(piece.first, piece.data)
