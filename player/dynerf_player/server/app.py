"""The application: every address of ``PROTOCOL.md``, and the server that runs it."""

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
from dynerf_player.library.interface import ClipVersion, Library
from dynerf_player.session.adaptive_resolution import full_size
from dynerf_player.session.render_pool import RenderPool, RenderRequest, SessionLimit
from dynerf_player.session.stream_encoder import JpegCoder
from dynerf_player.session.timeouts import Timeouts
from dynerf_player.session.websocket import GREETING, SOCKETS, live

from .access_token import Access
from .clip_metadata import description, entry
from .listening import listening
from .movies import MOST_BYTES, MovieLimits, Movies
from .origin_check import OriginCheck
from .range_requests import send_file
from .refusals import HTTP_LOG, NOT_UPGRADED, Refusals
from .single_response import note_begun, one_answer
from .static_assets import page
from .write_timeout import deadline

_KEEP_ALIVE = 15.0  # seconds; also how long a half-sent request may take
_THUMBNAIL_SIDE, _MOST_THUMBNAILS = 320, 256
_SHUTDOWN = 2.0
_MOST_GREETING = 64  # sockets open before their greeting
_RAW = {"Cache-Control": "no-cache, no-transform", "Content-Type": "application/octet-stream"}


@dataclass(frozen=True)
class Settings:
    """Port 0 takes a free one; see ``OriginCheck`` for ``origins`` and ``Access`` for ``access``."""

    host: str = "127.0.0.1"
    port: int = 8080
    sessions: int = 4
    origins: tuple[str, ...] = ()
    access: Access | None = None
    certificate: tuple[str, str] | None = None
    patience: Timeouts = field(default_factory=Timeouts)
    keep_alive: float = _KEEP_ALIVE
    movies: MovieLimits = field(default_factory=MovieLimits)
    connections: int = 512


class Application:
    """The handlers and what they share."""

    def __init__(self, library: Library, settings: Settings) -> None:
        """Raises ConfigError when an allowed origin is none."""
        guard = OriginCheck.of(settings.origins)
        self.refusals = Refusals()
        checks = [deadline(settings.patience.stall), guard.middleware(self.refusals)]
        if settings.access is not None:
            checks.append(settings.access.middleware())
        checks.append(one_answer)
        self.library = library
        self.patience = settings.patience
        self.studio = RenderPool(SessionLimit(settings.sessions))
        self.movies = Movies(self.studio, settings.patience, settings.movies)
        self._thumbnails: dict[str, bytes] = {}
        self._one_thumbnail = asyncio.Lock()
        self.web = web.Application(middlewares=checks, client_max_size=MOST_BYTES)
        self.web[SOCKETS] = WeakSet[web.WebSocketResponse]()
        self.web[GREETING] = SessionLimit(_MOST_GREETING)
        self.web.on_shutdown.append(_say_goodbye)
        self.web.on_response_prepare.append(note_begun)
        self.web.on_response_prepare.append(guard.add_headers)
        self.web.add_routes(
            [
                web.get("/", self.front),
                web.get("/clips.json", self.clips),
                web.get("/watch/{name}", self.watch),
                web.get("/clips/{name}.dnv", self.file),
                web.get("/clips/{name}.json", self.describe),
                web.get("/clips/{name}.jpg", self.thumbnail),
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
        """Stop rendering and let go of everything."""
        await asyncio.to_thread(self.studio.close)
        self.movies.close()
        await self.library.close()

    async def front(self, request: web.Request) -> web.StreamResponse:
        """The catalogue, or the way to the only clip."""
        names = await self.library.names()
        if self.library.is_folder or not names:
            return await page(request, "catalogue.html")
        raise web.HTTPFound("watch/" + quote(names[0], safe=""))

    async def clips(self, request: web.Request) -> web.StreamResponse:
        """What there is; files that are no clips are left out."""
        found = []
        for name in await self.library.names():
            try:
                async with self.library.edition(name) as edition:
                    found.append(await asyncio.to_thread(entry, edition))
            except DynerfError:
                continue
        return _fresh({"clips": found})

    async def watch(self, request: web.Request) -> web.StreamResponse:
        """The player page, the same for all clips."""
        if request.match_info["name"] not in await self.library.names():
            raise web.HTTPNotFound(text="There is no clip of this name.")
        return await page(request, "watch.html")

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """A file of the page."""
        return await page(request, request.match_info["name"])

    async def file(self, request: web.Request) -> web.StreamResponse:
        """The clip itself."""
        async with self.library.edition(request.match_info["name"]) as edition:
            source = edition.raw()
            if source is None:
                raise web.HTTPNotFound(text="This server does not hold the file itself.")
            return await send_file(request, source, edition.etag, _RAW, self.patience.stall)

    async def describe(self, request: web.Request) -> web.StreamResponse:
        """The clip in words."""
        async with self.library.edition(request.match_info["name"]) as edition:
            return _fresh(await asyncio.to_thread(description, edition))

    async def thumbnail(self, request: web.Request) -> web.StreamResponse:
        """What the first camera sees at frame 0."""
        async with self.library.edition(request.match_info["name"]) as edition, self._one_thumbnail:
            await self._draw(edition)
        headers = {"ETag": edition.etag, "Cache-Control": "no-cache"}
        if edition.etag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        return web.Response(body=self._thumbnails[edition.etag], content_type="image/jpeg", headers=headers)

    async def _draw(self, edition: ClipVersion) -> None:
        """Make sure that there is a thumbnail; one at a time, however many ask."""
        if edition.etag not in self._thumbnails:
            await edition.prepare(0.0, 0)
            cameras = (await asyncio.to_thread(lambda: edition.clip)).cameras
            scale = min(1.0, _THUMBNAIL_SIDE / max(cameras[0].width, cameras[0].height))
            size = full_size(round(cameras[0].width * scale), round(cameras[0].height * scale))
            shot = await self.studio.render(edition, RenderRequest(cameras[0].with_size(*size), 0.0))
            if len(self._thumbnails) >= _MOST_THUMBNAILS:
                self._thumbnails.clear()
            self._thumbnails[edition.etag] = JpegCoder().encode(shot.pixels).data

    async def preflight(self, request: web.Request) -> web.StreamResponse:
        """May a page of another site ask for ranges? The guard's headers say it."""
        return web.Response(status=204)

    async def make_movie(self, request: web.Request) -> web.StreamResponse:
        """A camera path to a movie."""
        async with self.library.edition(request.match_info["name"]) as edition:
            return await self.movies.answer(request, edition)

    async def movie(self, request: web.Request) -> web.StreamResponse:
        """A finished movie."""
        return await self.movies.fetch(request, request.match_info["name"], request.match_info["token"])

    async def live(self, request: web.Request) -> web.StreamResponse:
        """A live session."""
        if "Upgrade" not in request.headers:
            response = self.refusals.answer(426, NOT_UPGRADED)
            response.headers.update({"Upgrade": "websocket", "Connection": "Upgrade"})
            return response
        return await live(request, self.library, self.studio, self.patience)

    async def admission(self, request: web.Request) -> web.StreamResponse:
        """Whether this page may begin a live session; else a middleware or the description refuses it."""
        await self.describe(request)
        return web.Response(status=204)

    async def health(self, request: web.Request) -> web.StreamResponse:
        """Whether all is well."""
        slots = self.studio.slots
        return _fresh(
            {"status": "ok", "version": __version__, "sessions": slots.taken, "session_limit": slots.limit}
        )


async def _say_goodbye(application: web.Application) -> None:
    sockets = application[SOCKETS]
    goodbye = (
        socket.close(code=WSCloseCode.GOING_AWAY, message=b"the server ends", drain=False)
        for socket in tuple(sockets)
    )
    await asyncio.gather(*goodbye, return_exceptions=True)  # one that does not listen delays no other


def _fresh(record: object) -> web.Response:
    return web.json_response(record, headers={"Cache-Control": "no-store"})


@asynccontextmanager
async def serving(library: Library, settings: Settings) -> AsyncIterator[str]:
    """Serve while the block runs; yields the server's address, without a slash at the end.

    Raises ConfigError when the address cannot be had or the certificate cannot be used.
    """
    application = Application(library, settings)
    # Cancelled when the client leaves: nobody renders a movie for nobody.
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
                    listening(runner, settings.host, settings.port, _tls(settings), most=settings.connections)
                )
            except OSError as error:
                raise ConfigError(
                    f"{settings.host} port {settings.port}: cannot be served from: {error.strerror or error}"
                ) from error
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            yield f"{'https' if settings.certificate else 'http'}://{host}:{port}"
    finally:
        await runner.cleanup()
        await application.close()


def serve(library: Library, settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or a polite kill; ``ready`` is told the address."""

    async def forever() -> None:
        enough = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, enough.set)
        async with serving(library, settings) as address:
            ready(address)
            await enough.wait()

    asyncio.run(forever())


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(*settings.certificate)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{settings.certificate[0]} and {settings.certificate[1]}: are no certificate and its key: "
            f"{error.strerror or error}"
        ) from error
    return context
