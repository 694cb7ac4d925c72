"""A web server of one file on a real socket; it records requests, and tests inject faults into responses."""

import asyncio
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dynerf_player.client.source import LoopThread

_RANGE = re.compile(rb"range: bytes=(\d+)-(\d+)\r", re.IGNORECASE)
_MATCH = re.compile(rb"if-match: ([^\r]*)\r", re.IGNORECASE)

Fault = Callable[[bytes], bytes | None]
"""Turns a correct response into a faulty one; None closes the connection without a response."""


@dataclass
class Link:
    """The file served, the faults of its responses, and the ranges requested.

    Each of ``faults`` applies to one response, ``always`` to all others. A response ends after ``cut`` bytes
    of its body. Requests for bytes from ``stalled_from`` on wait.
    """

    data: bytes
    etag: str | None = '"one"'
    ranges: bool = True
    honours_if_match: bool = True
    delay: float = 0.0
    cut: int | None = None
    stalled_from: int | None = None
    faults: list[Fault] = field(default_factory=list)
    always: Fault | None = None
    requests: list[tuple[int, int] | None] = field(default_factory=list)
    sent: int = 0
    address: str = ""

    def replace(self, data: bytes, etag: str) -> None:
        """Serve another file from now on."""
        self.data, self.etag = data, etag

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to the requests of one connection."""
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(self.delay)
                while self._is_stalled(request):
                    await asyncio.sleep(0.01)
                response, whole = self._respond(request)
                if response is not None:
                    writer.write(response)
                    await writer.drain()
                if response is None or not whole:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _is_stalled(self, request: bytes) -> bool:
        match = _RANGE.search(request)
        return self.stalled_from is not None and match is not None and int(match[1]) >= self.stalled_from

    def _respond(self, request: bytes) -> tuple[bytes | None, bool]:
        match, condition = _RANGE.search(request), _MATCH.search(request)
        span = (int(match[1]), int(match[2]) + 1) if match else None
        self.requests.append(span)
        headers = [] if self.etag is None else [f"ETag: {self.etag}"]
        if self.honours_if_match and condition and condition[1].decode() != self.etag:
            return http("412 Precondition Failed", b"", *headers), True
        response: bytes | None = self._correct(span, headers)
        fault = self.faults.pop(0) if self.faults else self.always
        if fault is not None:
            return fault(response or b""), False
        head, _, body = (response or b"").partition(b"\r\n\r\n")
        if self.cut is not None and len(body) > self.cut:
            return head + b"\r\n\r\n" + body[: self.cut], False
        self.sent += len(body)
        return response, True

    def _correct(self, span: tuple[int, int] | None, headers: list[str]) -> bytes:
        if span is None or not self.ranges:
            return http("200 OK", self.data, *headers)
        first, stop = span[0], min(span[1], len(self.data))
        if first >= stop:
            return http("416 Range Not Satisfiable", b"", f"Content-Range: bytes */{len(self.data)}")
        content_range = f"Content-Range: bytes {first}-{stop - 1}/{len(self.data)}"
        return http("206 Partial Content", self.data[first:stop], content_range, *headers)


def http(status: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """An HTTP response; ``length`` overrides the Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextmanager
def serving(data: bytes, tls: ssl.SSLContext | None = None, **settings: Any) -> Iterator[Link]:
    """Serve a file on a free port of this machine until the end of the block."""
    link = Link(data, **settings)
    loop = LoopThread("test server")

    async def start() -> asyncio.Server:
        return await asyncio.start_server(link.serve, "127.0.0.1", 0, ssl=tls)

    server = loop.run(start())
    port = server.sockets[0].getsockname()[1]
    link.address = f"http{'s' if tls else ''}://127.0.0.1:{port}/clip.dnv"
    try:
        yield link
    finally:
        loop.run(_stop(server))
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
