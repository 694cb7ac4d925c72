"""Nobody may keep an answer waiting: a reader who takes next to nothing for some seconds is cut off.

Files (``files.py``) and live sessions (``live.py``) send block by block and see to it themselves. All other
answers are whole in memory when the handler returns, so they are sent here, and watched until the last byte
has left this process.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from .origin_check import Handler, Middleware

_LOOKS = 20  # at a connection within its patience
_LEAST_RATE = 1024  # bytes per second


def deadline(seconds: float) -> Middleware:
    """What sends small answers in time: the outermost of all middlewares."""

    @web.middleware
    async def send(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = web.Response(status=error.status, text=error.text, headers=error.headers)
        if isinstance(response, web.Response) and not response.prepared:
            async with watched(request, seconds):
                await response.prepare(request)
                await response.write_eof()
        return response

    return send


@contextlib.asynccontextmanager
async def watched(request: web.Request, seconds: float) -> AsyncIterator[None]:
    """Cut the connection when what the block sends leaves too slowly.

    Within ``seconds`` at least 1 KiB must leave for each of them, or all that is left. The end of the block
    waits until everything has left. Once the connection was cut, sending fails as on any lost one.
    Raises ConnectionResetError when there is none at the start.
    """
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the reader has gone")
    watch = asyncio.create_task(_watch(transport, seconds))
    try:
        yield
        while transport.get_write_buffer_size() and not transport.is_closing():
            await asyncio.sleep(seconds / _LOOKS)
    finally:
        watch.cancel()


async def _watch(transport: asyncio.Transport, seconds: float) -> None:
    """Cut a connection whose unsent bytes become fewer too slowly; more than before count as a new start."""
    clock = asyncio.get_running_loop().time
    waiting, since = 0, clock()
    while True:
        await asyncio.sleep(seconds / _LOOKS)
        size = transport.get_write_buffer_size()
        enough = size == 0 or waiting - size >= _LEAST_RATE * seconds
        if enough or size > waiting:
            waiting, since = size, clock()
        elif clock() - since > seconds:
            transport.abort()
            return
