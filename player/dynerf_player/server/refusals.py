"""Refusals that an operator can cure: the answer and the log name the option of the command that does it.

And what the log may hold of malformed requests.
"""

import logging
import re

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

_LOG = logging.getLogger(__name__)
_MOST_LOGGED = 32
_PLACE = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
_ORIGIN = re.compile(rf"https?://{_PLACE.pattern}")


def _without_request(record: logging.LogRecord) -> bool:
    """Leave the trace of a malformed request out: it quotes the request, which may hold a token."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.exc_info = None
        record.msg += ": it is not valid HTTP"
    return True


HTTP_LOG = logging.getLogger(f"{__name__}.http")
"""What aiohttp logs of connections."""
HTTP_LOG.addFilter(_without_request)


class Refusals:
    """Answers with refusals. Each text is logged once, up to a limit: clients choose the names in them."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def answer(self, status: int, text: str) -> web.Response:
        """The refusal as a response."""
        if text not in self._logged and len(self._logged) < _MOST_LOGGED:
            self._logged.add(text)
            _LOG.warning("refused a request: %s", text)
        return web.Response(status=status, text=text)


def foreign_host(host: str, scheme: str) -> str:
    """The refusal of a Host header that names another server."""
    if _PLACE.fullmatch(host) is None:
        return "This server does not go by that name."
    return (
        f"This server does not go by the name {host}. When browsers are to reach it by that name (in a local "
        f"network, through a proxy or a tunnel), start it with: --allow-origin {scheme}://{host}"
    )


def foreign_origin(origin: str) -> str:
    """The refusal of a page whose origin is not this server's."""
    if _ORIGIN.fullmatch(origin) is None:
        return "Pages of unknown origin may not do this."
    return (
        f"Pages of {origin} may not do this. When that is this server's own address (a proxy in between "
        f"replaces the Host header), or a site to be trusted, start it with: --allow-origin {origin}"
    )


NOT_UPGRADED = (
    "Live pictures need a WebSocket, and this request is not an upgrade to one: a proxy in between must pass "
    "the headers Upgrade and Connection on."
)
