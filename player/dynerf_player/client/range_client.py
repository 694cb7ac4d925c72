"""One address, read by range requests that are all answered from one version of the file.

The first answer pins the version: ETag, time of change and size. Each later request asks for that version
(``If-Match``, RFC 9110 section 13.1.1) and each answer is compared with it, because not every server heeds
the header. What breaks off is taken up where it stopped, after a pause that doubles while nothing arrives.

A server that ignores ``Range`` and sends the whole file is put up with as long as the file is small.
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
_MOST_REDIRECTS = 5
_RETRIED = frozenset({408, 425, 429})  # and all of 5xx
_GONE = frozenset({401, 403, 404, 410})
_LONGEST_WAIT = 30.0  # seconds, whatever the server asks for
_LEAST_PROGRESS = 1024  # bytes of an answer that make the next attempt count as the first


@dataclass(frozen=True)
class RetryPolicy:
    """How much of a bad link to bear. Times are in seconds.

    ``attempts`` counts failures in a row; the first is followed by ``pause``, the next by twice that, and so
    on up to ``longest``.
    ``connect`` bounds the making of a connection, ``stall`` the silence between two pieces of an answer.
    """

    attempts: int = 6
    pause: float = 0.2
    longest: float = 5.0
    connect: float = 10.0
    stall: float = 15.0


PATIENCE = RetryPolicy()


@dataclass(frozen=True, slots=True)
class Version:
    """What tells one content of an address from another."""

    size: int
    etag: str | None
    modified: str | None

    def same_as(self, other: "Version") -> bool:
        """False when the sizes differ, or the ETags, or the times of change when an ETag is missing."""
        if self.size != other.size:
            return False
        if self.etag is not None and other.etag is not None:
            # It decides alone: several servers behind one address may differ in the time they give.
            return self.etag == other.etag
        return self.modified is None or other.modified is None or self.modified == other.modified

    @property
    def strong(self) -> bool:
        """True when the ETag vouches for every byte (RFC 9110 section 8.8.1)."""
        return self.etag is not None and not self.etag.startswith("W/")


@dataclass(frozen=True, slots=True)
class ReceivedBytes:
    """Bytes from an offset on."""

    first: int
    data: bytes


class _BrokenOffError(Exception):
    """Worth another attempt; ``wait`` is what the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class RangeClient:
    """Fetches bytes of one file. Belongs to the event loop of its session; several fetches may run at once.

    ``whole_limit`` bounds the length of a file that a server sends only whole.
    """

    def __init__(
        self, session: aiohttp.ClientSession, address: str, patience: RetryPolicy, whole_limit: int
    ) -> None:
        self.name = address_name(address)
        self.requests = 0
        self.fetched = 0
        self._session = session
        self._address = address
        self._direct: str | None = None  # where redirects led to
        self._patience = patience
        self._whole_limit = whole_limit
        self._version: Version | None = None
        self.changed = False

    @property
    def version(self) -> Version:
        """The version that was opened; only after the first fetch."""
        assert self._version is not None
        return self._version

    async def fetch(self, wanted: Span) -> ReceivedBytes:
        """Return the bytes of a span, or more: the whole file when the server has no ranges.

        The first fetch may reach beyond the end of the file and then returns less. RemoteError when there
        is no way to get them, ChangedError when the file became another one.
        """
        got = bytearray()
        failures, pause = 0, self._patience.pause
        while True:
            before = len(got)
            try:
                return await self._request(wanted, got)
            except _BrokenOffError as error:
                if len(got) - before >= _LEAST_PROGRESS:
                    failures, pause = 0, self._patience.pause
                failures += 1
                if failures >= self._patience.attempts:
                    raise RemoteError(f"{self.name}: {error}; gave up after {failures} attempts") from error
                await asyncio.sleep(min(max(pause, error.wait), _LONGEST_WAIT))
                pause = min(2 * pause, self._patience.longest)

    async def check(self) -> None:
        """Compare the version on the server with the one opened, without fetching the file.

        ChangedError when it is another one, RemoteError when the server gives no answer.
        """
        try:
            async with self._ask(0, 1) as response:
                self._check_status(response)
                match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
                size = int(match[3]) if match else response.content_length
                self._pin(response, self.version.size if size is None else size)
        except _BrokenOffError as error:
            raise RemoteError(f"{self.name}: {error}") from error

    async def _request(self, wanted: Span, got: bytearray) -> ReceivedBytes:
        """One request for what is still missing after ``got``, which grows by what arrives."""
        async with self._ask(wanted.first + len(got), wanted.stop) as response:
            self._check_status(response)
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise RemoteError(f"{self.name}: the server compresses the file, so its ranges are unknown")
            if response.status == 200:
                return await self._whole(response)
            stop = self._check_range(response, wanted.first + len(got), wanted.stop)
            await self._receive(response, got, stop - wanted.first)
            return ReceivedBytes(wanted.first, bytes(got))

    @asynccontextmanager
    async def _ask(self, first: int, stop: int) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a request for a range, while its body is read; errors on the way are explained."""
        if self.changed:
            raise self.change()
        self.requests += 1
        timeout = aiohttp.ClientTimeout(connect=self._patience.connect, sock_read=self._patience.stall)
        try:
            async with self._session.get(
                self._direct or self._address,
                headers=self._headers(first, stop),
                max_redirects=_MOST_REDIRECTS,
                timeout=timeout,
            ) as response:
                yield response
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._explained(error) from error

    def _headers(self, first: int, stop: int) -> dict[str, str]:
        headers = {"Range": f"bytes={first}-{stop - 1}", "Accept-Encoding": "identity"}
        if self._version is not None and self._version.strong and self._version.etag is not None:
            headers["If-Match"] = self._version.etag
        return headers

    def _check_status(self, response: aiohttp.ClientResponse) -> None:
        """Leave only 200 and 206 over."""
        if self._address.startswith("https:") and response.url.scheme != "https":
            raise RemoteError(f"{self.name}: leads from https to an address without encryption")
        status = response.status
        if status in (200, 206):
            self._direct = str(response.url)
        elif self._direct not in (None, self._address) and status in _GONE:
            self._direct = None  # what redirects lead to may be good for a while only
            raise _BrokenOffError(f"the server answers {status}")
        elif status == 412 or (status == 416 and self._version is not None):
            raise self.change()
        elif status in _RETRIED or status >= 500:
            raise _BrokenOffError(f"the server answers {_status(response)}", _retry_after(response))
        elif status == 401:
            raise RemoteError(
                f"{self.name}: the server answers {_status(response)}; "
                "'dynerf serve --token' takes its token as ?token=... in the address"
            )
        elif status in (404, 410):
            raise RemoteError(f"{self.name}: no such file on the server ({status})")
        elif status == 416:
            raise RemoteError(f"{self.name}: the file is empty, or the server refuses ranges (416)")
        else:
            raise RemoteError(f"{self.name}: the server answers {_status(response)}, expected 206")

    def _check_range(self, response: aiohttp.ClientResponse, first: int, stop: int) -> int:
        """Check that the answer is the range asked for, of the right version; return where it stops."""
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

    async def _whole(self, response: aiohttp.ClientResponse) -> ReceivedBytes:
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
            raise _BrokenOffError(f"the answer ends {length - len(into)} bytes too early")

    def _check_whole(self, length: int) -> None:
        if length > self._whole_limit:
            raise RemoteError(
                f"{self.name}: the server ignores range requests, and a file of {length} bytes or more "
                f"is too long to be fetched whole, at most {self._whole_limit} bytes are"
            )

    def _pin(self, response: aiohttp.ClientResponse, size: int) -> None:
        found = Version(size, response.headers.get("ETag"), response.headers.get("Last-Modified"))
        if self._version is None:
            self._version = found
        elif not self._version.same_as(found):
            raise self.change()

    def change(self) -> ChangedError:
        """From now on nothing is fetched any more: bytes of two versions must not meet."""
        self.changed = True
        return ChangedError(f"{self.name}: is another file now than when it was opened; open it again")

    def _explained(self, error: Exception) -> Exception:
        """A library's error as one of ours."""
        # A library's text may quote the answer at length: of a server's words only so much is shown.
        reason = ascii(f"{type(error).__name__} {error}".partition("\n")[0][:120].strip())[1:-1]
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
            return RemoteError(f"{self.name}: no safe connection: {reason}")
        if isinstance(error, aiohttp.TooManyRedirects):
            return RemoteError(f"{self.name}: leads on to other addresses more than {_MOST_REDIRECTS} times")
        if isinstance(error, aiohttp.RedirectClientError | aiohttp.InvalidURL):
            return RemoteError(f"{self.name}: leads to what is no http or https address")
        if isinstance(error, aiohttp.ClientResponseError | ValueError):
            return RemoteError(f"{self.name}: the server does not answer as a web server")
        if isinstance(error, aiohttp.ClientConnectorError) and self._version is None:
            return RemoteError(f"{self.name}: no connection to the server: {error.strerror or reason}")
        if isinstance(error, aiohttp.ConnectionTimeoutError) and self._version is None:
            return RemoteError(f"{self.name}: no connection to the server in {self._patience.connect:g} s")
        if isinstance(error, TimeoutError):
            return _BrokenOffError("the server does not answer in time")
        return _BrokenOffError(f"the connection broke off ({reason})")


def _status(response: aiohttp.ClientResponse) -> str:
    reason = ascii(response.reason or "")[1:-1][:60]
    return f"{response.status} {reason}".strip()


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """Seconds the server asks to wait; dates, which clocks disagree about, count as 0."""
    text = response.headers.get("Retry-After", "")
    return float(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0.0
