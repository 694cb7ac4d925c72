"""One request, one answer: what goes wrong after an answer began cuts the connection.

A second response would be written into the body of the first, or into the frames of a WebSocket. A connection
that ends early is what tells a client that a body is not whole.
"""

import logging

from aiohttp import web

from .origin_check import Handler

_LOG = logging.getLogger(__name__)
_BEGUN: web.RequestKey[web.StreamResponse] = web.RequestKey("BEGUN", web.StreamResponse)


async def note_begun(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: the head of an answer is about to be sent."""
    request[_BEGUN] = response


@web.middleware
async def one_answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The innermost of all middlewares: errors reach the others only while nothing was sent."""
    try:
        return await handler(request)
    except Exception as error:
        begun: web.StreamResponse | None = request.get(_BEGUN)
        if begun is None or isinstance(error, ConnectionError):
            raise
        _LOG.exception("after the answer to %s had begun", request.method)
        if request.transport is not None:
            request.transport.abort()
        return begun
