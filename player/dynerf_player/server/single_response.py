"""Aborts the connection on errors after a response has started.

A second response would be written into the body of the first, or into the frames of a WebSocket. A connection
that ends early shows the client that the body is incomplete.
"""

import logging

from aiohttp import web

from .origin_check import Handler

_LOG = logging.getLogger(__name__)
_STARTED: web.RequestKey[web.StreamResponse] = web.RequestKey("STARTED", web.StreamResponse)


async def note_response(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: note that the head of a response is about to be sent."""
    request[_STARTED] = response


@web.middleware
async def single_response(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The innermost middleware: errors propagate only while nothing was sent."""
    try:
        return await handler(request)
    except Exception as error:
        started: web.StreamResponse | None = request.get(_STARTED)
        if started is None or isinstance(error, ConnectionError):
            raise
        _LOG.exception("error after the response to a %s request had started", request.method)
        if request.transport is not None:
            request.transport.abort()
        return started
