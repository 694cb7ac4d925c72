"""The live protocol of ``PROTOCOL.md`` on a WebSocket: greets, listens, and keeps the rules."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable
from dataclasses import asdict
from typing import Any
from weakref import WeakSet

from aiohttp import WSCloseCode, WSMsgType, web

from dynerf_format.errors import DynerfError
from dynerf_player.library.interface import Buffer, Library

from .protocol import MOST_BYTES, VERSION, Ack, Hello, Message, MessageError, parse
from .render_pool import RenderPool, SessionLimit
from .session import CODERS, Session
from .stream_encoder import CODEC_STRING
from .timeouts import Timeouts

_LOG = logging.getLogger(__name__)
_LOOK = 0.25  # seconds between two looks at what is buffered
_LOOKS_PER_CHECK = 4  # of the edition
_BEAT = 20.0  # seconds between two pings
_GOODBYE = 2.0  # seconds for the other end to take a close frame
_MOST_REASON = 120  # bytes that fit into a close frame


SOCKETS: web.AppKey[WeakSet[web.WebSocketResponse]] = web.AppKey("SOCKETS", WeakSet)
GREETING: web.AppKey[SessionLimit] = web.AppKey(
    "GREETING", SessionLimit
)  # sockets that may be open before their greeting


class _GoneError(Exception):
    """The other end closed, or was cut off."""


async def live(
    request: web.Request, library: Library, studio: RenderPool, patience: Timeouts
) -> web.StreamResponse:
    """One viewer, from greeting to goodbye. Once the socket is open, errors close it instead of escaping."""
    async with library.edition(request.match_info["name"]):
        pass  # an error is answered by a status rather than by a socket
    greeting = request.app[GREETING]
    if not greeting.take():
        raise web.HTTPServiceUnavailable(text=f"{greeting.limit} viewers are connecting; try again.")
    codec = None
    try:
        socket = web.WebSocketResponse(
            max_msg_size=MOST_BYTES, heartbeat=_BEAT, compress=False, timeout=_GOODBYE
        )
        await socket.prepare(request)
        request.app[SOCKETS].add(socket)
        wire = _Wire(request, socket, patience)
        async with _closing(wire):
            codec = _codec(await wire.receive(patience.hello))
    finally:
        greeting.give_back()
    if codec is not None:
        async with _closing(wire):
            await _admit(wire, library, studio, codec)
    return socket


@contextlib.asynccontextmanager
async def _closing(wire: "_Wire") -> AsyncIterator[None]:
    """What goes wrong in the block closes the socket, with a reason."""
    try:
        yield
    except MessageError as error:
        await wire.close(WSCloseCode.POLICY_VIOLATION, str(error))
    except DynerfError as error:
        with contextlib.suppress(_GoneError):
            await wire.send_json({"type": "error", "message": str(error)})
            await wire.close(WSCloseCode.POLICY_VIOLATION, str(error))
    except _GoneError:
        pass
    except Exception:
        _LOG.exception("in a live session")
        await wire.close(WSCloseCode.INTERNAL_ERROR, "Something went wrong here; it was noted.")


async def _admit(wire: "_Wire", library: Library, studio: RenderPool, codec: str) -> None:
    """Serve a viewer who greeted, if a place is free."""
    if not studio.slots.take():
        await wire.send_json({"type": "busy", "sessions": studio.slots.limit})
        await wire.close(WSCloseCode.TRY_AGAIN_LATER, "all sessions are taken")
        return
    try:
        async with contextlib.AsyncExitStack() as pins:
            await _serve(wire, library, studio, codec, pins)
    finally:
        studio.slots.give_back()


def _codec(hello: Message) -> str:
    """The first codec of a greeting that is known here."""
    if not isinstance(hello, Hello):
        raise MessageError("the first message must be a hello")
    known = [codec for codec in hello.codecs if codec in CODERS]
    if not known:
        raise MessageError(f"hello: none of the codecs is known here: {', '.join(CODERS)}")
    return known[0]


async def _serve(
    wire: "_Wire", library: Library, studio: RenderPool, codec: str, pins: contextlib.AsyncExitStack
) -> None:
    """All that happens between the greeting and the goodbye; whatever ends first ends the rest.

    ``pins`` keeps the edition open that the session shows.
    """
    edition = await pins.enter_async_context(library.edition(wire.name))
    clip = await asyncio.to_thread(lambda: edition.clip)
    welcome = {"type": "welcome", "version": VERSION, "codec": codec, "codec_string": CODEC_STRING}
    await wire.send_json(welcome)
    session = Session(edition, studio, CODERS[codec](clip.device.type == "cuda"), wire.send_picture)
    work = _listen(wire, session), _render(wire, session), _look(wire, session, library, pins)
    jobs = [asyncio.create_task(job) for job in work]
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


async def _look(wire: "_Wire", session: Session, library: Library, pins: contextlib.AsyncExitStack) -> None:
    """Tell what is buffered and when the clip was replaced. A clip that is gone for now is kept."""
    told: Buffer | None = None
    looks = 0
    while True:
        looks += 1
        if looks % _LOOKS_PER_CHECK == 0:
            with contextlib.suppress(DynerfError):
                await _renew(wire, session, library, pins)
        buffer = session.edition.buffer()
        if buffer != told:
            await wire.send_json({"type": "buffer", **asdict(buffer)})
            told = buffer
        await asyncio.sleep(_LOOK)


async def _renew(wire: "_Wire", session: Session, library: Library, pins: contextlib.AsyncExitStack) -> None:
    """Go on with another edition when the clip's file changed; let go of the old one when it is not used."""
    async with contextlib.AsyncExitStack() as latest:
        edition = await latest.enter_async_context(library.edition(wire.name))
        if edition is session.edition:
            return
        session.replace(edition)
        old = pins.pop_all()
        pins.push_async_exit(latest.pop_all())
    async with old:
        await wire.send_json({"type": "changed"})
        await session.between_answers()


class _Wire:
    """The socket, with a deadline on everything."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse, patience: Timeouts) -> None:
        self.name = request.match_info["name"]
        self.patience = patience
        self._request = request
        self._socket = socket

    async def receive(self, seconds: float) -> Message:
        """The next message. Raises MessageError, also when there is none in time, and _GoneError."""
        try:
            frame = await self._socket.receive(timeout=seconds)
        except TimeoutError:
            raise MessageError("nothing was said for too long") from None
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
        fitting = reason.encode()[:_MOST_REASON].decode(errors="ignore").encode()  # whole characters only
        try:
            await self._in_time(self._socket.close(code=code, message=fitting))
        except _GoneError:
            return
        transport = self._request.transport
        if transport is not None and transport.get_write_buffer_size():
            transport.abort()  # it would stay open until the other end takes what it did not take in time

    async def _in_time(self, sending: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(self.patience.stall):
                await sending
        except (TimeoutError, ConnectionError) as error:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise _GoneError from error
