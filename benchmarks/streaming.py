"""How the server streams: the raw file to many clients, stalled readers, and pose to picture over loopback.

    python benchmarks/streaming.py candle.dnv

The server runs in a process of its own. Rendering time, which the server states with each picture, is taken
off the time from pose to picture; what remains is messages, waiting, coding and loopback. The client does not
decode or draw. One line per figure.
"""

import argparse
import asyncio
import json
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

import aiohttp

_CLIENTS, _SEEKS, _STALLED, _PICTURES = 100, 20, 50, 20
_HEAD = struct.Struct("<BBBBIfHHffQ")


def main() -> None:
    """Serve, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clip", type=Path)
    clip: Path = parser.parse_args().clip
    command = [sys.executable, "-m", "dynerf", "serve", str(clip), "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        address = re.findall(r"https?://[^/]+", server.stderr.readline())[0]
        asyncio.run(_measure(address, clip.stem, clip.stat().st_size, server.pid))
    finally:
        server.terminate()
        server.communicate()


async def _measure(address: str, name: str, size: int, pid: int) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        file = f"{address}/clips/{name}.dnv"
        for codec in ("avc", "jpeg"):
            beyond = await _poses(http, f"{address}/live/{name}", codec)
            print(f"pose to picture beyond the render, 640x360, {codec}: {_summary(beyond)}")
        waits = await asyncio.gather(*(_seeks(http, file, size) for _ in range(_CLIENTS)))
        print(f"{_CLIENTS} clients, {_SEEKS} random seeks each, first byte: {_summary(list(chain(*waits)))}")
        before = _resident(pid)
        stalled = [_stall(address, name) for _ in range(_STALLED)]
        await asyncio.sleep(1)
        waits = [await _seeks(http, file, size)]
        print(f"{_STALLED} stalled readers: memory up by {(_resident(pid) - before) / 1e6:.1f} MB")
        print(f"the normal reader beside them, first byte: {_summary(list(chain(*waits)))}")
        for reader in stalled:
            reader.close()


async def _seeks(http: aiohttp.ClientSession, file: str, size: int) -> list[float]:
    """Seconds to the first byte of random ranges of 16 KiB."""
    waits = []
    for _ in range(_SEEKS):
        first = random.randrange(max(1, size - 16384))
        start = time.perf_counter()
        async with http.get(file, headers={"Range": f"bytes={first}-{first + 16383}"}) as answer:
            assert answer.status == 206
            await answer.content.readany()
            waits.append(time.perf_counter() - start)
            await answer.read()
    return waits


def _stall(address: str, name: str) -> socket.socket:
    """A client that asks for the whole file ten times and reads nothing."""
    host, _, port = address.removeprefix("http://").partition(":")
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect((host, int(port)))
    reader.sendall(f"GET /clips/{name}.dnv HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() * 10)
    return reader


async def _poses(http: aiohttp.ClientSession, live: str, codec: str) -> list[float]:
    """Seconds from a pose to its picture, less the rendering; one pose at a time, small moves."""
    waits = []
    description = live.replace("/live/", "/clips/") + ".json"
    async with http.get(description) as answer:
        camera = (await answer.json())["cameras"][0]
    async with http.ws_connect(live) as socket_:
        await socket_.send_str(json.dumps({"type": "hello", "version": 1, "codecs": [codec]}))
        for identity in range(_PICTURES):
            pose = list(camera["camera_to_world"])
            pose[3] += 0.001 * identity
            wish = {
                "type": "view", "id": identity, "frame": 0, "camera_to_world": pose, "fov": camera["fov"],
                "width": 640, "height": 360, "moving": False, "depth": False, "layers": 0,
            }  # fmt: skip
            start, rendering = time.perf_counter(), 0.0
            await socket_.send_str(json.dumps(wish))
            while True:
                frame = await socket_.receive()
                if frame.type != aiohttp.WSMsgType.BINARY:
                    continue
                head = _HEAD.unpack(frame.data[: _HEAD.size])
                rendering += head[8] / 1000
                await socket_.send_str(json.dumps({"type": "ack", "id": identity}))
                if head[2] & 2:
                    break
            waits.append(time.perf_counter() - start - rendering)
    return waits


def _summary(seconds: list[float]) -> str:
    p95 = statistics.quantiles(seconds, n=20)[-1]
    return f"median {1000 * statistics.median(seconds):.1f} ms, p95 {1000 * p95:.1f} ms"


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds (Linux)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


if __name__ == "__main__":
    main()
