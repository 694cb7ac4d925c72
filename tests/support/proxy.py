"""Reverse proxies that serve a server below /films/: nginx and Caddy as in the docs, and one of aiohttp."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from dynerf_player.client.source import LoopThread
from dynerf_player.library.local import FileLibrary
from dynerf_player.server.app import Settings, serving
from support.video import ROOT

HOST = "films.localhost"  # resolved to this machine by browsers, which treat it as a secure context
BARE = "location /films/ { proxy_pass http://127.0.0.1:8080/; }"
_HOP_BY_HOP = {"connection", "upgrade", "keep-alive", "transfer-encoding", "content-length", "host"}


@contextmanager
def served_in_thread(path: Path, **settings: Any) -> Iterator[int]:
    """The real server of a file or folder, in a separate thread; its port."""
    loop, stack = LoopThread("test server"), AsyncExitStack()
    library = FileLibrary(path)
    try:
        address = loop.run(stack.enter_async_context(serving(library, Settings(**{"port": 0, **settings}))))
        yield int(address.rpartition(":")[2])
    finally:
        loop.run(stack.aclose())
        loop.close()


def documented(language: str) -> str:
    """The example of docs/how-to/serve-and-embed.md that is written in a language."""
    found = re.findall(
        rf"```{language}\n(.*?)```", (ROOT / "docs" / "how-to" / "serve-and-embed.md").read_text(), re.DOTALL
    )
    assert len(found) == 1
    return str(found[0])


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def nginx(port: int, upstream: int, folder: Path, location: str | None = None) -> Iterator[None]:
    """Debian's nginx with one location, that of the docs unless another is given."""
    location = (location or documented("nginx")).replace("8080", str(upstream))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {folders} server {{ listen 127.0.0.1:{port}; {location} }} }}"
    )
    with _process(["nginx", "-e", "stderr", "-c", str(folder / "nginx.conf")], port, folder):
        yield


@contextmanager
def caddy(port: int, upstream: int, folder: Path) -> Iterator[None]:
    """Caddy with the site of the docs, by plain http."""
    site = (
        documented("caddyfile")
        .replace("8080", str(upstream))
        .replace("films.example", f"http://{HOST}:{port}")
    )
    (folder / "Caddyfile").write_text("{\n admin off\n auto_https off\n}\n" + site)
    with _process(["caddy", "run", "--config", str(folder / "Caddyfile")], port, folder):
        yield


@contextmanager
def own(port: int, upstream: int, _: Path, bare: bool = False) -> Iterator[None]:
    """A proxy of aiohttp; a bare one replaces Host and does not forward WebSockets, as nginx by default."""
    loop, stack = LoopThread("test proxy"), AsyncExitStack()

    async def start() -> None:
        http = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        application = web.Application(client_max_size=2**21)
        application.router.add_route("*", "/films/{path:.*}", _forwarder(http, upstream, bare))
        application.router.add_get("/films", _to_folder)
        runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", port).start()

    try:
        loop.run(start())
        yield
    finally:
        loop.run(stack.aclose())
        loop.close()


@contextmanager
def any_proxy(port: int, upstream: int, folder: Path, bare: bool = False) -> Iterator[None]:
    """nginx when it is installed, else the proxy of aiohttp."""
    if shutil.which("nginx"):
        with nginx(port, upstream, folder, BARE if bare else None):
            yield
    else:
        with own(port, upstream, folder, bare):
            yield


@contextmanager
def _process(command: list[str], port: int, folder: Path) -> Iterator[None]:
    environment = {
        **os.environ,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
    }
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            deadline = time.monotonic() + 120
            while not _listens(port):
                assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(120)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


async def _to_folder(_: web.Request) -> web.StreamResponse:
    raise web.HTTPMovedPermanently("/films/")


def _forwarder(http: aiohttp.ClientSession, upstream: int, bare: bool) -> Callable[[web.Request], Any]:
    async def forward(request: web.Request) -> web.StreamResponse:
        address = f"http://127.0.0.1:{upstream}{request.raw_path.removeprefix('/films')}"
        headers = {name: text for name, text in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        if not bare:
            headers["Host"] = request.host
            if "Upgrade" in request.headers:
                return await _bridge(http, request, address, headers)
        url = URL(address, encoded=True)
        async with http.request(
            request.method, url, headers=headers, data=await request.read() or None, allow_redirects=False
        ) as upstream_response:
            response = web.StreamResponse(status=upstream_response.status)
            response.headers.extend(
                (n, t) for n, t in upstream_response.headers.items() if n.lower() not in _HOP_BY_HOP
            )
            response.content_length = upstream_response.content_length
            await response.prepare(request)
            async for block in upstream_response.content.iter_any():
                await response.write(block)
            await response.write_eof()
            return response

    return forward


async def _bridge(
    http: aiohttp.ClientSession, request: web.Request, address: str, headers: dict[str, str]
) -> web.StreamResponse:
    """Forward a WebSocket in both directions."""
    headers = {name: text for name, text in headers.items() if not name.lower().startswith("sec-websocket")}
    try:
        upper = await http.ws_connect(address, headers=headers, max_msg_size=0)
    except aiohttp.WSServerHandshakeError as error:
        return web.Response(status=error.status)
    lower = web.WebSocketResponse(max_msg_size=0)
    await lower.prepare(request)

    async def forward(source: Any, sink: Any) -> None:
        async for message in source:
            if message.type == aiohttp.WSMsgType.TEXT:
                await sink.send_str(message.data)
            else:
                await sink.send_bytes(message.data)
        await sink.close(code=source.close_code or 1000)

    await asyncio.gather(forward(upper, lower), forward(lower, upper), return_exceptions=True)
    return lower
