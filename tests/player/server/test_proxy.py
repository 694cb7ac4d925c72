"""The server behind a reverse proxy below a path: nginx and Caddy as configured in the docs."""

import asyncio
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urljoin

import aiohttp
import pytest

from dynerf_player.server.access_token import Access
from support.player import Served, Viewer, view
from support.proxy import HOST, caddy, free_port, nginx, own, served_in_thread
from support.video import ROOT

NAME = "wall 50% ä#1?&+"
ACCESS = Access("secret")


@pytest.fixture
def folder(clip: Path, tmp_path: Path) -> Path:
    """Two clips, one with a name that addresses must escape."""
    (tmp_path / "clips").mkdir()
    shutil.copy(clip, tmp_path / "clips" / f"{NAME}.dnv")
    shutil.copy(clip, tmp_path / "clips" / "other.dnv")
    return tmp_path / "clips"


@pytest.fixture(params=[nginx, caddy, own], ids=["nginx", "caddy", "aiohttp"])
def base(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the server's root as seen through a proxy."""
    if request.param is not own and shutil.which(request.param.__name__) is None:
        pytest.skip(f"{request.param.__name__} is not installed")
    port = free_port()
    with (
        served_in_thread(folder, origins=(f"http://{HOST}:{port}",), access=ACCESS) as upstream,
        request.param(port, upstream, tmp_path),
    ):
        yield f"http://{HOST}:{port}/films/"


def test_everything_works_below_a_path(base: str, clip: Path) -> None:
    address = base.replace(HOST, "127.0.0.1")
    as_browser = {"Host": base.split("/")[2], "Origin": base.removesuffix("/films/")}
    name = quote(NAME, safe="")

    async def check() -> None:
        async with aiohttp.ClientSession(headers=as_browser) as http:
            async with http.get(address.removesuffix("/"), allow_redirects=False) as response:
                assert urljoin(address, response.headers["Location"]) in (address, base)
            cookie = await _log_in(http, address)
            http.headers.update(cookie)
            server = Served(address.removesuffix("/"), http)
            assert json.loads((await server.get("/clips.json"))[2])["clips"][1]["name"] == NAME
            for path in (f"/watch/{name}", "/web/main.js", f"/clips/{name}.json", f"/clips/{name}.jpg"):
                assert (await server.get(path))[0] == 200, path
            status, headers, body = await server.get(f"/clips/{name}.dnv", Range="bytes=8-99")
            assert (status, body) == (206, clip.read_bytes()[8:100])
            assert (await server.get(f"/clips/{name}.dnv", If_Match=headers["ETag"]))[2] == clip.read_bytes()
            async with http.ws_connect(f"{address}live/{name}") as socket:
                client = Viewer(socket)
                await client.send({"type": "hello", "version": 1, "codecs": ["jpeg"]})
                await client.send(view(1))
                assert (await client.picture())[0][4] == 1
            await _movie(http, f"{address}movies/{name}")

    asyncio.run(check())


async def _log_in(http: aiohttp.ClientSession, address: str) -> dict[str, str]:
    """Open a page with the token, following redirects as a browser does; returns the cookie's header."""
    start = f"{address}watch/other{ACCESS.query()}"
    assert await _status(http, start.partition("?")[0]) == 401
    async with http.get(start, allow_redirects=False) as first:
        second = urljoin(start, first.headers["Location"])
    assert second.startswith(f"{address}?")  # the folder of this address becomes the cookie's path
    async with http.get(second, allow_redirects=False) as response:
        assert urljoin(second, response.headers["Location"]) == f"{address}watch/other"
        return {"Cookie": response.headers["Set-Cookie"].partition(";")[0]}


async def _status(http: aiohttp.ClientSession, address: str) -> int:
    async with http.get(address, allow_redirects=False) as response:
        return response.status


async def _movie(http: aiohttp.ClientSession, address: str) -> None:
    pose = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    path = {
        "camera_path": [{"camera_to_world": pose, "fov": 45}] * 2,
        "render_width": 32,
        "render_height": 24,
        "fps": 10,
    }
    accept = {"Accept": "application/x-ndjson"}
    async with http.post(address, json=path, headers=accept) as response:
        assert response.status == 200, await response.text()
        lines = [json.loads(line) for line in (await response.text()).splitlines()]
    movie = lines[-1]["movie"]
    async with http.get(urljoin(str(response.url), movie)) as response:
        assert (response.status, response.content_type) == (200, "video/mp4")


def test_a_single_clip_is_redirected_to_below_the_path(clip: Path, tmp_path: Path) -> None:
    port = free_port()
    with served_in_thread(clip) as upstream, own(port, upstream, tmp_path, bare=True):

        async def check() -> None:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"http://127.0.0.1:{port}/films/?embed=1&token=old") as response,
            ):
                assert response.status == 200
                assert str(response.url.relative()) == "/films/watch/clip?embed=1"

        asyncio.run(check())


def test_no_page_or_script_uses_an_absolute_path() -> None:
    web = ROOT / "player" / "dynerf_player" / "web"
    rooted = re.compile(r"""(?:href|src)="/|["'`(]/(?:web|watch|clips|live|movies|healthz)\b""")
    files = [path for path in web.rglob("*") if path.suffix in (".html", ".js", ".css")]
    assert len(files) > 20
    assert [path.name for path in files if rooted.search(path.read_text(encoding="utf-8"))] == []
