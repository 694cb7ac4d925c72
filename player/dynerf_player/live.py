"""The live protocol of ``PROTOCOL.md`` on a WebSocket: greets, listens, and keeps the rules."""

import asyncio
import contextlib
from collections.abc import Awaitable
from dataclasses import asdict
from typing import Any
from weakref import WeakSet

from aiohttp import WSCloseCode, WSMsgType, web

from dynerf_format.errors import DynerfError

from .coding import CODEC_STRING
from .library import Buffer, Library
from .messages import MOST_BYTES, VERSION, Ack, Hello, Message, MessageError, parse
from .patience import Patience
from .session import CODERS, Session
from .studio import Studio

_LOOK = 0.25  # seconds between two looks at what is buffered
_LOOKS_PER_CHECK = 4  # of the edition
_BEAT = 20.0  # seconds between two pings
_MOST_REASON = 120  # bytes that fit into a close frame


SOCKETS: web.AppKey[WeakSet[web.WebSocketResponse]] = web.AppKey("SOCKETS", WeakSet)


class _GoneError(Exception):
    """The other end closed, or was cut off."""


async def live(
    request: web.Request, library: Library, studio: Studio, patience: Patience
) -> web.StreamResponse:
    """One viewer, from greeting to goodbye."""
    await library.edition(request.match_info["name"])  # 404 rather than a socket when there is none
    socket = web.WebSocketResponse(max_msg_size=MOST_BYTES, heartbeat=_BEAT, compress=False, timeout=2.0)
    await socket.prepare(request)
    request.app[SOCKETS].add(socket)
    wire = _Wire(request, socket, patience)
    try:
        codec = _codec(await wire.receive(patience.hello))
        if not studio.slots.take():
            await wire.send_json({"type": "busy", "sessions": studio.slots.limit})
            await wire.close(WSCloseCode.TRY_AGAIN_LATER, "all sessions are taken")
            return socket
        try:
            await _serve(wire, library, studio, codec)
        finally:
            studio.slots.give_back()
    except MessageError as error:
        await wire.close(WSCloseCode.POLICY_VIOLATION, str(error))
    except TimeoutError:
        await wire.close(WSCloseCode.POLICY_VIOLATION, "nothing was said for too long")
    except _GoneError:
        pass
    return socket


def _codec(hello: Message) -> str:
    """The first codec of a greeting that is known here."""
    if not isinstance(hello, Hello):
        raise MessageError("the first message must be a hello")
    known = [codec for codec in hello.codecs if codec in CODERS]
    if not known:
        raise MessageError(f"hello: none of the codecs is known here: {', '.join(CODERS)}")
    return known[0]


async def _serve(wire: "_Wire", library: Library, studio: Studio, codec: str) -> None:
    """All that happens between the greeting and the goodbye; whatever ends first ends the rest."""
    edition = await library.edition(wire.name)
    welcome = {"type": "welcome", "version": VERSION, "codec": codec, "codec_string": CODEC_STRING}
    await wire.send_json(welcome)
    coder = CODERS[codec](edition.clip.device.type == "cuda")
    session = Session(edition, studio, coder, wire.send_picture)
    jobs = [
        asyncio.create_task(job)
        for job in (_listen(wire, session), _render(wire, session), _look(wire, session, library))
    ]
    try:
        done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        for job in done:
            job.result()
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


async def _listen(wire: "_Wire", session: Session) -> None:
    while True:
        message = await wire.receive(wire.patience.idle)
        if isinstance(message, Hello):
            raise MessageError("a second hello")
        if isinstance(message, Ack):
            session.acknowledge(message.id)
        else:
            session.wish(message)


async def _render(wire: "_Wire", session: Session) -> None:
    while True:
        try:
            await session.run()
        except DynerfError as error:
            await wire.send_json({"type": "error", "message": str(error)})


async def _look(wire: "_Wire", session: Session, library: Library) -> None:
    """Tell what is buffered and when the clip was replaced. A clip that is gone for now is kept."""
    told: Buffer | None = None
    looks = 0
    while True:
        looks += 1
        if looks % _LOOKS_PER_CHECK == 0:
            with contextlib.suppress(DynerfError):
                edition = await library.edition(wire.name)
                if edition is not session.edition:
                    session.replace(edition)
                    await wire.send_json({"type": "changed"})
        buffer = session.edition.buffer()
        if buffer != told:
            await wire.send_json({"type": "buffer", **asdict(buffer)})
            told = buffer
        await asyncio.sleep(_LOOK)


class _Wire:
    """The socket, with a deadline on everything."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse, patience: Patience) -> None:
        self.name = request.match_info["name"]
        self.patience = patience
        self._request = request
        self._socket = socket

    async def receive(self, seconds: float) -> Message:
        """The next message. Raises MessageError, TimeoutError, _GoneError."""
        frame = await self._socket.receive(timeout=seconds)
        if frame.type == WSMsgType.TEXT:
            return parse(frame.data)
        if frame.type == WSMsgType.BINARY:
            raise MessageError("a message is not text")
        raise _GoneError

    async def send_json(self, record: dict[str, Any]) -> None:
        """A text message."""
        await self._in_time(self._socket.send_json(record))

    async def send_picture(self, data: bytes) -> None:
        """A binary message."""
        await self._in_time(self._socket.send_bytes(data))

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye; cut the connection when the other end does not take it."""
        try:
            await self._in_time(self._socket.close(code=code, message=reason.encode()[:_MOST_REASON]))
        except _GoneError:
            return

    async def _in_time(self, sending: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(self.patience.stall):
                await sending
        except (TimeoutError, ConnectionError) as error:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise _GoneError from error
