"""Restricts access to clients that send the server's token; only ``/healthz`` is open to all.

The token is sent in the query of an address, as ``Authorization: Bearer``, or, once a page was opened with
it, as a cookie that is derived from it. Pages are redirected to an address without the token, so that links
copied from a page do not contain it.

The cookie has no Path attribute, because the server may lie below a prefix that only its proxy has
configured. Browsers then use the folder of the address that set the cookie, so only the server's root sets
it, whose folder holds all other addresses. It is SameSite=Lax: links from other sites to a view carry it,
requests by their pages do not. Its name contains the port, because browsers share cookies between the ports
of a host.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from aiohttp import hdrs, web

from dynerf_format.errors import ConfigError

from .origin_check import Handler, Middleware

TOKEN_FIELD = "token"
_PAGE = "watch"  # query field of the root: the clip whose page was opened with a token
_MAX_LENGTH = 256
_COOKIE_SECONDS = 7 * 24 * 3600
_OPEN = "/healthz"
_REFUSAL = (
    "This server requires its token: open the address that 'dynerf serve' printed, which ends in ?token=... "
    "(the browser must accept its cookie)."
)


@dataclass(frozen=True)
class Access:
    """The token of a server, and the checks for it."""

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        """Raises ConfigError when the token is empty, too long or not printable."""
        if not self.token.isprintable() or not 1 <= len(self.token) <= _MAX_LENGTH:
            raise ConfigError(f"token: expected 1 to {_MAX_LENGTH} printable characters")

    def query(self) -> str:
        """The query that carries the token in an address."""
        return f"?{TOKEN_FIELD}={quote(self.token, safe='')}"

    def middleware(self) -> Middleware:
        """The check before every handler, after those of Host and Origin."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            # A preflight carries no credentials and gets only headers.
            if request.path == _OPEN or request.method == hdrs.METH_OPTIONS:
                return await handler(request)
            in_query = _same(request.query.get(TOKEN_FIELD, ""), self.token)
            if in_query and request.method in (hdrs.METH_GET, hdrs.METH_HEAD) and _is_page(request.path):
                return self._set_cookie(request)
            if in_query or self._in_header(request) or self._in_cookie(request):
                return await handler(request)
            return web.Response(status=401, text=_REFUSAL, headers={hdrs.WWW_AUTHENTICATE: "Bearer"})

        return check

    def _in_header(self, request: web.Request) -> bool:
        scheme, _, text = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        return scheme.lower() == "bearer" and _same(text.strip(), self.token)

    def _in_cookie(self, request: web.Request) -> bool:
        return _same(request.cookies.get(_cookie_name(request), ""), self._cookie())

    def _cookie(self) -> str:
        """The cookie's value: derived, because a token may contain characters that a cookie may not."""
        return hmac.digest(self.token.encode(), b"dynerf cookie", "sha256").hex()[:32]

    def _set_cookie(self, request: web.Request) -> web.Response:
        """Redirect a page with the token to the root, which sets the cookie, and then back to the page."""
        rest = [(name, text) for name, text in request.query.items() if name not in (TOKEN_FIELD, _PAGE)]
        if request.path != "/":
            page = request.match_info.get("name", "")
            # Not plain "../?": curl up to 7.88 resolves that without the slash at the end of the path.
            return _see_other(f".././{self.query()}", [(_PAGE, page), *rest])
        page = request.query.get(_PAGE, "")
        response = _see_other(f"./watch/{quote(page, safe='')}" if page else "./", rest)
        response.set_cookie(
            _cookie_name(request),
            self._cookie(),
            path="",
            max_age=_COOKIE_SECONDS,
            httponly=True,
            secure=request.secure,
            samesite="Lax",
        )
        return response


def _same(found: str, expected: str) -> bool:
    """Whether two texts are equal, compared in constant time."""
    return hmac.compare_digest(found.encode(errors="surrogateescape"), expected.encode())


def _is_page(path: str) -> bool:
    return path == "/" or path.startswith("/watch/")


def _cookie_name(request: web.Request) -> str:
    port = 0 if request.transport is None else request.transport.get_extra_info("sockname")[1]
    return f"dynerf-{port}"


def _see_other(address: str, query: Sequence[tuple[str, str]]) -> web.Response:
    if query:
        address += ("&" if "?" in address else "?") + urlencode(query, quote_via=quote)
    return web.Response(status=303, headers={hdrs.LOCATION: address, hdrs.CACHE_CONTROL: "no-store"})
