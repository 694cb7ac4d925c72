"""Runs the live protocol of ``PROTOCOL.md`` on a WebSocket: hello, messages, timeouts, closing."""

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

from .protocol import MAX_MESSAGE_BYTES, VERSION, Ack, Hello, Message, MessageError, parse
from .render_pool import RenderPool, SessionLimit
from .session import CODERS, Session
from .stream_encoder import CODEC_STRING
from .timeouts import Timeouts

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 0.25  # between two checks of what is buffered
_POLLS_PER_CHECK = 4  # of the clip's version
_PING_SECONDS = 20.0  # between two pings
_CLOSE_SECONDS = 2.0  # for the client to answer a close frame
_MAX_REASON_BYTES = 120  # at most 123 fit into a close frame

SOCKETS: web.AppKey[WeakSet[web.WebSocketResponse]] = web.AppKey("SOCKETS", WeakSet)
# Limits the sockets that have not sent their hello yet.
AWAITING_HELLO: web.AppKey[SessionLimit] = web.AppKey("AWAITING_HELLO", SessionLimit)


class _DisconnectedError(Exception):
    """The client closed the connection, or it was aborted."""


async def live(
    request: web.Request, library: Library, render_pool: RenderPool, timeouts: Timeouts
) -> web.StreamResponse:
    """Serve one viewer. Once the socket is open, errors close it instead of propagating."""
    async with library.current(request.match_info["name"]):
        pass  # raises here if at all: the response is then a status rather than a socket
    awaiting_hello = request.app[AWAITING_HELLO]
    if not awaiting_hello.try_acquire():
        raise web.HTTPServiceUnavailable(text=f"{awaiting_hello.limit} viewers are connecting; try again.")
    codec = None
    try:
        socket = web.WebSocketResponse(
            max_msg_size=MAX_MESSAGE_BYTES,
            heartbeat=_PING_SECONDS,
            compress=False,
            timeout=_CLOSE_SECONDS,
            autoping=False,  # aiohttp sends pongs without a timeout
        )
        await socket.prepare(request)
        request.app[SOCKETS].add(socket)
        connection = _Connection(request, socket, timeouts)
        async with _close_on_error(connection):
            codec = _codec(await connection.receive(timeouts.hello))
    finally:
        awaiting_hello.release()
    if codec is not None:
        async with _close_on_error(connection):
            await _admit(connection, library, render_pool, codec)
    return socket


@contextlib.asynccontextmanager
async def _close_on_error(connection: "_Connection") -> AsyncIterator[None]:
    """Close the socket with a reason when the block raises."""
    try:
        yield
    except MessageError as error:
        await connection.close(WSCloseCode.POLICY_VIOLATION, str(error))
    except DynerfError as error:
        with contextlib.suppress(_DisconnectedError):
            await connection.send_json({"type": "error", "message": str(error)})
            await connection.close(WSCloseCode.POLICY_VIOLATION, str(error))
    except _DisconnectedError:
        pass
    except Exception:
        _LOG.exception("in a live session")
        await connection.close(WSCloseCode.INTERNAL_ERROR, "internal server error")


async def _admit(connection: "_Connection", library: Library, render_pool: RenderPool, codec: str) -> None:
    """Serve a viewer after the hello, if a session is free."""
    if not render_pool.sessions.try_acquire():
        await connection.send_json({"type": "busy", "sessions": render_pool.sessions.limit})
        await connection.close(WSCloseCode.TRY_AGAIN_LATER, "all sessions are taken")
        return
    try:
        async with contextlib.AsyncExitStack() as pins:
            await _serve(connection, library, render_pool, codec, pins)
    finally:
        render_pool.sessions.release()


def _codec(hello: Message) -> str:
    """The first codec of a hello that this server supports."""
    if not isinstance(hello, Hello):
        raise MessageError("the first message must be a hello")
    known = [codec for codec in hello.codecs if codec in CODERS]
    if not known:
        raise MessageError(f"hello: none of the codecs is supported, expected one of: {', '.join(CODERS)}")
    return known[0]


async def _serve(
    connection: "_Connection",
    library: Library,
    render_pool: RenderPool,
    codec: str,
    pins: contextlib.AsyncExitStack,
) -> None:
    """Receive messages, render and report until the first of the three tasks ends.

    ``pins`` keeps the version open that the session shows.
    """
    version = await pins.enter_async_context(library.current(connection.name))
    clip = await asyncio.to_thread(lambda: version.clip)
    welcome = {"type": "welcome", "version": VERSION, "codec": codec, "codec_string": CODEC_STRING}
    await connection.send_json(welcome)
    session = Session(
        version, render_pool, CODERS[codec](clip.device.type == "cuda"), connection.send_picture
    )
    work = (
        _receive_messages(connection, session),
        _render(connection, session),
        _report_buffer(connection, session, library, pins),
    )
    jobs = [asyncio.create_task(job) for job in work]
    try:
        done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        for job in done:
            job.result()
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


async def _receive_messages(connection: "_Connection", session: Session) -> None:
    while True:
        message = await connection.receive(connection.timeouts.idle)
        if isinstance(message, Hello):
            raise MessageError("hello: sent twice")
        if isinstance(message, Ack):
            session.acknowledge(message.id)
        else:
            session.request_view(message)


async def _render(connection: "_Connection", session: Session) -> None:
    while True:
        try:
            await session.run()
        except DynerfError as error:
            await connection.send_json({"type": "error", "message": str(error)})


async def _report_buffer(
    connection: "_Connection", session: Session, library: Library, pins: contextlib.AsyncExitStack
) -> None:
    """Report what is buffered, and switch to a new version of the clip. A missing file changes nothing."""
    reported: Buffer | None = None
    polls = 0
    while True:
        polls += 1
        if polls % _POLLS_PER_CHECK == 0:
            with contextlib.suppress(DynerfError):
                await _update_version(connection, session, library, pins)
        buffer = session.version.buffer()
        if buffer != reported:
            await connection.send_json({"type": "buffer", **asdict(buffer)})
            reported = buffer
        await asyncio.sleep(_POLL_SECONDS)


async def _update_version(
    connection: "_Connection", session: Session, library: Library, pins: contextlib.AsyncExitStack
) -> None:
    """Switch to another version if the clip's file changed; release the old one once it is not used."""
    async with contextlib.AsyncExitStack() as latest:
        version = await latest.enter_async_context(library.current(connection.name))
        if version is session.version:
            return
        session.replace(version)
        old = pins.pop_all()
        pins.push_async_exit(latest.pop_all())
    async with old:
        await connection.send_json({"type": "changed"})
        await session.wait_until_idle()


class _Connection:
    """The socket, with a timeout on every operation."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse, timeouts: Timeouts) -> None:
        self.name = request.match_info["name"]
        self.timeouts = timeouts
        self._request = request
        self._socket = socket

    async def receive(self, seconds: float) -> Message:
        """The next message. Raises MessageError, also when there is none in time, and _DisconnectedError.

        Pings are answered, but do not prolong the time.
        """
        try:
            async with asyncio.timeout(seconds):
                frame = await self._socket.receive()
                while frame.type in (WSMsgType.PING, WSMsgType.PONG):
                    if frame.type == WSMsgType.PING:
                        await self._in_time(self._socket.pong(frame.data))
                    frame = await self._socket.receive()
        except TimeoutError:
            raise MessageError(f"no message within {seconds:g} s") from None
        if frame.type == WSMsgType.TEXT:
            return parse(frame.data)
        if frame.type == WSMsgType.BINARY:
            raise MessageError("the message is not text")
        raise _DisconnectedError

    async def send_json(self, record: dict[str, Any]) -> None:
        """A text message."""
        await self._in_time(self._socket.send_json(record))

    async def send_picture(self, data: bytes) -> None:
        """A binary message."""
        await self._in_time(self._socket.send_bytes(data))

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame; abort the connection when the client does not take it in time."""
        # Whole characters only.
        message = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore").encode()
        try:
            await self._in_time(self._socket.close(code=code, message=message))
        except _DisconnectedError:
            return
        transport = self._request.transport
        if transport is not None and transport.get_write_buffer_size():
            transport.abort()  # otherwise it stays open until the client reads the rest

    async def _in_time(self, sending: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(self.timeouts.stall):
                await sending
        except (TimeoutError, ConnectionError) as error:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise _DisconnectedError from error
