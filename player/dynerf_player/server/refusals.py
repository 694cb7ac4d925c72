"""Refuses requests that a command-line option would allow: response and log name that option.

Also keeps malformed requests out of the log.
"""

import logging
import re

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from dynerf_format.errors import OutputError

_LOG = logging.getLogger(__name__)
_MAX_LOGGED = 32
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_ORIGIN = re.compile(rf"https?://{_HOST.pattern}")


def _without_request(record: logging.LogRecord) -> bool:
    """Drop the traceback of a malformed request: it quotes the request, which may hold a token."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.exc_info = None
        record.msg += ": it is not valid HTTP"
    return True


HTTP_LOG = logging.getLogger(f"{__name__}.http")
"""The logger for aiohttp's messages about connections."""
HTTP_LOG.addFilter(_without_request)


class Refusals:
    """Makes refusals. Each text is logged once, up to a limit, since clients choose the names in them."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def response(self, status: int, text: str) -> web.Response:
        """The refusal as a response."""
        if text not in self._logged and len(self._logged) < _MAX_LOGGED:
            self._logged.add(text)
            _LOG.warning("refused a request: %s", text)
        return web.Response(status=status, text=text)


def foreign_host(host: str, scheme: str) -> str:
    """The text that refuses a Host header naming another server."""
    if _HOST.fullmatch(host) is None:
        return "The Host header does not name this server."
    return (
        f"{host} is not a name of this server. To let browsers reach it by that name (in a local network, "
        f"through a proxy or a tunnel), start it with: --allow-origin {scheme}://{host}"
    )


def foreign_origin(origin: str) -> str:
    """The text that refuses a page whose origin is not this server's."""
    if _ORIGIN.fullmatch(origin) is None:
        return "Pages of unknown origin are not allowed to do this."
    return (
        f"Pages of {origin} are not allowed to do this. If that is this server's own address (a proxy "
        f"replaces the Host header) or a site that you trust, start it with: --allow-origin {origin}"
    )


def not_stored(error: OutputError) -> str:
    """The text for a movie that cannot be written. Only the log gets the error, which names the path."""
    _LOG.error("%s", error)
    return "The server cannot store the movie; its disk may be full."


NOT_UPGRADED = (
    "Live rendering needs a WebSocket, and this request is not an upgrade to one: a proxy must forward "
    "the headers Upgrade and Connection."
)
