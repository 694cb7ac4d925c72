"""Access by token, and refusals that name the option to allow the request."""

import asyncio
import json
import logging
import re
import threading
from pathlib import Path

import aiohttp
import pytest

from dynerf_format import RemoteError
from dynerf_format.errors import ConfigError
from dynerf_player.client.source import HttpSource
from dynerf_player.server.access_token import Access
from dynerf_player.server.origin_check import OriginCheck
from support.command import run
from support.player import Served, served, view, viewer

TOKEN = "word & Töken;"
ACCESS = Access(TOKEN)
QUERY = ACCESS.query()


PAGES = (
    "/", "/clips.json", "/watch/clip", "/clips/clip.dnv", "/clips/clip.json", "/clips/clip.jpg", "/live/clip",
    "/movies/clip/some.mp4", "/web/main.js", "/nothing",
)  # fmt: skip


@pytest.mark.parametrize(
    "wrong", ["", "?token=", "?token=word", "?token=%ff%fe", f"{QUERY}x", f"?token=x&{QUERY[1:]}"]
)
def test_without_the_token_everything_is_refused(clip: Path, wrong: str) -> None:
    async def check(server: Served) -> None:
        for path in PAGES:
            status, headers, body = await server.get(path + wrong)
            assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
            assert b"?token=" in body
            assert TOKEN.encode() not in body
            assert "Set-Cookie" not in headers
            async with server.http.post(server.address + path + wrong, json={}) as response:
                assert response.status == 401

    served(clip, check, access=ACCESS)


def test_a_wrong_header_or_cookie_is_refused(clip: Path) -> None:
    async def check(server: Served) -> None:
        for header in ("Bearer", "Bearer wrong", f"Basic {TOKEN}", "Bearer \udcff"):
            assert (await server.get("/clips.json", Authorization=header))[0] == 401
        for cookie in ("", "x", TOKEN, "T\udcff"):
            assert (await server.get("/clips.json", Cookie=f"dynerf-{server.host[1]}={cookie}"))[0] == 401

    served(clip, check, access=ACCESS)


def test_health_and_preflights_need_no_token(clip: Path) -> None:
    async def check(server: Served) -> None:
        assert (await server.get("/healthz"))[0] == 200
        async with server.http.options(
            server.address + "/clips/clip.dnv", headers={"Origin": "https://site.example"}
        ) as response:
            assert response.status == 204
            assert "Authorization" in response.headers["Access-Control-Allow-Headers"]

    served(clip, check, access=ACCESS, origins=("https://site.example",))


@pytest.mark.parametrize(
    ("path", "target"),
    [("/", "./"), ("/watch/clip", "./watch/clip"), ("/watch/clip?embed=1", "./watch/clip?embed=1"),
     ("/watch/..%2f..%2fevil", "./watch/..%2F..%2Fevil"),
     ("/?watch=//evil.example", "./watch/%2F%2Fevil.example")],
)  # fmt: skip
def test_a_page_opened_with_the_token_is_redirected_through_the_root_and_gets_a_cookie(
    clip: Path, path: str, target: str
) -> None:
    async def check(server: Served) -> None:
        address = path + (QUERY if "?" not in path else "&" + QUERY[1:])
        status, headers, _ = await server.get(address)
        if path != "/" and not path.startswith("/?"):
            assert (status, headers["Location"].startswith(".././?token=")) == (303, True)
            assert "Set-Cookie" not in headers  # its path would be that of this page alone
            status, headers, _ = await server.get(headers["Location"].removeprefix("../."))
        assert (status, headers["Location"]) == (303, target)
        cookie = headers["Set-Cookie"]
        assert {part.strip().partition("=")[0] for part in cookie.split(";")[1:]} == {
            "HttpOnly", "Max-Age", "SameSite"
        }  # fmt: skip
        assert "SameSite=Lax" in cookie
        assert "Path" not in cookie  # browsers take the folder of the address, which may be below a prefix
        kept = cookie.partition(";")[0]
        assert (await server.get("/watch/clip", Cookie=kept))[0] == 200
        assert (await server.get("/watch/clip", Cookie=kept[:-1]))[0] == 401

    served(clip, check, access=ACCESS)


def test_query_header_and_cookie_all_give_access(clip: Path) -> None:
    async def check(server: Served) -> None:
        _, headers, _ = await server.get("/" + QUERY)
        cookie = headers["Set-Cookie"].partition(";")[0]
        with_query = ("clips/clip.dnv", "clips/clip.json", "clips/clip.jpg", "clips.json", "web/main.js")
        for path in with_query:
            assert (await server.get(f"/{path}{QUERY}"))[0] == 200
        for credentials in (
            {"Cookie": cookie},
            {"Authorization": f"Bearer {TOKEN}"},
            {"Authorization": f"bearer {TOKEN}"},
        ):
            for path in ("", *with_query):
                assert (await server.get(f"/{path}", **credentials))[0] in (200, 302)
            async with server.http.post(server.address + "/live/clip", headers=credentials) as response:
                assert response.status == 204
            async with server.http.post(server.address + "/live/none", headers=credentials) as response:
                assert response.status == 404
            async with server.http.post(
                server.address + "/movies/clip", headers=credentials, json={}
            ) as response:
                assert response.status == 422  # no camera path
            async with server.http.ws_connect(server.address + "/live/clip", headers=credentials) as socket:
                await socket.send_json({"type": "hello", "version": 1, "codecs": ["jpeg"]})
                assert (await socket.receive_json())["type"] == "welcome"

    served(clip, check, access=ACCESS)


def test_the_range_client_sends_the_token_and_hides_it_in_names(clip: Path) -> None:
    async def check(server: Served) -> None:
        def read(address: str) -> bytes:
            with HttpSource(address) as source:
                assert source.name == f"{server.address}/clips/clip.dnv"
                assert not any("token" in thread.name for thread in threading.enumerate())
                return source.read(0, source.size)

        assert await asyncio.to_thread(read, f"{server.address}/clips/clip.dnv{QUERY}") == clip.read_bytes()
        with pytest.raises(
            RemoteError, match=re.escape("401 Unauthorized; 'dynerf serve --token' takes")
        ) as error:
            await asyncio.to_thread(read, f"{server.address}/clips/clip.dnv?token=guess")
        assert "guess" not in str(error.value)

    served(clip, check, access=ACCESS)


def test_the_token_is_never_logged(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check(server: Served) -> None:
        for request in (
            f"GET /{QUERY} HTTP/9.9\r\nHost: localhost\r\n\r\n",
            f"GET /{QUERY} HTTP/1.1\r\nHost: localhost\r\nbad header\0\r\n\r\n",
            f"GET /clips/{QUERY} HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            f"POST /live/clip{QUERY} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n",
            f"GET /live/clip{QUERY} HTTP/1.1\r\nHost: localhost\r\n\r\n",
            f"GET /{QUERY}{'x' * 9000} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection(*server.host)
            writer.write(request.encode())
            assert (await reader.read(12)).startswith(b"HTTP/1")
            writer.close()
        await asyncio.sleep(0.05)

    with caplog.at_level(logging.INFO):
        served(clip, check, access=ACCESS)
    assert "--allow-origin" in caplog.text
    for part in (QUERY, QUERY.partition("=")[2], TOKEN):
        assert part not in caplog.text
    assert TOKEN not in repr(ACCESS)


@pytest.mark.parametrize("text", ["", "line\nbreak", "x" * 257])
def test_invalid_tokens_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected 1 to 256 printable characters"):
        Access(text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("films.example", "--allow-origin http://films.example"), ("tv.lan:8080", "--allow-origin http://tv.lan:8080"),
     ("evil<script>", "does not name this server")],
)  # fmt: skip
def test_a_foreign_host_is_refused_with_the_option_that_allows_it(
    clip: Path, caplog: pytest.LogCaptureFixture, host: str, expected: str
) -> None:
    async def check(server: Served) -> None:
        for _ in range(3):
            status, _, body = await server.get("/", Host=host, X_Forwarded_Host="localhost")
            assert (status, expected in body.decode(), b"<" in body) == (421, True, False)

    served(clip, check)
    assert [expected in record.getMessage() for record in caplog.records] == [True]  # logged once
    if "--allow" in expected:
        option = expected.split()[1]

        async def allowed(server: Served) -> None:
            assert (await server.get("/", Host=host))[0] == 302

        served(clip, allowed, origins=(option,))


def test_a_page_behind_a_proxy_that_replaces_host_is_refused_with_the_option_that_allows_it(
    clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    page = {"Origin": "https://films.example:8443", "X-Forwarded-Host": "films.example:8443"}

    async def check(server: Served) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await server.http.ws_connect(server.address + "/live/clip", headers=page)
        async with server.http.post(server.address + "/live/clip", headers=page) as response:
            assert response.status == 403
            assert "--allow-origin https://films.example:8443" in await response.text()

    async def allowed(server: Served) -> None:
        server.http.headers.update(page)
        async with viewer(server) as client:
            await client.send(view(1))
            assert (await client.picture())[0][4] == 1

    served(clip, check)
    assert ["--allow-origin https://films.example:8443" in line for line in caplog.messages] == [True]
    served(clip, allowed, origins=("https://films.example:8443",))


def test_refusals_of_many_names_do_not_fill_the_log(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check(server: Served) -> None:
        for number in range(50):
            assert (await server.get("/", Host=f"n{number}.example"))[0] == 421

    served(clip, check)
    assert len(caplog.records) == 32


def test_a_websocket_without_upgrade_headers_gets_426(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check(server: Served) -> None:
        status, headers, body = await server.get("/live/clip")
        assert (status, headers["Upgrade"]) == (426, "websocket")
        assert b"a proxy must forward the headers Upgrade and Connection" in body

    served(clip, check)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("text", "origin"),
    [("HTTPS://Films.Example:443/", "https://films.example"), ("http://tv.lan:80", "http://tv.lan"),
     ("http://tv.lan:8080", "http://tv.lan:8080"), ("https://müller.example", "https://xn--mller-kva.example")],
)  # fmt: skip
def test_origins_are_compared_as_browsers_write_them(text: str, origin: str) -> None:
    origin_check = OriginCheck.of([text])
    assert origin_check.is_allowed(origin)
    assert origin_check.allows_host(origin.partition("//")[2])


@pytest.mark.parametrize(
    "text",
    ["films.example", "null", "ftp://x.example", "https://x.example/films/", "https://u:p@x.example", ""],
)
def test_invalid_origins_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected \\* or an origin, without a path"):
        OriginCheck.of([text])


def _printed(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    """What ``dynerf serve`` prints once it listens on all addresses."""
    monkeypatch.setattr(
        "dynerf_player.server.app.serve",
        lambda _library, settings, show: show(f"http://{settings.host}:8080"),
    )
    ran = run("serve", *arguments, "--host", "0.0.0.0", "--device", "cpu")
    assert ran.status == 0
    return ran.err


@pytest.mark.parametrize("generated", [True, False])
def test_the_command_prints_an_address_that_holds_the_token(
    clip: Path, generated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = _printed(monkeypatch, clip, "--token", *([] if generated else [TOKEN]))
    found = re.fullmatch(r"dynerf: serving http://0\.0\.0\.0:8080/(\?token=(\S+))\n", printed)
    assert found, printed  # and no line that anyone can watch
    assert found[1] == QUERY if not generated else len(found[2]) == 22


def test_without_a_token_the_command_warns_that_anyone_can_watch(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _printed(monkeypatch, clip).splitlines()[1:] == [
        "dynerf: anyone who can reach this port can watch and use this machine to render; see --token"
    ]


def test_descriptions_do_not_hold_the_token(clip: Path) -> None:
    async def check(server: Served) -> None:
        for path in ("/clips.json", "/clips/clip.json", "/healthz"):
            body = (await server.get(path, Authorization=f"Bearer {TOKEN}"))[2]
            assert json.loads(body)
            assert b"T\\u00f6ken" not in body and "Töken".encode() not in body

    served(clip, check, access=ACCESS)
