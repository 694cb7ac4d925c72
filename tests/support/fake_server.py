"""A fake of the player's server: implements its protocol, renders a chessboard, and fails on request.

Tests use it to bring about states of the page that are rare with a real server: busy, errors, missing data, a
file replaced, a dropped connection.
"""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import WSMsgType, web

from dynerf_player.pages.assets import WEB
from dynerf_player.pages.templates import PlayerPage, catalogue_page, player_page
from support.fake_pictures import HEIGHT, WIDTH, Avc, cameras, description, jpeg, message

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
)


class FakeServer:
    """Runs in a separate thread; tests change its public fields while it runs.

    ``hellos``, ``views``, ``acks`` and ``paths`` are what pages sent. ``busy``: no session is free.
    ``ignores_views``, ``ignores_hello``: these get no response. ``avc``: pictures are H.264 for pages that
    accept it. ``broken_avc``: H.264 is announced, but invalid. ``coarse``: moving views get a quarter of
    the pixels first. ``render_mode`` is that of the page, ``file`` the clip's file, None for 404.
    ``clip`` is the description, None for 404; ``movie`` is the file of each movie,
    ``movie_error`` the reason why there is none.
    """

    def __init__(self) -> None:
        self.port = 0
        self._sockets: set[web.WebSocketResponse] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.reset()

    def reset(self) -> None:
        """Forget what pages sent, and all faults; waits until no page is connected."""
        while self._sockets:
            time.sleep(0.005)
        self.views: list[dict[str, Any]] = []
        self.acks: list[int] = []
        self.paths: list[dict[str, Any]] = []
        self.hellos: list[list[str]] = []
        self.busy, self.ignores_views, self.ignores_hello, self.coarse = False, False, False, False
        self.avc, self.broken_avc = False, False
        self.clip: dict[str, Any] | None = description()
        self.render_mode = "server"
        self.file: bytes | None = None
        self.movie = b"a movie"
        self.movie_error: str | None = None
        self._stream: Avc | None = None

    @property
    def address(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def send_json(self, record: dict[str, Any]) -> None:
        """Send a message to all pages."""
        self.send(json.dumps(record))

    def send(self, data: str | bytes) -> None:
        """Send text or bytes to all pages."""
        self._for_all(
            lambda socket: socket.send_str(data) if isinstance(data, str) else socket.send_bytes(data)
        )

    def drop(self, code: int = 1001, reason: str = "") -> None:
        """Close all connections."""
        self._for_all(lambda socket: socket.close(code=code, message=reason.encode()))

    def _for_all(self, action: Callable[[web.WebSocketResponse], Awaitable[object]]) -> None:
        async def do() -> None:
            for socket in list(self._sockets):
                await action(socket)

        asyncio.run_coroutine_threadsafe(do(), self._loop).result(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = web.AppRunner(self._application(), shutdown_timeout=0.1)
        try:
            self._loop.run_until_complete(self._start(runner))
        finally:
            self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _start(self, runner: web.AppRunner) -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/watch/board", self._player)
        application.router.add_get("/clips/board.dnv", self._file)
        application.router.add_get("/", _catalogue)
        application.router.add_static("/web/", WEB)
        application.router.add_get("/clips.json", self._clips)
        application.router.add_get("/clips/board.json", self._clip)
        application.router.add_get("/clips/board.jpg", self._poster)
        application.router.add_get("/live/board", self._live)
        application.router.add_post("/movies/board", self._movie)
        application.router.add_get("/movies/board/m.mp4", self._finished)
        return application

    async def _player(self, _: web.Request) -> web.Response:
        page = PlayerPage("board", "a test", "../", "board", live=True, render_mode=self.render_mode)
        return _page(player_page(page))

    async def _file(self, _: web.Request) -> web.Response:
        if self.file is None:
            raise web.HTTPNotFound(text="There is no such clip.")
        return web.Response(body=self.file, content_type="application/octet-stream")

    async def _clips(self, _: web.Request) -> web.Response:
        return web.json_response({"clips": [self.clip] if self.clip else []})

    async def _clip(self, _: web.Request) -> web.Response:
        if self.clip is None:
            raise web.HTTPNotFound(text="There is no such clip.")
        return web.json_response(self.clip)

    async def _poster(self, _: web.Request) -> web.Response:
        view = {
            "width": WIDTH,
            "height": HEIGHT,
            "frame": 0.0,
            **{k: cameras()[0][k] for k in ("fov", "camera_to_world")},
        }
        return web.Response(body=jpeg(view), content_type="image/jpeg")

    async def _movie(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(await request.json())
        if self.movie_error:
            raise web.HTTPServiceUnavailable(text=self.movie_error)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        total = len(self.paths[-1]["camera_path"])
        for record in ({"done": total // 2, "total": total}, {"movie": "board/m.mp4"}):
            await response.write(json.dumps(record).encode() + b"\n")
        await response.write_eof()
        return response

    async def _finished(self, _: web.Request) -> web.Response:
        return web.Response(body=self.movie, content_type="video/mp4")

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.add(socket)
        if self.busy:
            await socket.send_json({"type": "busy", "sessions": 2})
            await socket.close(code=1013)
        async for received in socket:
            if received.type == WSMsgType.TEXT:
                await self._answer(socket, json.loads(received.data))
        self._sockets.discard(socket)
        return socket

    async def _answer(self, socket: web.WebSocketResponse, record: dict[str, Any]) -> None:
        if record["type"] == "hello":
            self.hellos.append(record["codecs"])
            if self.ignores_hello:
                return
            use_avc = (self.avc or self.broken_avc) and "avc" in record["codecs"]
            self._stream = Avc() if use_avc else None
            welcome = {"codec": "avc", "codec_string": "avc1.42E01F"} if use_avc else {"codec": "jpeg"}
            await socket.send_json({"type": "welcome", "version": 1, **welcome})
        elif record["type"] == "ack":
            self.acks.append(record["id"])
        else:
            self.views.append(record)
            if not self.ignores_views:
                await self._show(socket, record)

    async def _show(self, socket: web.WebSocketResponse, view: dict[str, Any]) -> None:
        small = view | {"width": view["width"] // 2, "height": view["height"] // 2}
        for shown, final in (
            ((small, False), (view, True)) if self.coarse and view["moving"] else ((view, True),)
        ):
            if self._stream and self.broken_avc:
                await socket.send_bytes(b"\1\1\3\1" + message(shown)[4:])
            else:
                await socket.send_bytes(message(shown, final=final, avc=self._stream))


async def _catalogue(_: web.Request) -> web.Response:
    return _page(catalogue_page("Clips"))


def _page(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": POLICY})
