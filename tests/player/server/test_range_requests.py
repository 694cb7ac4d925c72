"""The clip's bytes over HTTP: ranges, conditions, names leading nowhere, stalled readers, changed files."""

import asyncio
import contextlib
import os
import shutil
import socket
import threading
from pathlib import Path

import pytest

from dynerf_format.errors import FormatError
from dynerf_format.layout import TRAILER
from dynerf_player.library.local import FileLibrary, PinnedFile
from support.player import Served, served


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-0", 0, 1), ("bytes=10-99", 10, 100), ("bytes=-36", -36, None), ("bytes=100-", 100, None),
     ("bytes=5-999999999", 5, None), ("bytes=-999999999", 0, None)],
)  # fmt: skip
def test_a_range_is_exactly_those_bytes(clip: Path, asked: str, first: int, last: int | None) -> None:
    data = clip.read_bytes()

    async def check(server: Served) -> None:
        status, headers, body = await server.get("/clips/clip.dnv", Range=asked)
        assert (status, body) == (206, data[first:last])
        start = first % len(data)
        assert headers["Content-Range"] == f"bytes {start}-{start + len(body) - 1}/{len(data)}"

    served(clip, check)


@pytest.mark.parametrize(
    "asked",
    ["bytes=-0", "bytes=99999999-", "bytes=9-5", "bytes=-", "bytes=a-b", "bytes=0-1,3-4", "bytes=1--2",
     "bytes=" + ",".join(f"{i}-{i}" for i in range(1000)), "bytes=" + "9" * 30 + "-", "bytes 0-1"],
)  # fmt: skip
def test_what_is_no_single_range_within_the_file_is_refused(clip: Path, asked: str) -> None:
    async def check(server: Served) -> None:
        status, headers, body = await server.get("/clips/clip.dnv", Range=asked)
        assert status == 416
        assert headers["Content-Range"] == f"bytes */{clip.stat().st_size}"
        assert body.count(b"\n") == 0

    served(clip, check)


def test_conditions_are_answered_by_the_content_hash(clip: Path) -> None:
    data = clip.read_bytes()
    tag = f'"{TRAILER.unpack(data[-TRAILER.size :])[1].hex()}"'

    async def check(server: Served) -> None:
        async def status(**headers: str) -> int:
            return (await server.get("/clips/clip.dnv", **headers))[0]

        _, headers, body = await server.get("/clips/clip.dnv")
        assert (headers["ETag"], body, headers["Accept-Ranges"]) == (tag, data, "bytes")
        assert await status(If_None_Match=tag) == 304
        assert await status(If_None_Match=f'"x", W/{tag}') == 304
        assert await status(If_None_Match='"x"') == 200
        assert await status(If_Match=tag, Range="bytes=0-3") == 206
        assert await status(If_Match='"x"', Range="bytes=0-3") == 412
        assert await status(If_Match=f"W/{tag}") == 412
        assert await status(If_Range=tag, Range="bytes=0-3") == 206
        for other in ('"x"', f"W/{tag}", "Mon, 23 Nov 2026 10:00:00 GMT"):
            assert await status(If_Range=other, Range="bytes=0-3") == 200
        assert await status(Range="pages=0-3") == 200
        async with server.http.head(
            server.address + "/clips/clip.dnv", headers={"Range": "bytes=0-3"}
        ) as answer:
            assert (answer.status, answer.content_length) == (200, len(data))
            assert await answer.read() == b""

    served(clip, check)


@pytest.mark.parametrize(
    "path",
    ["/clips/../secret.dnv", "/clips/%2e%2e/secret.dnv", "/clips/..%2fsecret.dnv", "/clips/..%5csecret.dnv",
     "/clips/%2e%2e%2fsecret.dnv", "//etc/passwd", "/clips//etc/passwd", "/clips/%00.dnv",
     "/web/../server.py", "/web/..%2fserver.py", "/web/%2e%2e/server.py", "/clips/link.dnv",
     "/clips/folder.dnv", "/clips/pipe.dnv", "/clips/.dnv", "/clips/secret.dnv", "/live/..%2fsecret",
     "/watch/..%2fsecret", "/clips/broken.dnv"],
)  # fmt: skip
def test_nothing_outside_the_folder_is_reached(clip: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.dnv").write_bytes(clip.read_bytes())
    folder = tmp_path / "clips"
    (folder / "folder.dnv").mkdir(parents=True)
    shutil.copy(clip, folder / "good.dnv")
    (folder / "link.dnv").symlink_to(tmp_path / "secret.dnv")
    (folder / "broken.dnv").write_bytes(b"\x89DNV" + bytes(100))
    os.mkfifo(folder / "pipe.dnv")

    def ask(host: tuple[str, int]) -> bytes:
        with socket.create_connection(host, timeout=10) as raw:
            raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: raw.recv(65536), b""))

    async def check(server: Served) -> None:
        answer = await asyncio.to_thread(ask, server.host)
        assert answer.split(b" ", 2)[1][:1] == b"4", answer[:200]
        assert str(tmp_path).encode() not in answer
        assert b"Traceback" not in answer
        listed = (await server.http.get(server.address + "/clips.json")).json()
        assert [entry["name"] for entry in (await listed)["clips"]] == ["good"]

    served(folder, check)


def test_a_link_within_the_folder_is_served(clip: Path, tmp_path: Path) -> None:
    shutil.copy(clip, tmp_path / "a.dnv")
    (tmp_path / "b.dnv").symlink_to(tmp_path / "a.dnv")

    async def check(server: Served) -> None:
        assert (await server.get("/clips/b.dnv"))[0] == 200

    served(tmp_path, check)


def test_a_replaced_file_is_another_edition_and_old_bytes_stay_whole(clip: Path, tmp_path: Path) -> None:
    place = tmp_path / "clip.dnv"
    shutil.copy(clip, place)
    data = place.read_bytes()

    async def run() -> None:
        library = FileLibrary(place)
        async with library.edition("clip") as old:
            async with library.edition("clip") as again:
                assert again is old
            other = tmp_path / "other"
            shutil.copy(clip, other)
            other.replace(place)
            async with library.edition("clip") as new:
                assert new is not old
            assert old.raw().read(0, old.size) == data
        await library.close()

    asyncio.run(run())


def test_a_file_rewritten_in_place_fails_rather_than_mixes(clip: Path, tmp_path: Path) -> None:
    place = tmp_path / "clip.dnv"
    shutil.copy(clip, place)
    pinned = PinnedFile(place, "clip")
    with place.open("r+b") as file:
        file.write(b"x")
    os.utime(place, ns=(1, 1))
    with pytest.raises(FormatError, match=r"^clip: was rewritten"):
        pinned.read(0, 10)


def test_a_half_sent_request_is_closed(clip: Path) -> None:
    def drip(host: tuple[str, int]) -> bytes:
        with socket.create_connection(host, timeout=20) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: loc")
            return raw.recv(1000)

    async def check(server: Served) -> None:
        assert await asyncio.to_thread(drip, server.host) == b""

    served(clip, check, keep_alive=0.5)


def test_stalled_readers_are_cut_and_hurt_nobody(tmp_path: Path) -> None:
    from dynerf_format import encode_header
    from support.clips import ForgedChunk, forge, small_header

    place = tmp_path / "big.dnv"
    skipped = ForgedChunk(kind=b"note", body=bytes(24 << 20))
    weights, latents = ForgedChunk(body=b"w"), ForgedChunk(kind=b"LATN", body=b"l")
    place.write_bytes(forge(encode_header(small_header()), [weights, latents, skipped]))
    request = b"GET /clips/big.dnv HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def stall(host: tuple[str, int]) -> int:
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(20)
            raw.connect(host)
            raw.sendall(request)
            threading.Event().wait(1.5)
            count = 0
            try:
                while block := raw.recv(1 << 20):
                    count += len(block)
            except ConnectionResetError:
                pass
            return count

    async def check(server: Served) -> None:
        readers = [asyncio.create_task(asyncio.to_thread(stall, server.host)) for _ in range(5)]
        await asyncio.sleep(0.2)
        status, _, body = await server.get("/clips/big.dnv", Range="bytes=0-9")
        assert (status, len(body)) == (206, 10)
        for count in await asyncio.gather(*readers):
            assert count < place.stat().st_size

    served(place, check)


def test_readers_of_small_answers_are_cut_too(clip: Path) -> None:
    """Of many requests in a row whose answers nobody takes."""
    one = b"GET /watch/clip HTTP/1.1\r\nHost: localhost\r\n\r\n"
    count = 1_500

    def stall(host: tuple[str, int]) -> int:
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(20)
            raw.connect(host)
            raw.sendall(one * count)
            threading.Event().wait(2.0)
            found = b""
            with contextlib.suppress(ConnectionResetError):
                while block := raw.recv(1 << 20):
                    found += block
                    if found.count(b"HTTP/1.1 200") == count:
                        break
            return found.count(b"HTTP/1.1 200")

    async def check(server: Served) -> None:
        reader = asyncio.create_task(asyncio.to_thread(stall, server.host))
        await asyncio.sleep(0.2)
        assert (await server.get("/healthz"))[0] == 200
        assert await reader < count

    served(clip, check)


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("127.0.0.1:1", 200), ("[::1]:80", 200), ("evil.example", 421),
     ("127.0.0.1.evil.example", 421),
     ("site.example", 200)],
)  # fmt: skip
def test_only_own_names_are_answered(clip: Path, host: str, status: int) -> None:
    async def check(server: Served) -> None:
        assert (await server.get("/clips.json", Host=host))[0] == status

    served(clip, check, origins=("https://site.example",))


def test_other_sites_read_only_when_allowed(clip: Path) -> None:
    async def check(server: Served) -> None:
        _, headers, _ = await server.get("/clips/clip.dnv", Origin="https://site.example")
        assert headers["Access-Control-Allow-Origin"] == "https://site.example"
        assert "Content-Range" in headers["Access-Control-Expose-Headers"]
        _, headers, _ = await server.get("/clips/clip.dnv", Origin="https://evil.example")
        assert "Access-Control-Allow-Origin" not in headers
        async with server.http.options(
            server.address + "/clips/clip.dnv", headers={"Origin": "https://site.example"}
        ) as answer:
            assert "Range" in answer.headers["Access-Control-Allow-Headers"]

    served(clip, check, origins=("https://site.example",))


def test_the_pages_come_with_a_strict_policy(clip: Path) -> None:
    async def check(server: Served) -> None:
        status, headers, _ = await server.get("/")
        assert (status, headers["Location"]) == (302, "watch/clip")
        for path in ("/watch/clip", "/web/style.css"):
            status, headers, _ = await server.get(path)
            assert status == 200
            assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
            assert headers["X-Content-Type-Options"] == "nosniff"
        assert (await server.get("/watch/none"))[0] == 404

    served(clip, check)


def test_a_thumbnail_is_a_jpeg(clip: Path) -> None:
    async def check(server: Served) -> None:
        status, headers, body = await server.get("/clips/clip.jpg")
        assert (status, headers["Content-Type"], body[:2]) == (200, "image/jpeg", b"\xff\xd8")

    served(clip, check)
