"""Checks Host and Origin of every request, and responds to errors without internal details.

A page of a foreign site must not use the viewer's browser to reach a server on the viewer's machine, neither
directly (Origin) nor by a name of its own that resolves to this machine (DNS rebinding, Host). Rebinding
needs a name, so IP addresses are allowed, and so are this machine's own names and those that the operator
allowed.
"""

import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from aiohttp import web
from yarl import URL

from dynerf_format.errors import ConfigError, DynerfError, OutputError
from dynerf_player.library.interface import NoSuchClipError

from .refusals import Refusals, foreign_host, foreign_origin, not_stored

_LOG = logging.getLogger(__name__)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
)
_EXPOSED_HEADERS = "ETag, Content-Range, Accept-Ranges, Content-Length"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@runtime_checkable
class Middleware(Protocol):
    """Wraps every handler. (aiohttp's own type cannot be checked at run time, as the tests do.)"""

    def __call__(self, request: web.Request, handler: Handler) -> Awaitable[web.StreamResponse]: ...


@dataclass(frozen=True)
class OriginCheck:
    """``origins`` are this server's public addresses and sites whose pages may use it; ``*`` for all.

    Behind a proxy one entry covers both headers: its host as Host, all of it as Origin. Forwarding headers
    (``X-Forwarded-Host`` and the like) are not read, because every client can send them.
    """

    origins: frozenset[str]

    @classmethod
    def of(cls, origins: Iterable[str]) -> "OriginCheck":
        """Raises ConfigError when one is not an origin."""
        return cls(frozenset("*" if origin == "*" else _origin(origin) for origin in origins))

    def allows_host(self, host: str) -> bool:
        """Whether a Host header names this server."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        own = {"localhost", socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}
        if "*" in self.origins or name in own or name in {urlsplit(o).hostname for o in self.origins}:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def allows_origin(self, request: web.Request) -> bool:
        """Whether a request comes from this server's own page, an allowed one, or no page at all."""
        origin = request.headers.get("Origin")
        return origin is None or _host(origin) == request.host or self.is_allowed(origin)

    def is_allowed(self, origin: str) -> bool:
        """Whether the operator allowed this origin."""
        return "*" in self.origins or origin.lower() in self.origins

    def middleware(self, refusals: Refusals) -> Middleware:
        """The check before every handler."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self.allows_host(request.host):
                return refusals.response(421, foreign_host(request.host, request.scheme))
            changes = request.method not in ("GET", "HEAD", "OPTIONS")
            if (changes or "Upgrade" in request.headers) and not self.allows_origin(request):
                return refusals.response(403, foreign_origin(request.headers["Origin"]))
            try:
                return await handler(request)
            except NoSuchClipError:
                return web.Response(status=404, text="There is no clip of this name.")
            except OutputError as error:
                return web.Response(status=507, text=not_stored(error))
            except DynerfError as error:
                return web.Response(status=422, text=str(error))
            except (web.HTTPException, ConnectionError):
                raise
            except Exception:
                _LOG.exception("error while handling a %s request", request.method)
                return web.Response(status=500, text="Internal server error.")

        return check

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Signal handler: add the headers of every response."""
        response.headers["Server"] = "dynerf"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Content-Security-Policy"] = _POLICY
        if not (request.path.startswith("/clips") and self.origins):  # whose posters other sites may embed
            response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if not request.path.startswith("/watch/"):
            response.headers["Content-Security-Policy"] += "; frame-ancestors 'self'"
        origin = request.headers.get("Origin")
        if request.path.startswith("/clips") and self.origins:
            response.headers["Vary"] = "Origin"
            if origin is not None and self.is_allowed(origin):
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS
                response.headers["Access-Control-Allow-Headers"] = (
                    "Authorization, Range, If-Match, If-Range, If-None-Match"
                )


def _host(origin: str) -> str | None:
    """Host and port of an Origin header; None when it is not valid."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _origin(text: str) -> str:
    """An origin as browsers write it: lower case, without the scheme's default port."""
    try:
        address = URL(text)
        extra = address.raw_user or address.raw_path.strip("/") or address.raw_query_string
        if address.scheme in ("http", "https") and not extra:
            return str(address.origin())
    except ValueError:
        pass
    raise ConfigError(f"origin {text[:80]}: expected * or an origin, without a path, as https://example.org")
