"""Live sessions on real sockets: pictures, limits, origins and refused messages."""

import asyncio
import contextlib
import io
import json
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import dynerf
from dynerf_decoder.render.frame import StoppedError
from dynerf_player.server.movies import Movies
from dynerf_player.session.render_pool import RenderPool, SessionLimit
from dynerf_player.session.timeouts import Timeouts
from support.browser import psnr
from support.encoding import tiny_config, tiny_encode, tiny_job, write_scene
from support.player import (
    QUICK,
    Aborts,
    Served,
    Viewer,
    camera_path,
    served,
    view,
    viewer,
    wait_for_free_sessions,
)
from support.tls import self_signed

Array = np.ndarray


def decoded(data: bytes, form: str) -> Array:
    with av.open(io.BytesIO(data), "r", format=form) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def test_pictures_equal_those_of_the_decoder(clip: Path) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        camera = opened.cameras[0]
        truth = opened.render(camera, frame=2.5).numpy()
    pose = camera.camera_to_world.reshape(-1).tolist()
    fov = float(np.degrees(2 * np.arctan(camera.height / 2 / camera.focal_y)))

    async def check(server: Served) -> None:
        for codec, form in (("jpeg", "mjpeg"), ("avc", "h264")):
            async with viewer(server, codec=codec) as client:
                request = view(
                    7, frame=2.5, camera_to_world=pose, fov=fov, width=camera.width, height=camera.height
                )
                await client.send(request)
                head, data = await client.picture()
                while not head[2] & 2:
                    head, data = await client.picture()
                assert head[0] == 1 and head[2] & 3 == 3 and head[4] == 7 and head[5] == 2.5
                assert head[6:8] == (camera.width, camera.height)
                assert head[10] == clip.stat().st_size
                # Chroma is halved in both codecs, which shows in pictures this small: compare brightness.
                assert psnr(decoded(data, form).mean(axis=2), truth.mean(axis=2)) > 33
                welcome = await client.text("welcome")
                assert welcome["codec"] == codec
                assert (await client.text("buffer"))["total"] == clip.stat().st_size

    served(clip, check)


def test_a_clip_with_the_mlp_field_is_rendered(tmp_path: Path) -> None:
    path = tmp_path / "clip.dnv"
    tiny_encode(tiny_job(write_scene(tmp_path / "scene"), path, config=tiny_config(kind="mlp")))
    with dynerf.open(path, device="cpu") as opened:
        camera = opened.cameras[1]
        truth = opened.render(camera, frame=1.0).numpy()
    request = view(
        1, frame=1.0, camera_to_world=camera.camera_to_world.reshape(-1).tolist(),
        fov=float(np.degrees(2 * np.arctan(camera.height / 2 / camera.focal_y))),
        width=camera.width, height=camera.height,
    )  # fmt: skip

    async def check(server: Served) -> None:
        assert json.loads((await server.get("/clips/clip.json"))[2])["field"] == "mlp"
        async with viewer(server) as client:
            await client.send(request)
            head, data = await client.picture()
            while not head[2] & 2:
                head, data = await client.picture()
            assert psnr(decoded(data, "mjpeg").mean(axis=2), truth.mean(axis=2)) > 33

    served(path, check)


def test_page_and_pictures_over_tls(clip: Path, tmp_path: Path) -> None:
    files = self_signed(tmp_path)

    async def check(server: Served) -> None:
        assert server.address.startswith("https://")
        trusting = ssl.create_default_context(cafile=files[0])
        connector = aiohttp.TCPConnector(ssl=trusting)
        async with aiohttp.ClientSession(connector=connector) as http:
            trusted = Served(server.address, http)
            assert (await trusted.get("/watch/clip"))[0] == 200
            assert (await trusted.get("/clips/clip.dnv"))[2] == clip.read_bytes()
            async with viewer(trusted, codec="avc") as client:
                await client.send(view(1))
                assert (await client.picture())[0][4] == 1

    served(clip, check, certificate=files)


def test_the_newest_view_request_wins(clip: Path) -> None:
    async def check(server: Served) -> None:
        async with viewer(server) as client:
            for identity in range(300):
                await client.send(view(identity, frame=identity % 5, moving=True, width=320, height=240))
            pictures = 0
            head = (0,) * 11
            while not (head[4] == 299 and head[2] & 2):
                head, _ = await client.picture()
                pictures += 1
            assert pictures < 60
            assert head[6:8] == (320, 240)

    served(clip, check)


def test_at_most_two_pictures_are_unacknowledged(clip: Path) -> None:
    async def check(server: Served) -> None:
        async with viewer(server) as client:
            for identity in range(2):
                await client.send(view(identity))
                while (await client.socket.receive(timeout=120)).type != aiohttp.WSMsgType.BINARY:
                    pass
            for identity in range(2, 6):
                await client.send(view(identity))
            with pytest.raises(TimeoutError):
                while True:
                    frame = await client.socket.receive(timeout=0.4)
                    assert frame.type != aiohttp.WSMsgType.BINARY

    served(clip, check)


def test_ten_thousand_messages_do_not_delay_another_session(clip: Path) -> None:
    async def check(server: Served) -> None:
        async with viewer(server) as flood, viewer(server) as calm:
            await calm.send(view(1))
            await calm.picture()

            async def send_all() -> None:
                for identity in range(10_000):
                    await flood.send(view(identity, moving=True))

            sending = asyncio.create_task(send_all())
            await calm.send(view(2, frame=1))
            assert (await calm.picture())[0][4] == 2
            await sending
            head, _ = await flood.picture()
            while head[4] != 9_999:
                head, _ = await flood.picture()

    served(clip, check)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("nonsense", 1008), ("[" * 60_000, 1008), ('{"type": "dance"}', 1008), ("[]", 1008), ("{}", 1008),
        (view(1, frame=float("nan")), 1008), (view(1, frame=float("inf")), 1008), (view(1, fov=0), 1008),
        ('{"type": "ack", "id": 1e999}', 1008), (view(1, width=1e9), 1008),
        (view(1, width=4096, height=4096), 1008),
        (view(1, camera_to_world=[0] * 12), 1008), (view(1, camera_to_world=[1] * 11), 1008),
        (view(1, camera_to_world=[-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]), 1008),
        (view(1, camera_to_world="x"), 1008), (view(1, moving=1), 1008), (view(1, layers=-1), 1008),
        (view(-1), 1008), (view(1, frame=10**400), 1008), ({"type": "view"}, 1008),
        ({"type": "hello", "version": 1, "codecs": ["jpeg"]}, 1008), ("x" * 70_000, 1009),
    ],
)  # fmt: skip
def test_an_invalid_message_ends_the_session(clip: Path, message: object, code: int) -> None:
    async def check(server: Served) -> None:
        async with viewer(server) as client:
            await client.send(message)
            found, reason = await client.ending()
            assert found == code
            assert reason or code == 1009
        await wait_for_free_sessions(server)

    served(clip, check)


@pytest.mark.parametrize("greeting", [None, view(1), {"type": "hello", "version": 2, "codecs": ["jpeg"]},
                                      {"type": "hello", "version": 1, "codecs": ["vp9"]},
                                      {"type": "hello", "version": 1, "codecs": 5}])  # fmt: skip
def test_a_connection_without_a_hello_is_closed(clip: Path, greeting: object) -> None:
    async def check(server: Served) -> None:
        async with viewer(server, codec=None) as client:
            if greeting is not None:
                await client.send(greeting)
            assert (await client.ending())[0] == 1008

    served(clip, check)


async def ping(client: Viewer) -> None:
    """Send pings until cancelled."""
    while True:
        await client.socket.ping()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("codec", [None, "jpeg"])
def test_pings_do_not_prolong_the_wait_for_a_message(clip: Path, codec: str | None) -> None:
    async def check(server: Served) -> None:
        async with viewer(server, codec=codec) as client:
            pinging = asyncio.create_task(ping(client))
            async with asyncio.timeout(120):
                assert await client.ending() == (1008, "no message within 0.5 s")
            pinging.cancel()
        await wait_for_free_sessions(server)

    served(clip, check, timeouts=replace(QUICK, idle=0.5))


def test_a_ping_is_answered(clip: Path) -> None:
    async def check(server: Served) -> None:
        async with server.http.ws_connect(f"{server.address}/live/clip", autoping=False) as socket:
            await socket.ping(b"here?")
            frame = await socket.receive(timeout=10)
            assert (frame.type, frame.data) == (aiohttp.WSMsgType.PONG, b"here?")

    served(clip, check)


def test_a_viewer_that_sends_pings_and_does_not_read_loses_its_session(clip: Path) -> None:
    upgrade = (
        "GET /live/clip HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    )
    hello = b'{"type": "hello", "version": 1, "codecs": ["jpeg"]}'
    pings = (b"\x89\xfd" + bytes(4 + 125)) * 500  # masked with zeros

    def flood(host: tuple[str, int]) -> bool:
        """Whether the server disconnects."""
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(0.1)
            raw.connect(host)
            raw.sendall(upgrade.encode() + bytes([0x81, 0x80 + len(hello)]) + bytes(4) + hello)
            end = time.monotonic() + 120
            rest = b""
            while time.monotonic() < end:
                rest = rest or pings
                try:
                    rest = rest[raw.send(rest) :]
                except TimeoutError:
                    continue
                except ConnectionError:
                    return True
        return False

    async def check(server: Served) -> None:
        flooding = asyncio.create_task(asyncio.to_thread(flood, server.host))
        while b'"sessions": 1' not in (await server.get("/healthz"))[2]:
            await asyncio.sleep(0.01)
        assert await flooding
        await wait_for_free_sessions(server)

    served(clip, check)


def test_ids_must_increase(clip: Path) -> None:
    async def check(server: Served) -> None:
        async with viewer(server) as client:
            await client.send(view(5))
            await client.send(view(5))
            assert (await client.ending())[0] == 1008

    served(clip, check)


def test_a_viewer_beyond_the_limit_gets_busy_and_sessions_are_released(clip: Path) -> None:
    async def check(server: Served) -> None:
        async with viewer(server) as first:
            await first.text("welcome")
            async with viewer(server) as second:
                assert (await second.text("busy"))["sessions"] == 1
                assert (await second.ending())[0] == 1013
            async with server.http.post(server.address + "/movies/clip", json=camera_path(1)) as response:
                assert response.status == 503
        await wait_for_free_sessions(server)
        async with viewer(server) as third:
            await third.text("welcome")

    served(clip, check, sessions=1)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403), ({"Host": "evil.example"}, 421),
     ({"Origin": "http://["}, 403), ({"Origin": "http://a]"}, 403), ({"Host": "["}, 421),
     ({"Host": "evil.example", "Origin": "http://evil.example"}, 421)],
)  # fmt: skip
def test_pages_of_other_sites_cannot_open_a_session(clip: Path, headers: dict[str, str], status: int) -> None:
    async def check(server: Served) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await server.http.ws_connect(f"{server.address}/live/clip", headers=headers)
        assert refused.value.status == status
        own = {"Origin": server.address}
        await (await server.http.ws_connect(f"{server.address}/live/clip", headers=own)).close()

    served(clip, check)


def test_a_file_replaced_during_playback_is_reported(
    clip: Path, other_clip: Path, tmp_path: Path, next_check: Callable[[], Awaitable[None]]
) -> None:
    path, other = tmp_path / "clip.dnv", tmp_path / "other"
    shutil.copy(clip, path)

    async def check(server: Served) -> None:
        async with viewer(server) as client:
            await client.send(view(1))
            await client.picture()
            path.unlink()
            await next_check()
            await client.send(view(2))
            assert (await client.picture())[0][4] == 2
            shutil.copy(other_clip, other)
            other.replace(path)
            await client.text("changed")
            await client.send(view(3))
            assert (await client.picture())[0][4] == 3

    served(path, check)


def test_h264_restarts_with_a_key_picture_after_a_replacement(
    clip: Path, other_clip: Path, tmp_path: Path
) -> None:
    path, other = tmp_path / "clip.dnv", tmp_path / "other"
    shutil.copy(clip, path)

    async def check(server: Served) -> None:
        async with viewer(server, codec="avc") as client:
            keys = []
            for identity in range(1, 5):
                if identity == 3:
                    shutil.copy(other_clip, other)
                    other.replace(path)
                    await client.text("changed")
                await client.send(view(identity))
                keys.append((await client.picture())[0][2] & 1)
            assert keys == [1, 0, 1, 0]

    served(path, check)


def test_hundreds_of_seeks_in_many_sessions_leak_nothing(clip: Path) -> None:
    async def seek(server: Served, codec: str) -> None:
        async with viewer(server, codec=codec) as client:
            for identity in range(60):
                await client.send(view(identity, frame=identity * 1.37 % 4, width=16 + identity, height=24))
                while (await client.picture())[0][2] & 2 == 0:
                    pass

    async def check(server: Served) -> None:
        await seek(server, "avc")
        before = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
        for codec in ("jpeg", "avc", "jpeg", "avc"):
            await seek(server, codec)
        after = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
        assert after[0] <= before[0] + 1  # the socket of the last session may not be closed yet
        assert after[1] <= before[1] + 4  # asyncio's own pool grows up to a limit
        await wait_for_free_sessions(server)

    served(clip, check)


def test_a_path_becomes_a_movie(clip: Path) -> None:
    async def check(server: Served) -> None:
        address = server.address + "/movies/clip"
        async with server.http.post(address, json=camera_path(4)) as response:
            assert (response.status, response.content_type) == (200, "video/mp4")
            assert _count(await response.read()) == 4
        async with server.http.post(
            address, json=camera_path(3), headers={"Accept": "application/x-ndjson"}
        ) as response:
            lines = [line async for line in response.content]
        assert b'"done": 3' in lines[-2]
        movie = "/movies/" + lines[-1].split(b'"')[3].decode()  # relative to the request's address
        assert _count((await server.get(movie))[2]) == 3
        assert (await server.get(movie, Range="bytes=0-9"))[0] == 206
        assert (await server.get("/movies/clip/unknown.mp4"))[0] == 404
        for wrong in ({}, {"camera_path": [1]}):
            async with server.http.post(address, json=wrong) as response:
                assert response.status == 422
                assert "/" not in await response.text()
        async with server.http.post(
            address, data=io.BytesIO(b" " * (1 << 21)), headers={"Content-Type": "application/json"}
        ) as response:
            assert response.status == 413
        async with server.http.post(address, data=b"{}") as response:
            assert response.status == 415
        async with server.http.post(
            address, json=camera_path(1), headers={"Origin": "https://evil.example"}
        ) as response:
            assert response.status == 403

    served(clip, check)


def _count(movie: bytes) -> int:
    with av.open(io.BytesIO(movie), "r") as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_movie_stops_rendering_when_the_client_disconnects(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[int] = []
    original = Movies._render

    async def counted(*arguments: Any) -> Array:
        rendered.append(1)
        return await original(*arguments)

    monkeypatch.setattr(Movies, "_render", counted)

    async def check(server: Served) -> None:
        async def post() -> None:
            async with server.http.post(server.address + "/movies/clip", json=camera_path(3600)):
                pass

        posting = asyncio.create_task(post())
        while not rendered:
            await asyncio.sleep(0.005)
        posting.cancel()
        await wait_for_free_sessions(server)
        assert len(rendered) < 3600

    served(clip, check)


def test_a_camera_path_that_arrives_slowly_times_out(clip: Path) -> None:
    head = b"POST /movies/clip HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

    def send_slowly(host: tuple[str, int]) -> bytes:
        with socket.create_connection(host, timeout=120) as raw:
            raw.sendall(head + b"Content-Length: 1000\r\n\r\n")
            raw.settimeout(0.1)
            for _ in range(100):
                with contextlib.suppress(TimeoutError):
                    return raw.recv(1000)
                raw.sendall(b" ")
        return b""

    async def check(server: Served) -> None:
        assert (await asyncio.to_thread(send_slowly, server.host)).startswith(b"HTTP/1.1 408 ")

    served(clip, check)


def test_a_client_that_does_not_read_its_movie_is_disconnected(tmp_path: Path, aborts: Aborts) -> None:
    def stall(host: tuple[str, int], name: str) -> int:
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(20)
            raw.connect(host)
            raw.sendall(f"GET {name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            aborts.wait_for(1)
            count = 0
            with contextlib.suppress(ConnectionResetError):
                while block := raw.recv(1 << 20):
                    count += len(block)
            return count

    async def run() -> None:
        movies = Movies(RenderPool(SessionLimit(1)), Timeouts(stall=0.5))
        large = tmp_path / "large.mp4"
        large.write_bytes(bytes(24 << 20))
        movies.keep("token", "clip", large)

        async def fetch(request: web.Request) -> web.StreamResponse:
            return await movies.fetch(request, "clip", "token")

        application = web.Application()
        application.router.add_get("/movie.mp4", fetch)
        async with TestServer(application) as server:
            host = server.host, server.port or 0
            assert await asyncio.to_thread(stall, host, "/movie.mp4") < large.stat().st_size
        movies.close()

    asyncio.run(run())


def test_a_render_stops_between_tiles(clip: Path) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        answers = iter([False, True])
        with pytest.raises(StoppedError):
            opened.render(opened.cameras[0].with_size(640, 480), frame=0.0, stop=lambda: next(answers))
        assert next(answers, None) is None
