"""Runs a server in the test's event loop, on a free port, and a client of its live protocol."""

import asyncio
import json
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from dynerf_player.library.local import FileLibrary
from dynerf_player.server.app import Settings, serving
from dynerf_player.session.timeouts import Timeouts

HEAD = struct.Struct("<BBBBIfHHffQ")
QUICK = Timeouts(hello=0.5, body=0.5, stall=0.5, idle=30.0)


@dataclass(frozen=True)
class Served:
    """A running server and an HTTP session for requests to it."""

    address: str
    http: aiohttp.ClientSession

    @property
    def host(self) -> tuple[str, int]:
        """For raw sockets."""
        name, _, port = self.address.removeprefix("http://").partition(":")
        return name, int(port)

    async def get(self, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of an address; ``_`` in header names stands for ``-``."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.get(self.address + path, headers=sent, allow_redirects=False) as response:
            return response.status, response.headers, await response.read()


def served(path: Path, check: Callable[[Served], Awaitable[None]], **settings: Any) -> None:
    """Serve a file or folder while ``check`` runs; it must end within two minutes."""

    async def run() -> None:
        async with asyncio.timeout(120), running(path, **settings) as server:
            await check(server)

    asyncio.run(run())


@asynccontextmanager
async def running(path: Path, **settings: Any) -> AsyncIterator[Served]:
    """A server of a file or folder."""
    full = Settings(**{"port": 0, "timeouts": QUICK, **settings})
    async with serving(FileLibrary(path), full) as address, aiohttp.ClientSession() as http:
        yield Served(address, http)


def view(identity: int, **changes: Any) -> dict[str, Any]:
    """A view request that can be rendered."""
    pose = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
    record = {
        "type": "view", "id": identity, "frame": 0, "camera_to_world": pose, "fov": 45, "width": 32,
        "height": 24, "moving": False, "depth": False, "layers": 0,
    }  # fmt: skip
    return record | changes


def camera_path(pictures: int) -> dict[str, Any]:
    """A nerfstudio camera path of small pictures."""
    pose = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    entries = [{"camera_to_world": pose, "fov": 40, "aspect": 1.3} for _ in range(pictures)]
    return {"camera_path": entries, "render_width": 32, "render_height": 24, "fps": 30}


class Viewer:
    """The client's side of a live session."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.texts: list[dict[str, Any]] = []

    async def send(self, record: object) -> None:
        """Send a message."""
        await self.socket.send_str(record if isinstance(record, str) else json.dumps(record))

    async def picture(self) -> tuple[tuple[Any, ...], bytes]:
        """The fields of the next picture's head, and its bytes; acknowledged. Texts are queued."""
        while True:
            frame = await self.socket.receive(timeout=120)
            if frame.type == aiohttp.WSMsgType.TEXT:
                self.texts.append(json.loads(frame.data))
                continue
            assert frame.type == aiohttp.WSMsgType.BINARY, frame
            head = HEAD.unpack(frame.data[: HEAD.size])
            await self.send({"type": "ack", "id": head[4]})
            return head, frame.data[HEAD.size :]

    async def text(self, kind: str) -> dict[str, Any]:
        """The next text message of a kind."""
        while True:
            for record in self.texts:
                if record["type"] == kind:
                    self.texts.remove(record)
                    return record
            frame = await self.socket.receive(timeout=120)
            if frame.type == aiohttp.WSMsgType.TEXT:
                self.texts.append(json.loads(frame.data))

    async def ending(self) -> tuple[int | None, str]:
        """How the server closes: code and reason."""
        while True:
            frame = await self.socket.receive(timeout=120)
            if frame.type == aiohttp.WSMsgType.CLOSE:
                return frame.data, frame.extra or ""
            if frame.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                return self.socket.close_code, ""


@asynccontextmanager
async def viewer(server: Served, name: str = "clip", codec: str | None = "jpeg") -> AsyncIterator[Viewer]:
    """A live session; sends a hello unless ``codec`` is None."""
    async with server.http.ws_connect(f"{server.address}/live/{name}", autoclose=False) as socket:
        client = Viewer(socket)
        if codec is not None:
            await client.send({"type": "hello", "version": 1, "codecs": [codec]})
        yield client


class Aborts:
    """The connections that were aborted in this process."""

    def __init__(self) -> None:
        self._found: set[object] = set()
        self._changed = threading.Condition()

    def add(self, connection: object) -> None:
        """Count a connection."""
        with self._changed:
            self._found.add(connection)
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        """Wait in a thread until so many were aborted."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._found) >= count, 120)


async def wait_for_free_sessions(server: Served) -> None:
    """Wait until no session is in use."""
    while b'"sessions": 0' not in (await server.get("/healthz"))[2]:
        await asyncio.sleep(0.01)
