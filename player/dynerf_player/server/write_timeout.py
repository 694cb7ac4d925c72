"""Aborts connections whose clients read a response too slowly.

Files (``range_requests.py``) and live sessions (``session/websocket.py``) are sent in blocks with timeouts of
their own. All other responses are complete in memory when the handler returns: they are sent here, and
watched until the last byte has left this process.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from .origin_check import Handler, Middleware

_POLLS = 20  # of a connection within its timeout
_MIN_RATE = 1024  # bytes per second


def write_timeout(seconds: float) -> Middleware:
    """The outermost middleware: sends complete responses within a timeout."""

    @web.middleware
    async def send(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = web.Response(status=error.status, text=error.text, headers=error.headers)
        if isinstance(response, web.Response) and not response.prepared:
            async with minimum_write_rate(request, seconds):
                await response.prepare(request)
                await response.write_eof()
        return response

    return send


@contextlib.asynccontextmanager
async def minimum_write_rate(request: web.Request, seconds: float) -> AsyncIterator[None]:
    """Abort the connection when the client reads what the block sends too slowly.

    In any ``seconds`` the client must read 1 KiB per second on average, or all that is left. The end of the
    block waits until everything is sent. After the abort, sending fails as on any lost connection. Raises
    ConnectionResetError when the connection is already closed.
    """
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client has disconnected")
    watch = asyncio.create_task(_abort_if_slow(transport, seconds))
    try:
        yield
        while transport.get_write_buffer_size() and not transport.is_closing():
            await asyncio.sleep(seconds / _POLLS)
    finally:
        watch.cancel()


async def _abort_if_slow(transport: asyncio.Transport, seconds: float) -> None:
    """Abort when the number of unsent bytes falls too slowly; the timer restarts when it grows."""
    clock = asyncio.get_running_loop().time
    waiting, since = 0, clock()
    while True:
        await asyncio.sleep(seconds / _POLLS)
        size = transport.get_write_buffer_size()
        enough = size == 0 or waiting - size >= _MIN_RATE * seconds
        if enough or size > waiting:
            waiting, since = size, clock()
        elif clock() - since > seconds:
            transport.abort()
            return
