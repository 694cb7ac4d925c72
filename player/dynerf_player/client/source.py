"""Presents a clip at an address as a ``Source``: synchronous reads from any thread.

The bytes are fetched by an event loop in a separate thread, while other threads decode or render.
"""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import aiohttp

from dynerf_format import RemoteError, check_range
from dynerf_format.layout import FIRST_READ

from .address import address_name, check_address
from .cache import ByteCache
from .fetch_planner import Span
from .fetcher import Fetcher, TransferStats
from .range_client import DEFAULT_RETRY_POLICY, RangeClient, RetryPolicy, Version

_T = TypeVar("_T")
_CONNECTIONS = 4


@dataclass(frozen=True)
class ClientLimits:
    """In bytes: the size of the cache, and the largest file to fetch whole from a server without ranges."""

    cache: int = 256 << 20
    whole: int = 64 << 20


LIMITS = ClientLimits()


class HttpSource:
    """The bytes of a clip at an http or https address, always of the version that was opened.

    Opening fetches the first 16 KiB. Opening and reads raise RemoteError when they fail, ChangedError once
    the file was replaced. Use as a context manager; reads may come from several threads.
    """

    def __init__(
        self, address: str, retry_policy: RetryPolicy = DEFAULT_RETRY_POLICY, limits: ClientLimits = LIMITS
    ) -> None:
        address = check_address(address)
        self._loop = LoopThread(f"fetching {address_name(address)}")
        try:
            self._session, self._client, self.fetcher = self._loop.run(_open(address, retry_policy, limits))
        except BaseException:
            self._loop.close()
            raise
        self.name = self._client.name
        self.size = self._client.version.size

    @property
    def version(self) -> Version:
        """The version of the file that was opened."""
        return self._client.version

    @property
    def cache(self) -> ByteCache:
        """The bytes that were fetched and kept."""
        return self.fetcher.cache

    @property
    def changed(self) -> bool:
        """Whether the file at the address is known to have been replaced."""
        return self._client.changed

    @property
    def closed(self) -> bool:
        """True after ``close``."""
        return self._loop.closed

    def stats(self) -> TransferStats:
        """The transfer so far."""
        return self.fetcher.stats()

    def read(self, offset: int, length: int) -> bytes:
        """Return the ``length`` bytes from ``offset`` on; TruncatedError when they do not all exist.

        Waits for the network unless they are in the cache. RemoteError, ChangedError.
        """
        check_range(self, offset, length)
        span = Span(offset, offset + length)
        data = self.cache.get(span)
        if data is not None:
            return data
        if self.changed:
            raise self._client.change()  # also when closed: the cache may still be rendered from
        try:
            return self._loop.run(self.fetcher.load(span))
        except CancelledError as error:
            raise RemoteError(f"{self.name}: was closed while it was read") from error

    def start(self, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Start a coroutine on the fetcher's event loop; ChangedError if closed since the file changed."""
        if self._loop.closed and self.changed:
            coroutine.close()
            raise self._client.change()
        return self._loop.start(coroutine)

    def ensure(self, spans: Sequence[Span]) -> Future[None]:
        """Start to fetch spans of the file into the cache."""
        return self.start(self.fetcher.ensure(spans))

    def check(self) -> Future[None]:
        """Start to check that the file is still the same; the future raises ChangedError if not."""
        return self.start(self.fetcher.check())

    def close(self) -> None:
        """Close all connections; later reads of bytes not in the cache raise ValueError."""
        if not self._loop.closed:
            self._loop.run(self._session.close())
            self._loop.close()

    def __enter__(self) -> "HttpSource":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LoopThread:
    """An event loop that runs in a thread until it is closed."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """True once ``close`` began."""
        return self._closed

    def start(self, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Start a coroutine; ValueError when the loop is closed."""
        with self._lock:  # a task started after ``close`` ended the others would never end
            if self._closed:
                coroutine.close()
                raise ValueError("read of a closed source")
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine and wait for it; an exception while waiting cancels it."""
        future = self.start(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel all tasks, then end the thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            ending = asyncio.run_coroutine_threadsafe(_end_tasks(), self._loop)
        ending.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _open(
    address: str, retry_policy: RetryPolicy, limits: ClientLimits
) -> tuple[aiohttp.ClientSession, RangeClient, Fetcher]:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=True,  # proxies
    )
    client = RangeClient(session, address, retry_policy, limits.whole)
    fetcher = Fetcher(client, ByteCache(limits.cache))
    try:
        await fetcher.open(FIRST_READ)
    except BaseException:
        await session.close()
        raise
    return session, client, fetcher
