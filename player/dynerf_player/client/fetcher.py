"""Fetches into the cache: bytes in the cache or in flight are not requested again.

A fetch that has started is finished even when its caller is cancelled: dragging the time line requests
another moment many times a second, and a long chunk that restarted each time would never arrive. Few fetches
run at once, so that abandoned ones do not pile up.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from .cache import ByteCache
from .fetch_planner import Span, merge
from .range_client import RangeClient

_MAX_REQUESTS = 3  # at the same time


@dataclass(frozen=True)
class TransferStats:
    """Of a file of ``total`` bytes: bytes received, requests made for them, and bytes held in the cache."""

    fetched: int
    requests: int
    total: int
    held: int


class Fetcher:
    """Fetches spans of one file into the cache. Belongs to the client's event loop, except ``stats``."""

    def __init__(self, client: RangeClient, cache: ByteCache) -> None:
        self.cache = cache
        self._client = client
        self._semaphore = asyncio.Semaphore(_MAX_REQUESTS)
        self._in_flight: dict[Span, asyncio.Task[None]] = {}

    def stats(self) -> TransferStats:
        """The transfer so far; callable from any thread."""
        client = self._client
        return TransferStats(client.fetched, client.requests, client.version.size, self.cache.held)

    async def open(self, length: int) -> None:
        """Fetch the first bytes, as many of ``length`` as the file has, and pin its version."""
        received = await self._client.fetch(Span(0, length))
        self.cache.put(received.first, received.data)

    async def load(self, span: Span) -> bytes:
        """Return the bytes of a span of the file. RemoteError, ChangedError."""
        if span.length <= self.cache.limit // 2:
            await self.ensure([span])
            data = self.cache.get(span)
            if data is not None:
                return data
        # Too long for the cache, or evicted at once.
        received = await self._client.fetch(span)
        return received.data[span.first - received.first : span.stop - received.first]

    async def ensure(self, spans: Sequence[Span]) -> None:
        """Fetch spans into the cache, with one request per gap. RemoteError, ChangedError."""
        gaps = [gap for span in merge(spans) for gap in self.cache.missing(span)]
        await asyncio.gather(*map(self._fill, gaps))

    async def check(self) -> None:
        """Ask the server whether the file is still the same. ChangedError if not, RemoteError if unknown."""
        await self._client.check()

    async def _fill(self, gap: Span) -> None:
        await self._semaphore.acquire()
        while (other := self._overlapping(gap)) is not None:
            self._semaphore.release()
            await asyncio.wait([other])
            await self._semaphore.acquire()
        missing = self.cache.missing(gap)
        if not missing:
            self._semaphore.release()
            return
        task = self._start(Span(missing[0].first, missing[-1].stop))
        await asyncio.wait([task])  # unlike ``await task``, does not cancel it when this is cancelled
        task.result()

    def _overlapping(self, gap: Span) -> asyncio.Task[None] | None:
        """A fetch in flight that covers a part of ``gap``."""
        overlapping = (span for span in self._in_flight if span.first < gap.stop and gap.first < span.stop)
        return next((self._in_flight[span] for span in overlapping), None)

    def _start(self, span: Span) -> asyncio.Task[None]:
        """Start to fetch a span; releases the semaphore that the caller has acquired."""
        task = self._in_flight[span] = asyncio.create_task(self._get(span))

        def finish(task: asyncio.Task[None]) -> None:
            self._semaphore.release()
            del self._in_flight[span]
            if not task.cancelled():
                task.exception()  # retrieved, so that asyncio does not log it if no caller is left

        task.add_done_callback(finish)
        return task

    async def _get(self, span: Span) -> None:
        received = await self._client.fetch(span)
        self.cache.put(received.first, received.data)
