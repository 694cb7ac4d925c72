"""Measures the server: range requests of many clients, stalled readers, and latency from pose to frame.

    python benchmarks/streaming.py candle.dnv [--minutes 10]

The server runs in a process of its own, over loopback. Rendering time, which the server states with each
frame, is subtracted from the latency; what remains is messages, waiting, coding and loopback. The first
frame also waits for the clip's model to be decoded and is reported separately. The client neither decodes
nor draws. With ``--minutes`` the clip is then played in a loop for that long, with seeks. One line per value.
"""

import argparse
import asyncio
import random
import re
import socket
import statistics
import struct
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path
from typing import Any

import aiohttp

_CLIENTS, _SEEKS, _STALLED, _FRAMES = 100, 20, 50, 20
_PLAYED_SEEKS, _SESSIONS = 1000, 10  # while looping; memory is read after each session
_PLAYED_SIZE = (96, 54)
_HEAD = struct.Struct("<BBBBIfHHffQ")


def main() -> None:
    """Serve, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--minutes", type=float, default=0.0, help="minutes of looped play with 1,000 seeks")
    arguments = parser.parse_args()
    clip: Path = arguments.clip
    command = [sys.executable, "-m", "dynerf", "serve", str(clip), "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        address = re.findall(r"https?://[^/]+", server.stderr.readline())[0]
        asyncio.run(_measure(address, clip.stem, clip.stat().st_size, server.pid))
        if arguments.minutes:
            asyncio.run(_play_loop(address, clip.stem, 60 * arguments.minutes, server.pid))
    finally:
        server.terminate()
        server.communicate()


async def _measure(address: str, name: str, size: int, pid: int) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        file = f"{address}/clips/{name}.dnv"
        live = f"{address}/live/{name}"
        first = await _poses(http, live, "jpeg", 1)
        print(f"first frame, beyond the render: {1000 * first[0]:.0f} ms")
        for codec in ("avc", "jpeg"):
            beyond = await _poses(http, live, codec, _FRAMES)
            print(f"pose to frame beyond the render, 640x360, {codec}: {_summary(beyond)}")
        waits = await asyncio.gather(*(_seeks(http, file, size) for _ in range(_CLIENTS)))
        print(f"{_CLIENTS} clients, {_SEEKS} random seeks each, first byte: {_summary(list(chain(*waits)))}")
        before = _resident(pid)
        stalled = [_stall(address, name) for _ in range(_STALLED)]
        await asyncio.sleep(1)
        waits = [await _seeks(http, file, size)]
        print(f"{_STALLED} stalled readers: memory up by {(_resident(pid) - before) / 1e6:.1f} MB")
        print(f"a normal reader beside them, first byte: {_summary(list(chain(*waits)))}")
        for reader in stalled:
            reader.close()


async def _seeks(http: aiohttp.ClientSession, file: str, size: int) -> list[float]:
    """Seconds to the first byte of random ranges of 16 KiB."""
    waits = []
    for _ in range(_SEEKS):
        first = random.randrange(max(1, size - 16384))
        start = time.perf_counter()
        async with http.get(file, headers={"Range": f"bytes={first}-{first + 16383}"}) as response:
            assert response.status == 206
            await response.content.readany()
            waits.append(time.perf_counter() - start)
            await response.read()
    return waits


def _stall(address: str, name: str) -> socket.socket:
    """A client that requests the whole file ten times and reads nothing."""
    host, _, port = address.removeprefix("http://").partition(":")
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect((host, int(port)))
    reader.sendall(f"GET /clips/{name}.dnv HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() * 10)
    return reader


async def _poses(http: aiohttp.ClientSession, live: str, codec: str, count: int) -> list[float]:
    """Seconds from a pose to its frame, minus rendering; one pose at a time, small moves."""
    waits = []
    camera, _ = await _clip(http, live)
    async with http.ws_connect(live) as websocket:
        await websocket.send_json({"type": "hello", "version": 1, "codecs": [codec]})
        for identity in range(count):
            pose = list(camera["camera_to_world"])
            pose[3] += 0.001 * identity
            request = _view_request(identity, 0, camera | {"camera_to_world": pose}, (640, 360))
            start = time.perf_counter()
            rendering = await _request_frame(websocket, request)
            waits.append(time.perf_counter() - start - rendering)
    return waits


async def _clip(http: aiohttp.ClientSession, live: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first camera, and the clip's description."""
    async with http.get(live.replace("/live/", "/clips/") + ".json") as response:
        description = await response.json()
    return description["cameras"][0], description


def _view_request(
    identity: int, frame: float, camera: dict[str, Any], size: tuple[int, int], *, moving: bool = False
) -> dict[str, Any]:
    return {
        "type": "view", "id": identity, "frame": frame, "camera_to_world": camera["camera_to_world"],
        "fov": camera["fov"], "width": size[0], "height": size[1], "moving": moving, "depth": False,
        "layers": 0,
    }  # fmt: skip


async def _request_frame(websocket: aiohttp.ClientWebSocketResponse, request: dict[str, Any]) -> float:
    """Request a view and wait for its final frame, or the first if moving; return seconds of rendering."""
    await websocket.send_json(request)
    rendering = 0.0
    while True:
        frame = await websocket.receive(timeout=60)
        if frame.type == aiohttp.WSMsgType.TEXT:
            continue
        head: tuple[Any, ...] = _HEAD.unpack(frame.data[: _HEAD.size])
        await websocket.send_json({"type": "ack", "id": head[4]})
        if head[4] == request["id"]:
            rendering += float(head[8]) / 1000
            if request["moving"] or head[2] & 2:
                return rendering


async def _play_loop(address: str, name: str, seconds: float, pid: int) -> None:
    """Play in a loop with seeks, and print the server's memory and number of open files."""
    seeks = _PLAYED_SEEKS // _SESSIONS
    async with aiohttp.ClientSession() as http:
        for session in range(_SESSIONS):
            codec = ("avc", "jpeg")[session % 2]
            frames = await _play_session(http, f"{address}/live/{name}", codec, seconds / _SESSIONS, seeks)
            print(
                f"after {(session + 1) * seconds / _SESSIONS / 60:g} minutes of looped play and "
                f"{(session + 1) * seeks} seeks ({frames} more frames): {_resident(pid) / 1e6:.1f} MB, "
                f"{len(list(Path(f'/proc/{pid}/fd').iterdir()))} open files",
                flush=True,
            )


async def _play_session(
    http: aiohttp.ClientSession, live: str, codec: str, seconds: float, seeks: int
) -> int:
    """One session: evenly spaced seeks to random times and cameras, and play in between; its frames."""
    _, clip = await _clip(http, live)
    start = time.monotonic()
    identity = 0
    async with http.ws_connect(live) as websocket:
        await websocket.send_json({"type": "hello", "version": 1, "codecs": [codec]})
        for seek in range(seeks):
            frame, camera = random.uniform(0, clip["frames"] - 1), random.choice(clip["cameras"])
            await _request_frame(websocket, _view_request(identity, frame, camera, _PLAYED_SIZE))
            identity += 1
            while time.monotonic() < start + (seek + 1) * seconds / seeks:
                playing = (time.monotonic() * clip["fps"]) % clip["frames"]
                await _request_frame(
                    websocket, _view_request(identity, playing, camera, _PLAYED_SIZE, moving=True)
                )
                identity += 1
    return identity


def _summary(seconds: list[float]) -> str:
    p95 = statistics.quantiles(seconds, n=20)[-1]
    return f"median {1000 * statistics.median(seconds):.1f} ms, p95 {1000 * p95:.1f} ms"


def _resident(pid: int) -> int:
    """Resident memory of a process in bytes (Linux)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


if __name__ == "__main__":
    main()
