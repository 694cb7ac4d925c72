"""Routes every address of ``PROTOCOL.md`` to its handler, and runs the server."""

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote
from weakref import WeakSet

from aiohttp import WSCloseCode, web

from dynerf_format.errors import ConfigError, DynerfError
from dynerf_format.version import __version__
from dynerf_player.library.interface import Library
from dynerf_player.pages.templates import PlayerPage, catalogue_page, player_page
from dynerf_player.posters.poster_cache import PosterCache, default_folder
from dynerf_player.posters.served_posters import ServedPosters
from dynerf_player.session.render_pool import RenderPool, SessionLimit
from dynerf_player.session.timeouts import Timeouts
from dynerf_player.session.websocket import AWAITING_HELLO, SOCKETS, live

from .access_token import TOKEN_FIELD, Access
from .clip_metadata import description, summary
from .listening import listening
from .movies import MAX_PATH_BYTES, MovieLimits, Movies
from .origin_check import OriginCheck
from .range_requests import send_file
from .refusals import HTTP_LOG, NOT_UPGRADED, Refusals
from .single_response import note_response, single_response
from .static_assets import asset_response, page_response
from .write_timeout import write_timeout

_KEEP_ALIVE = 15.0  # seconds; also the limit for receiving a request's head
_SHUTDOWN = 2.0
_MAX_AWAITING_HELLO = 64  # sockets open before their hello
_DESCRIPTION = "Free-viewpoint video: move the camera while it plays"
_RAW = {"Cache-Control": "no-cache, no-transform", "Content-Type": "application/octet-stream"}


@dataclass(frozen=True)
class Settings:
    """Port 0 is any free port; see ``OriginCheck`` for ``origins`` and ``Access`` for ``access``."""

    host: str = "127.0.0.1"
    port: int = 8080
    sessions: int = 4
    origins: tuple[str, ...] = ()
    access: Access | None = None
    certificate: tuple[str, str] | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    keep_alive: float = _KEEP_ALIVE
    movies: MovieLimits = field(default_factory=MovieLimits)
    connections: int = 512


class Application:
    """The handlers and their shared state."""

    def __init__(self, library: Library, settings: Settings) -> None:
        """Raises ConfigError when an allowed origin is not valid."""
        origin_check = OriginCheck.of(settings.origins)
        self.refusals = Refusals()
        checks = [write_timeout(settings.timeouts.stall), origin_check.middleware(self.refusals)]
        if settings.access is not None:
            checks.append(settings.access.middleware())
        checks.append(single_response)
        self.library = library
        self.timeouts = settings.timeouts
        self.render_pool = RenderPool(SessionLimit(settings.sessions))
        self.movies = Movies(self.render_pool, settings.timeouts, settings.movies)
        self.posters = ServedPosters(self.render_pool, PosterCache(default_folder()))
        self.web = web.Application(middlewares=checks, client_max_size=MAX_PATH_BYTES)
        self.web[SOCKETS] = WeakSet[web.WebSocketResponse]()
        self.web[AWAITING_HELLO] = SessionLimit(_MAX_AWAITING_HELLO)
        self.web.on_shutdown.append(_close_sockets)
        self.web.on_response_prepare.append(note_response)
        self.web.on_response_prepare.append(origin_check.add_headers)
        self.web.add_routes(
            [
                web.get("/", self.index),
                web.get("/clips.json", self.clips),
                web.get("/watch/{name}", self.watch),
                web.get("/clips/{name}.dnv", self.file),
                web.get("/clips/{name}.json", self.describe),
                web.get("/clips/{name}.jpg", self.poster),
                web.options("/clips/{name}", self.preflight),
                web.post("/movies/{name}", self.make_movie),
                web.get("/movies/{name}/{token}.mp4", self.movie),
                web.get("/live/{name}", self.live),
                web.post("/live/{name}", self.admission),
                web.get("/web/{name:.+}", self.asset),
                web.get("/healthz", self.health),
            ]
        )

    async def close(self) -> None:
        """Stop rendering, remove movies and close the library."""
        await asyncio.to_thread(self.render_pool.close)
        self.movies.close()
        await self.library.close()

    async def index(self, request: web.Request) -> web.StreamResponse:
        """The catalogue, or a redirect to the only clip that keeps the query, except for a token."""
        names = await self.library.names()
        if self.library.is_folder or not names:
            return page_response(request, catalogue_page("Clips"))
        query = request.rel_url.without_query_params(TOKEN_FIELD).raw_query_string
        raise web.HTTPFound("watch/" + quote(names[0], safe="") + (f"?{query}" if query else ""))

    async def clips(self, request: web.Request) -> web.StreamResponse:
        """The catalogue as JSON; files that are not clips are left out."""
        found = []
        for name in await self.library.names():
            try:
                async with self.library.current(name) as version:
                    found.append(await asyncio.to_thread(summary, version))
            except DynerfError:
                continue
        return _uncached_json({"clips": found})

    async def watch(self, request: web.Request) -> web.StreamResponse:
        """A clip's page."""
        name = request.match_info["name"]
        if name not in await self.library.names():
            raise web.HTTPNotFound(text="There is no clip of this name.")
        mode = "auto" if self.library.holds_files else "server"
        page = PlayerPage(name, _DESCRIPTION, "../", name, live=True, render_mode=mode)
        return page_response(request, player_page(page))

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """A file of the page."""
        return await asset_response(request, request.match_info["name"])

    async def file(self, request: web.Request) -> web.StreamResponse:
        """The clip's file."""
        async with self.library.current(request.match_info["name"]) as version:
            return await send_file(request, version.raw(), version.etag, _RAW, self.timeouts.stall)

    async def describe(self, request: web.Request) -> web.StreamResponse:
        """The clip's description as JSON."""
        async with self.library.current(request.match_info["name"]) as version:
            return _uncached_json(await asyncio.to_thread(description, version))

    async def poster(self, request: web.Request) -> web.StreamResponse:
        """The view of the first camera at frame 0, as JPEG."""
        async with self.library.current(request.match_info["name"]) as version:
            headers = {"ETag": version.etag, "Cache-Control": "no-cache"}
            if version.etag in request.headers.get("If-None-Match", ""):
                return web.Response(status=304, headers=headers)
            body = await self.posters.get(version)
        return web.Response(body=body, content_type="image/jpeg", headers=headers)

    async def preflight(self, request: web.Request) -> web.StreamResponse:
        """Answer a CORS preflight: ``OriginCheck.add_headers`` adds the headers."""
        return web.Response(status=204)

    async def make_movie(self, request: web.Request) -> web.StreamResponse:
        """Render a camera path to a movie."""
        async with self.library.current(request.match_info["name"]) as version:
            return await self.movies.create(request, version)

    async def movie(self, request: web.Request) -> web.StreamResponse:
        """A finished movie."""
        return await self.movies.fetch(request, request.match_info["name"], request.match_info["token"])

    async def live(self, request: web.Request) -> web.StreamResponse:
        """A live session."""
        if "Upgrade" not in request.headers:
            response = self.refusals.response(426, NOT_UPGRADED)
            response.headers.update({"Upgrade": "websocket", "Connection": "Upgrade"})
            return response
        return await live(request, self.library, self.render_pool, self.timeouts)

    async def admission(self, request: web.Request) -> web.StreamResponse:
        """204 when this page may start a live session; else a middleware or ``describe`` refuses."""
        await self.describe(request)
        return web.Response(status=204)

    async def health(self, request: web.Request) -> web.StreamResponse:
        """The server's status as JSON."""
        sessions = self.render_pool.sessions
        return _uncached_json(
            {
                "status": "ok",
                "version": __version__,
                "sessions": sessions.taken,
                "session_limit": sessions.limit,
            }
        )


async def _close_sockets(application: web.Application) -> None:
    sockets = application[SOCKETS]
    closing = (
        socket.close(code=WSCloseCode.GOING_AWAY, message=b"the server is shutting down", drain=False)
        for socket in tuple(sockets)
    )
    await asyncio.gather(*closing, return_exceptions=True)  # a client that does not respond delays no other


def _uncached_json(record: object) -> web.Response:
    return web.json_response(record, headers={"Cache-Control": "no-store"})


@asynccontextmanager
async def serving(library: Library, settings: Settings) -> AsyncIterator[str]:
    """Serve while the block runs; yields the server's address, without a slash at the end.

    Raises ConfigError when the address cannot be bound or the certificate cannot be used.
    """
    application = Application(library, settings)
    # handler_cancellation stops rendering a movie when the client disconnects.
    runner = web.AppRunner(
        application.web,
        handler_cancellation=True,
        access_log=None,
        logger=HTTP_LOG,
        keepalive_timeout=settings.keep_alive,
        shutdown_timeout=_SHUTDOWN,
    )
    await runner.setup()
    try:
        async with AsyncExitStack() as stack:
            try:
                port = await stack.enter_async_context(
                    listening(runner, settings.host, settings.port, _tls(settings), settings.connections)
                )
            except OSError as error:
                raise ConfigError(
                    f"{settings.host} port {settings.port}: cannot listen there: {error.strerror or error}"
                ) from error
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            yield f"{'https' if settings.certificate else 'http'}://{host}:{port}"
    finally:
        await runner.cleanup()
        await application.close()


def serve(library: Library, settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, unless ignored; ``ready`` is called with the address."""

    async def forever() -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # by nohup, for example
                asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        async with serving(library, settings) as address:
            ready(address)
            await stopped.wait()

    asyncio.run(forever())


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(*settings.certificate)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{settings.certificate[0]} and {settings.certificate[1]}: not a valid certificate and key: "
            f"{error.strerror or error}"
        ) from error
    return context
