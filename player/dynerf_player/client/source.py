"""A clip at an address as a ``Source``: synchronous reads from any thread.

The bytes are fetched by an event loop in a thread of its own, which goes on while others decode or render.
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
from .fetcher import Budget, Fetcher
from .range_client import PATIENCE, RangeClient, RetryPolicy, Version

_T = TypeVar("_T")
_CONNECTIONS = 4


@dataclass(frozen=True)
class ClientLimits:
    """Bytes: ``cache`` are kept in memory; a server without ranges may send a file of at most ``whole``."""

    cache: int = 256 << 20
    whole: int = 64 << 20


LIMITS = ClientLimits()


class HttpSource:
    """The bytes of a clip at an http or https address, always of the version that was opened.

    Opening fetches the first 16 KiB. RemoteError when that fails, also from reads; ChangedError once the
    address has another content. Use as a context manager; reads may come from several threads.
    """

    def __init__(self, address: str, patience: RetryPolicy = PATIENCE, limits: ClientLimits = LIMITS) -> None:
        address = check_address(address)
        self._loop = LoopThread(f"fetching {address_name(address)}")
        try:
            self._session, self._wire, self.fetcher = self._loop.run(_open(address, patience, limits))
        except BaseException:
            self._loop.close()
            raise
        self.name = self._wire.name
        self.size = self._wire.version.size

    @property
    def version(self) -> Version:
        """Which version of the file this is."""
        return self._wire.version

    @property
    def cache(self) -> ByteCache:
        """The bytes that are here."""
        return self.fetcher.cache

    @property
    def changed(self) -> bool:
        """Whether the address was found to have another content by now."""
        return self._wire.changed

    @property
    def closed(self) -> bool:
        """True after ``close``."""
        return self._loop.closed

    def budget(self) -> Budget:
        """The bytes spent so far."""
        return self.fetcher.budget()

    def read(self, offset: int, length: int) -> bytes:
        """Return the ``length`` bytes from ``offset`` on; TruncatedError when they do not all exist.

        Waits for the network unless they are here. RemoteError, ChangedError.
        """
        check_range(self, offset, length)
        wanted = Span(offset, offset + length)
        data = self.cache.get(wanted)
        if data is not None:
            return data
        if self.changed:
            raise self._wire.change()  # also when closed: somebody may still render what is here
        try:
            return self._loop.run(self.fetcher.load(wanted))
        except CancelledError as error:
            raise RemoteError(f"{self.name}: was closed while it was read") from error

    def start(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Begin some work on the event loop that the fetcher belongs to; ChangedError when it is too late."""
        if self._loop.closed and self.changed:
            work.close()
            raise self._wire.change()
        return self._loop.start(work)

    def ensure(self, spans: Sequence[Span]) -> Future[None]:
        """Begin to fetch spans of the file."""
        return self.start(self.fetcher.ensure(spans))

    def check(self) -> Future[None]:
        """Begin to ask the server whether the file is still the same; ends in ChangedError if not."""
        return self.start(self.fetcher.check())

    def close(self) -> None:
        """Close all connections; later reads are a mistake of the caller."""
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

    def start(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Begin some work; ValueError when the loop is closed."""
        with self._lock:  # what begins after the last tasks were ended would never end
            if self._closed:
                work.close()
                raise ValueError("read of a closed source")
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait for some work; what interrupts the waiting ends the work too."""
        future = self.start(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End all work, then the thread."""
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
    address: str, patience: RetryPolicy, limits: ClientLimits
) -> tuple[aiohttp.ClientSession, RangeClient, Fetcher]:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=True,  # proxies
    )
    wire = RangeClient(session, address, patience, limits.whole)
    fetcher = Fetcher(wire, ByteCache(limits.cache))
    try:
        await fetcher.open(FIRST_READ)
    except BaseException:
        await session.close()
        raise
    return session, wire, fetcher
