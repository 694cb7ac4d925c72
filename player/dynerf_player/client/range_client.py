"""Reads a file at an address by range requests, all answered from one version of the file.

The first response pins the version: ETag, Last-Modified and size. Each later request is conditional on it
(``If-Match``, RFC 9110 section 13.1.1), and each response is compared with it, because not every server
honours the header. An interrupted transfer resumes where it stopped, after a pause that doubles while nothing
arrives.

A server that ignores ``Range`` and sends the whole file is accepted if the file is small.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from dynerf_format.errors import ChangedError, RemoteError

from .address import address_name
from .fetch_planner import Span

_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")
_MAX_REDIRECTS = 5
_RETRYABLE = frozenset({408, 425, 429})  # and all of 5xx
_EXPIRED_REDIRECT = frozenset({401, 403, 404, 410})
_MAX_WAIT = 30.0  # seconds, whatever Retry-After says
_MIN_PROGRESS = 1024  # received bytes that reset the count of failures


@dataclass(frozen=True)
class RetryPolicy:
    """When to retry and when to give up. Times are in seconds.

    ``attempts`` counts consecutive failures; the first is followed by ``pause``, the next by twice that, and
    so on up to ``longest``. ``connect`` is the timeout of a connection, ``stall`` that between two reads of a
    body.
    """

    attempts: int = 6
    pause: float = 0.2
    longest: float = 5.0
    connect: float = 10.0
    stall: float = 15.0


DEFAULT_RETRY_POLICY = RetryPolicy()


@dataclass(frozen=True, slots=True)
class Version:
    """Identifies the content of an address: its size and its validators (RFC 9110 section 8.8)."""

    size: int
    etag: str | None
    modified: str | None

    def matches(self, other: "Version") -> bool:
        """False when the sizes differ, or the ETags, or Last-Modified when an ETag is missing."""
        if self.size != other.size:
            return False
        if self.etag is not None and other.etag is not None:
            # The ETag decides alone: servers behind one address may differ in Last-Modified.
            return self.etag == other.etag
        return self.modified is None or other.modified is None or self.modified == other.modified

    @property
    def strong(self) -> bool:
        """True when equal ETags mean equal bytes (RFC 9110 section 8.8.1)."""
        return self.etag is not None and not self.etag.startswith("W/")


@dataclass(frozen=True, slots=True)
class ReceivedBytes:
    """Bytes from the offset ``first`` on."""

    first: int
    data: bytes


class _TransientError(Exception):
    """An error to retry; ``retry_after`` is the pause that the server requests, in seconds."""

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RangeClient:
    """Fetches bytes of one file. Belongs to the event loop of its session; several fetches may run at once.

    ``whole_limit`` bounds the length of a file that a server sends only whole.
    """

    def __init__(
        self, session: aiohttp.ClientSession, address: str, retry_policy: RetryPolicy, whole_limit: int
    ) -> None:
        self.name = address_name(address)
        self.requests = 0
        self.fetched = 0
        self._session = session
        self._address = address
        self._redirected: str | None = None  # the address that redirects led to
        self._retry_policy = retry_policy
        self._whole_limit = whole_limit
        self._version: Version | None = None
        self.changed = False

    @property
    def version(self) -> Version:
        """The version that was opened; only after the first fetch."""
        assert self._version is not None
        return self._version

    async def fetch(self, span: Span) -> ReceivedBytes:
        """Return the bytes of a span, or the whole file when the server does not support ranges.

        The first fetch may reach beyond the end of the file and then returns less. RemoteError when all
        attempts fail, ChangedError when the file was replaced.
        """
        received = bytearray()
        failures, pause = 0, self._retry_policy.pause
        while True:
            before = len(received)
            try:
                return await self._request(span, received)
            except _TransientError as error:
                if len(received) - before >= _MIN_PROGRESS:
                    failures, pause = 0, self._retry_policy.pause
                failures += 1
                if failures >= self._retry_policy.attempts:
                    raise RemoteError(f"{self.name}: {error}; gave up after {failures} attempts") from error
                await asyncio.sleep(min(max(pause, error.retry_after), _MAX_WAIT))
                pause = min(2 * pause, self._retry_policy.longest)

    async def check(self) -> None:
        """Compare the version on the server with the one opened, without fetching the file.

        ChangedError when they differ, RemoteError when the server does not answer.
        """
        try:
            async with self._response_to(0, 1) as response:
                self._check_status(response)
                match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
                size = int(match[3]) if match else response.content_length
                self._pin(response, self.version.size if size is None else size)
        except _TransientError as error:
            raise RemoteError(f"{self.name}: {error}") from error

    async def _request(self, span: Span, received: bytearray) -> ReceivedBytes:
        """Request what is missing after ``received``, and append what arrives to it."""
        async with self._response_to(span.first + len(received), span.stop) as response:
            self._check_status(response)
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise RemoteError(f"{self.name}: the server compresses the file, so its ranges are unknown")
            if response.status == 200:
                return await self._receive_whole(response)
            stop = self._check_range(response, span.first + len(received), span.stop)
            await self._receive(response, received, stop - span.first)
            return ReceivedBytes(span.first, bytes(received))

    @asynccontextmanager
    async def _response_to(self, first: int, stop: int) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response to a range request, for the time its body is read; translates errors."""
        if self.changed:
            raise self.change()
        self.requests += 1
        timeout = aiohttp.ClientTimeout(
            connect=self._retry_policy.connect, sock_read=self._retry_policy.stall
        )
        try:
            async with self._session.get(
                self._redirected or self._address,
                headers=self._headers(first, stop),
                max_redirects=_MAX_REDIRECTS,
                timeout=timeout,
            ) as response:
                yield response
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._translated(error) from error

    def _headers(self, first: int, stop: int) -> dict[str, str]:
        headers = {"Range": f"bytes={first}-{stop - 1}", "Accept-Encoding": "identity"}
        if self._version is not None and self._version.strong and self._version.etag is not None:
            headers["If-Match"] = self._version.etag
        return headers

    def _check_status(self, response: aiohttp.ClientResponse) -> None:
        """Return for status 200 and 206, raise for all others."""
        if self._address.startswith("https:") and response.url.scheme != "https":
            raise RemoteError(f"{self.name}: redirects from https to an address without encryption")
        status = response.status
        if status in (200, 206):
            self._redirected = str(response.url)
        elif self._redirected not in (None, self._address) and status in _EXPIRED_REDIRECT:
            self._redirected = None  # the target of a redirect may expire
            raise _TransientError(f"the server responds {status}")
        elif status == 412 or (status == 416 and self._version is not None):
            raise self.change()
        elif status in _RETRYABLE or status >= 500:
            raise _TransientError(f"the server responds {_status(response)}", _retry_after(response))
        elif status == 401:
            raise RemoteError(
                f"{self.name}: the server responds {_status(response)}; "
                "'dynerf serve --token' takes its token as ?token=... in the address"
            )
        elif status in (404, 410):
            raise RemoteError(f"{self.name}: no such file on the server ({status})")
        elif status == 416:
            raise RemoteError(f"{self.name}: the file is empty, or the server refuses ranges (416)")
        else:
            raise RemoteError(f"{self.name}: the server responds {_status(response)}, expected 206")

    def _check_range(self, response: aiohttp.ClientResponse, first: int, stop: int) -> int:
        """Check that the response is the requested range of the pinned version; return where it stops."""
        text = response.headers.get("Content-Range", "")
        match = _CONTENT_RANGE.fullmatch(text)
        if match is None:
            raise RemoteError(f"{self.name}: the server sends Content-Range {text[:80]!r}, expected bytes")
        found_first, found_stop, size = int(match[1]), int(match[2]) + 1, int(match[3])
        self._pin(response, size)
        stop = min(stop, size)
        if (found_first, found_stop) != (first, stop):
            raise RemoteError(
                f"{self.name}: the server sends bytes {found_first} to {found_stop}, "
                f"expected {first} to {stop}"
            )
        if response.content_length not in (None, stop - first):
            raise RemoteError(
                f"{self.name}: the server announces {response.content_length} bytes, expected {stop - first}"
            )
        return stop

    async def _receive_whole(self, response: aiohttp.ClientResponse) -> ReceivedBytes:
        """The whole file, from a server that ignores ranges."""
        length = response.content_length
        if length is not None:
            self._check_whole(length)
            self._pin(response, length)
        data = bytearray()
        await self._receive(response, data, length)
        self._pin(response, len(data))
        return ReceivedBytes(0, bytes(data))

    async def _receive(self, response: aiohttp.ClientResponse, into: bytearray, length: int | None) -> None:
        """Append the body until ``into`` holds ``length`` bytes, or, when that is unknown, to its end."""
        async for block in response.content.iter_any():
            into += block
            self.fetched += len(block)
            if length is None:
                self._check_whole(len(into))
            elif len(into) > length:
                raise RemoteError(f"{self.name}: the server sends more bytes than it announced")
        if length is not None and len(into) < length:
            raise _TransientError(f"the response ends {length - len(into)} bytes too early")

    def _check_whole(self, length: int) -> None:
        if length > self._whole_limit:
            raise RemoteError(
                f"{self.name}: the server ignores range requests, and a file of {length} bytes or more "
                f"is too long to be fetched whole, at most {self._whole_limit} bytes"
            )

    def _pin(self, response: aiohttp.ClientResponse, size: int) -> None:
        found = Version(size, response.headers.get("ETag"), response.headers.get("Last-Modified"))
        if self._version is None:
            self._version = found
        elif not self._version.matches(found):
            raise self.change()

    def change(self) -> ChangedError:
        """Mark the file as replaced, so that nothing more is fetched; return the error to raise."""
        self.changed = True
        return ChangedError(f"{self.name}: the file was replaced after it was opened; open it again")

    def _translated(self, error: Exception) -> Exception:
        """Translate an error of aiohttp."""
        # Its text may quote the response at length: only so much of it is shown.
        reason = ascii(f"{type(error).__name__} {error}".partition("\n")[0][:120].strip())[1:-1]
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
            return RemoteError(f"{self.name}: no secure connection: {reason}")
        if isinstance(error, aiohttp.TooManyRedirects):
            return RemoteError(f"{self.name}: more than {_MAX_REDIRECTS} redirects")
        if isinstance(error, aiohttp.RedirectClientError | aiohttp.InvalidURL):
            return RemoteError(f"{self.name}: redirects to an address that is not http or https")
        if isinstance(error, aiohttp.ClientResponseError | ValueError):
            return RemoteError(f"{self.name}: the server's response is not valid HTTP")
        if isinstance(error, aiohttp.ClientConnectorError) and self._version is None:
            return RemoteError(f"{self.name}: no connection to the server: {error.strerror or reason}")
        if isinstance(error, aiohttp.ConnectionTimeoutError) and self._version is None:
            return RemoteError(
                f"{self.name}: no connection to the server in {self._retry_policy.connect:g} s"
            )
        if isinstance(error, TimeoutError):
            return _TransientError("the server does not respond in time")
        return _TransientError(f"the connection was lost ({reason})")


def _status(response: aiohttp.ClientResponse) -> str:
    reason = ascii(response.reason or "")[1:-1][:60]
    return f"{response.status} {reason}".strip()


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """Seconds of the Retry-After header; dates, which depend on clocks, count as 0."""
    text = response.headers.get("Retry-After", "")
    return float(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0.0
