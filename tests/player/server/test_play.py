"""``dynerf play``: live sessions of a remote clip, and the command."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from dynerf_format import (
    FileSource,
    Reader,
    SegmentRecord,
    clip_bytes,
    latents_chunk,
    quantise,
    weights_chunk,
)
from dynerf_player.client.range_client import RetryPolicy
from dynerf_player.library.local import FileLibrary
from dynerf_player.library.remote import RemoteLibrary
from dynerf_player.server.app import Settings, serving
from support.command import run
from support.link import Link
from support.link import serving as serving_file
from support.video import ROOT

QUICK = RetryPolicy(attempts=3, pause=0.001, longest=0.002, connect=2.0, stall=0.5)
POSE = [1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]


FRAMES, GROUP = 6000, 60


@pytest.fixture(scope="module")
def long_clip(clip: Path) -> bytes:
    """The clip with minutes of latents, which exceed the first request."""
    with FileSource(clip) as source:
        reader = Reader(source)
        weights, latents = list(reader.weights(0).values()), reader.latents(0, 5)
    noise = np.random.default_rng(0).normal(scale=0.1, size=(FRAMES, latents.shape[1]))
    chunks = [weights_chunk(0, weights)]
    for first in range(0, FRAMES, GROUP):
        some = quantise("latents", latents[0] + noise[first : first + GROUP], 0.01)
        chunks.append(latents_chunk(0, first, some))
    return clip_bytes(replace(reader.header, frames=FRAMES, segments=(SegmentRecord(0, FRAMES),)), chunks)


@pytest.fixture
def link(long_clip: bytes) -> Iterator[Link]:
    with serving_file(long_clip) as link:
        yield link


@asynccontextmanager
async def player(link: Link) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    library = await asyncio.to_thread(RemoteLibrary, link.address, "cpu", QUICK, 0.0)
    async with serving(library, Settings(port=0)) as address, aiohttp.ClientSession() as session:
        yield session, address


def view(number: int, frame: float = 3000.5) -> dict[str, Any]:
    return {
        "type": "view", "id": number, "frame": frame, "camera_to_world": POSE, "fov": 45.0, "width": 32,
        "height": 24, "moving": False, "depth": False, "layers": 0,
    }  # fmt: skip


async def receive(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next message of a kind, "picture" for a picture; pictures are acknowledged."""
    while True:
        message = await socket.receive(timeout=120)
        if message.type is aiohttp.WSMsgType.BINARY:
            found: dict[str, Any] = {"type": "picture", "id": int.from_bytes(message.data[4:8], "little")}
            await socket.send_json({"type": "ack", "id": found["id"]})
        else:
            found = json.loads(message.data)
        if found["type"] == kind:
            return found


def test_a_session_gets_pictures_and_buffer_reports(link: Link) -> None:
    async def watch() -> None:
        async with player(link) as (session, address), session.ws_connect(f"{address}/live/clip") as socket:
            await socket.send_json({"type": "hello", "version": 1, "codecs": ["jpeg"]})
            await socket.send_json(view(1))
            assert (await receive(socket, "picture"))["id"] == 1
            while (buffer := await receive(socket, "buffer"))["ranges"][-1] != [3000, 3299]:
                pass
            assert buffer["fetched"] < buffer["total"] == len(link.data)
            assert buffer["layers"] == 1

    asyncio.run(watch())


def test_a_file_replaced_during_playback_is_reported_and_played(link: Link) -> None:
    async def watch() -> None:
        async with player(link) as (session, address), session.ws_connect(f"{address}/live/clip") as socket:
            await socket.send_json({"type": "hello", "version": 1, "codecs": ["jpeg"]})
            await socket.send_json(view(1))
            await receive(socket, "picture")
            link.replace(link.data, '"two"')
            await receive(socket, "changed")
            await socket.send_json(view(2, 4500.0))
            while (await receive(socket, "picture"))["id"] != 2:
                pass

    asyncio.run(watch())


def test_a_failed_transfer_is_reported_and_the_session_continues(link: Link) -> None:
    async def watch() -> None:
        async with player(link) as (session, address), session.ws_connect(f"{address}/live/clip") as socket:
            await socket.send_json({"type": "hello", "version": 1, "codecs": ["jpeg"]})
            link.always = lambda _: None
            await socket.send_json(view(1))
            assert "gave up after" in (await receive(socket, "error"))["message"]
            link.always = None
            await socket.send_json(view(2))
            assert (await receive(socket, "picture"))["id"] == 2

    asyncio.run(watch())


@pytest.mark.parametrize("address", ["http://[", "https://user:secret@[::1/x.dnv"])
def test_an_address_that_is_not_valid_is_refused_in_one_line(address: str) -> None:
    ran = run("play", address, "--no-browser", "--device", "cpu")
    assert (ran.status, ran.err.count("\n")) == (2, 1), ran.err
    assert "is not valid" in ran.err


def test_the_command_prints_its_address_and_exits_on_sigint(link: Link) -> None:
    command = [sys.executable, "-m", "dynerf", "play", f"{link.address}?token=secret", "--no-browser"]
    with subprocess.Popen(
        [*command, "--device", "cpu"], cwd=ROOT, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith(f"dynerf: playing {link.address} at http://127.0.0.1:"), line
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(120) in (0, 130)
    assert "Traceback" not in rest
    assert "secret" not in rest


def test_a_file_is_played_as_an_address_is(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    libraries: list[object] = []

    def serve(library: object, settings: Settings, show: Callable[[str], None]) -> None:
        libraries.append(library)
        show(f"http://{settings.host}:8080")

    monkeypatch.setattr("dynerf_player.server.app.serve", serve)
    ran = run("play", clip, "--no-browser", "--device", "cpu")
    assert (ran.status, ran.err) == (0, f"dynerf: playing {clip} at http://127.0.0.1:8080/\n")
    assert [type(library) for library in libraries] == [FileLibrary]
