"""A web server of one file on a real socket, whose answers a test can spoil; it keeps count of requests."""

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

Spoil = Callable[[bytes], bytes | None]
"""Turns an honest answer into a bad one; None cuts the connection without an answer."""


@dataclass
class Link:
    """What is served, and what was asked for.

    ``spoils`` are used up by one answer each, ``always`` spoils the others. An answer longer than ``cut``
    breaks off after so many bytes of its body. Requests from ``held`` on get no answer yet.
    """

    data: bytes
    etag: str | None = '"one"'
    ranges: bool = True
    heeds_match: bool = True
    delay: float = 0.0
    cut: int | None = None
    held: int | None = None
    spoils: list[Spoil] = field(default_factory=list)
    always: Spoil | None = None
    asked: list[tuple[int, int] | None] = field(default_factory=list)
    sent: int = 0
    address: str = ""

    def replace(self, data: bytes, etag: str) -> None:
        """Serve another file from now on."""
        self.data, self.etag = data, etag

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(self.delay)
                while self._is_held(request):
                    await asyncio.sleep(0.01)
                answer, whole = self._answer(request)
                if answer is not None:
                    writer.write(answer)
                    await writer.drain()
                if answer is None or not whole:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _is_held(self, request: bytes) -> bool:
        match = _RANGE.search(request)
        return self.held is not None and match is not None and int(match[1]) >= self.held

    def _answer(self, request: bytes) -> tuple[bytes | None, bool]:
        match, condition = _RANGE.search(request), _MATCH.search(request)
        wanted = (int(match[1]), int(match[2]) + 1) if match else None
        self.asked.append(wanted)
        headers = [] if self.etag is None else [f"ETag: {self.etag}"]
        if self.heeds_match and condition and condition[1].decode() != self.etag:
            return http("412 Precondition Failed", b"", *headers), True
        answer: bytes | None = self._honest(wanted, headers)
        spoil = self.spoils.pop(0) if self.spoils else self.always
        if spoil is not None:
            return spoil(answer or b""), False
        head, _, body = (answer or b"").partition(b"\r\n\r\n")
        if self.cut is not None and len(body) > self.cut:
            return head + b"\r\n\r\n" + body[: self.cut], False
        self.sent += len(body)
        return answer, True

    def _honest(self, wanted: tuple[int, int] | None, headers: list[str]) -> bytes:
        if wanted is None or not self.ranges:
            return http("200 OK", self.data, *headers)
        first, stop = wanted[0], min(wanted[1], len(self.data))
        if first >= stop:
            return http("416 Range Not Satisfiable", b"", f"Content-Range: bytes */{len(self.data)}")
        place = f"Content-Range: bytes {first}-{stop - 1}/{len(self.data)}"
        return http("206 Partial Content", self.data[first:stop], place, *headers)


def http(status: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """An HTTP answer; ``length`` overrides the Content-Length."""
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
