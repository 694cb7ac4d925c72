"""The clip's file over HTTP: ranges, conditions, path traversal, stalled readers, changed files."""

import asyncio
import contextlib
import errno
import json
import os
import shutil
import socket
from pathlib import Path
from urllib.parse import quote

import pytest
from yarl import URL

from dynerf_format.errors import DynerfError, FormatError
from dynerf_format.layout import TRAILER
from dynerf_player.library.local import FileLibrary, PinnedFile
from support.player import Aborts, Served, served


@pytest.mark.parametrize(
    ("requested", "first", "last"),
    [("bytes=0-0", 0, 1), ("bytes=10-99", 10, 100), ("bytes=-36", -36, None), ("bytes=100-", 100, None),
     ("bytes=5-999999999", 5, None), ("bytes=-999999999", 0, None)],
)  # fmt: skip
def test_a_range_returns_exactly_its_bytes(clip: Path, requested: str, first: int, last: int | None) -> None:
    data = clip.read_bytes()

    async def check(server: Served) -> None:
        status, headers, body = await server.get("/clips/clip.dnv", Range=requested)
        assert (status, body) == (206, data[first:last])
        start = first % len(data)
        assert headers["Content-Range"] == f"bytes {start}-{start + len(body) - 1}/{len(data)}"

    served(clip, check)


@pytest.mark.parametrize(
    "requested",
    ["bytes=-0", "bytes=99999999-", "bytes=9-5", "bytes=-", "bytes=a-b", "bytes=0-1,3-4", "bytes=1--2",
     "bytes=" + ",".join(f"{i}-{i}" for i in range(1000)), "bytes=" + "9" * 30 + "-", "bytes 0-1"],
)  # fmt: skip
def test_anything_but_one_range_within_the_file_is_refused(clip: Path, requested: str) -> None:
    async def check(server: Served) -> None:
        status, headers, body = await server.get("/clips/clip.dnv", Range=requested)
        assert status == 416
        assert headers["Content-Range"] == f"bytes */{clip.stat().st_size}"
        assert body.count(b"\n") == 0

    served(clip, check)


def test_conditional_requests_compare_the_content_hash(clip: Path) -> None:
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
        ) as response:
            assert (response.status, response.content_length) == (200, len(data))
            assert await response.read() == b""

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

    def get(host: tuple[str, int]) -> bytes:
        with socket.create_connection(host, timeout=10) as raw:
            raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: raw.recv(65536), b""))

    async def check(server: Served) -> None:
        response = await asyncio.to_thread(get, server.host)
        assert response.split(b" ", 2)[1][:1] == b"4", response[:200]
        assert str(tmp_path).encode() not in response
        assert b"Traceback" not in response
        listed = (await server.http.get(server.address + "/clips.json")).json()
        assert [entry["name"] for entry in (await listed)["clips"]] == ["good"]

    served(folder, check)


def test_a_link_within_the_folder_is_served(clip: Path, tmp_path: Path) -> None:
    shutil.copy(clip, tmp_path / "a.dnv")
    (tmp_path / "b.dnv").symlink_to(tmp_path / "a.dnv")

    async def check(server: Served) -> None:
        assert (await server.get("/clips/b.dnv"))[0] == 200

    served(tmp_path, check)


ODD = {b"bad\xff.dnv": "bad_", b".dnv": "clip", b".x.tmp-1-ab.dnv": "x.tmp-1-ab"}
needs_bytes = pytest.mark.skipif("sys.platform == 'darwin'", reason="its file names are UTF-8")


async def check_addresses(server: Served, expected: list[str]) -> None:
    """All clips that are listed can be opened."""
    listed = [each["name"] for each in json.loads((await server.get("/clips.json"))[2])["clips"]]
    assert listed == expected
    for name in listed:
        quoted = quote(name, safe="")
        for address in (f"/watch/{quoted}", f"/clips/{quoted}.json", f"/clips/{quoted}.dnv"):
            async with server.http.get(URL(server.address + address, encoded=True)) as response:
                assert response.status == 200, address


@needs_bytes
def test_a_folder_lists_only_names_that_can_be_opened(clip: Path, tmp_path: Path) -> None:
    names = ["a b", "b\\c", "c?d#e%2F", "d<b>", "e\nf", "g.dnv", "\u00e4"]
    for name in [*(f"{name}.dnv".encode() for name in names), *ODD]:
        shutil.copy(clip, tmp_path / os.fsdecode(name))

    async def check(server: Served) -> None:
        await check_addresses(server, names)
        for name in ("bad%FF", ".x.tmp-1-ab"):
            assert (await server.get(f"/clips/{name}.dnv"))[0] == 404

    served(tmp_path, check)


@needs_bytes
@pytest.mark.parametrize("name", ODD)
def test_a_single_file_of_such_a_name_is_served_by_another(clip: Path, tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    shutil.copy(clip, path)

    async def check(server: Served) -> None:
        status, headers, _ = await server.get("/")
        assert (status, headers["Location"]) == (302, f"watch/{ODD[name]}")
        await check_addresses(server, [ODD[name]])

    served(path, check)


@pytest.mark.parametrize(("name", "call"), [("clip.dnv", "open"), ("", "scandir")])
def test_the_operator_is_told_why_a_place_cannot_be_opened(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: str
) -> None:
    shutil.copy(clip, tmp_path / "clip.dnv")

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(f"dynerf_player.library.local.os.{call}", refuse)
    with pytest.raises(DynerfError) as refused:
        FileLibrary(tmp_path / name)
    monkeypatch.undo()
    assert str(refused.value).startswith(str(tmp_path / name))
    assert str(refused.value).endswith(": Permission denied")


def test_a_file_that_was_touched_or_replaced_by_the_same_bytes_is_the_same_version(
    clip: Path, tmp_path: Path
) -> None:
    path, data = tmp_path / "clip.dnv", clip.read_bytes()
    path.write_bytes(data)

    def touch() -> None:
        os.utime(path, ns=(1, 1))

    def copy() -> None:
        (tmp_path / "other").write_bytes(data)
        (tmp_path / "other").replace(path)

    def rewrite() -> None:
        path.write_bytes(data)

    async def run() -> None:
        library = FileLibrary(path)
        async with library.current("clip") as version:
            for change in (touch, copy, rewrite):
                change()
                async with library.current("clip") as again:
                    assert again is version
                assert version.raw().read(0, version.size) == data
        await library.close()

    asyncio.run(run())


@pytest.mark.parametrize("offset", [0, 20, -1])
def test_a_file_with_another_head_or_digest_is_not_the_same_version(
    clip: Path, tmp_path: Path, offset: int
) -> None:
    path, data = tmp_path / "clip.dnv", bytearray(clip.read_bytes())
    path.write_bytes(data)
    data[offset] ^= 1

    async def run() -> None:
        library = FileLibrary(path)
        async with library.current("clip") as version:
            path.write_bytes(data)
            with contextlib.suppress(FormatError):
                async with library.current("clip") as other:
                    assert other is not version
            with pytest.raises(FormatError, match="was rewritten"):
                version.raw().read(0, 1)
        await library.close()

    asyncio.run(run())


def test_a_replaced_file_is_another_version_and_the_old_one_stays_readable(
    clip: Path, other_clip: Path, tmp_path: Path
) -> None:
    path = tmp_path / "clip.dnv"
    shutil.copy(clip, path)
    data = path.read_bytes()

    async def run() -> None:
        library = FileLibrary(path)
        async with library.current("clip") as old:
            async with library.current("clip") as again:
                assert again is old
            other = tmp_path / "other"
            shutil.copy(other_clip, other)
            other.replace(path)
            async with library.current("clip") as new:
                assert new is not old
            assert old.raw().read(0, old.size) == data
        await library.close()

    asyncio.run(run())


def test_reads_fail_after_a_file_was_rewritten_in_place(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.dnv"
    shutil.copy(clip, path)
    pinned = PinnedFile(path, "clip")
    with path.open("r+b") as file:
        file.write(b"x")
    os.utime(path, ns=(1, 1))
    with pytest.raises(FormatError, match=r"^clip: was rewritten"):
        pinned.read(0, 10)


def test_a_half_sent_request_is_closed(clip: Path) -> None:
    def send_half(host: tuple[str, int]) -> bytes:
        with socket.create_connection(host, timeout=120) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: loc")
            return raw.recv(1000)

    async def check(server: Served) -> None:
        assert await asyncio.to_thread(send_half, server.host) == b""

    served(clip, check, keep_alive=0.5)


def test_stalled_readers_are_disconnected_and_do_not_delay_others(tmp_path: Path, aborts: Aborts) -> None:
    from dynerf_format import encode_header
    from support.clips import ForgedChunk, forge, small_header

    path = tmp_path / "big.dnv"
    skipped = ForgedChunk(kind=b"note", body=bytes(24 << 20))
    weights, latents = ForgedChunk(body=b"w"), ForgedChunk(kind=b"LATN", body=b"l")
    path.write_bytes(forge(encode_header(small_header()), [weights, latents, skipped]))
    request = b"GET /clips/big.dnv HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def stall(host: tuple[str, int]) -> int:
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(20)
            raw.connect(host)
            raw.sendall(request)
            aborts.wait_for(5)
            count = 0
            try:
                while block := raw.recv(1 << 20):
                    count += len(block)
            except ConnectionResetError:
                pass
            return count

    async def check(server: Served) -> None:
        readers = [asyncio.create_task(asyncio.to_thread(stall, server.host)) for _ in range(5)]
        status, _, body = await server.get("/clips/big.dnv", Range="bytes=0-9")
        assert (status, len(body)) == (206, 10)
        for count in await asyncio.gather(*readers):
            assert count < path.stat().st_size

    served(path, check)


def test_stalled_readers_of_small_responses_are_disconnected(clip: Path, aborts: Aborts) -> None:
    """A client pipelines many requests and reads no response."""
    one = b"GET /watch/clip HTTP/1.1\r\nHost: localhost\r\n\r\n"
    count = 1_500

    def stall(host: tuple[str, int]) -> int:
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(20)
            raw.connect(host)
            raw.sendall(one * count)
            aborts.wait_for(1)
            found = b""
            with contextlib.suppress(ConnectionResetError):
                while block := raw.recv(1 << 20):
                    found += block
                    if found.count(b"HTTP/1.1 200") == count:
                        break
            return found.count(b"HTTP/1.1 200")

    async def check(server: Served) -> None:
        reader = asyncio.create_task(asyncio.to_thread(stall, server.host))
        assert (await server.get("/healthz"))[0] == 200
        assert await reader < count

    served(clip, check)


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("127.0.0.1:1", 200), ("[::1]:80", 200), ("evil.example", 421),
     ("127.0.0.1.evil.example", 421),
     ("site.example", 200)],
)  # fmt: skip
def test_only_own_host_names_are_accepted(clip: Path, host: str, status: int) -> None:
    async def check(server: Served) -> None:
        assert (await server.get("/clips.json", Host=host))[0] == status

    served(clip, check, origins=("https://site.example",))


def test_other_sites_can_read_only_when_allowed(clip: Path) -> None:
    async def check(server: Served) -> None:
        _, headers, _ = await server.get("/clips/clip.dnv", Origin="https://site.example")
        assert headers["Access-Control-Allow-Origin"] == "https://site.example"
        assert "Content-Range" in headers["Access-Control-Expose-Headers"]
        _, headers, _ = await server.get("/clips/clip.dnv", Origin="https://evil.example")
        assert "Access-Control-Allow-Origin" not in headers
        async with server.http.options(
            server.address + "/clips/clip.dnv", headers={"Origin": "https://site.example"}
        ) as response:
            assert "Range" in response.headers["Access-Control-Allow-Headers"]

    served(clip, check, origins=("https://site.example",))


def test_pages_have_a_strict_content_security_policy(clip: Path) -> None:
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


def test_a_poster_is_a_jpeg(clip: Path) -> None:
    async def check(server: Served) -> None:
        status, headers, body = await server.get("/clips/clip.jpg")
        assert (status, headers["Content-Type"], body[:2]) == (200, "image/jpeg", b"\xff\xd8")

    served(clip, check)
