"""Measures what the remote player fetches: bytes and requests before the first frame, and per seek.

    python benchmarks/streaming_client.py candle.dnv [--seeks 1000]

Serves the clip on this machine and reads it over loopback, without rendering. Seeks are made in a longer
clip: the input with its latents repeated for 100 s, in groups of one second. Counts are exact; times depend
on the machine.
"""

import argparse
import asyncio
import random
import resource
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from dynerf_format import (
    FileSource,
    Reader,
    SegmentRecord,
    latents_chunk,
    quantise,
    weights_chunk,
    write_clip,
)
from dynerf_format.container.chunks import LATENTS
from dynerf_player.client.fetch_planner import chunk_span
from dynerf_player.library.local import FileLibrary
from dynerf_player.library.remote import RemoteVersion
from dynerf_player.server.app import Settings, serving


async def measure(path: Path, seeks: int) -> list[str]:
    """The rows of the table, one per line."""
    with tempfile.TemporaryDirectory() as folder:
        longer = Path(folder) / "longer.dnv"
        await asyncio.to_thread(_lengthen, path, longer)
        async with _serving(path) as address, _serving(longer) as longer_address:
            return [*await _first_frame(address, path), *await _seeks(longer_address, seeks)]


@asynccontextmanager
async def _serving(path: Path) -> AsyncIterator[str]:
    async with serving(FileLibrary(path), Settings(port=0)) as server:
        yield f"{server}/clips/{path.stem}.dnv"


def _lengthen(path: Path, longer: Path) -> None:
    """Write a clip of 100 s with the weights of another one, whose latents it repeats."""
    with FileSource(path) as source:
        reader = Reader(source)
        header, group = reader.header, round(reader.header.fps)
        weights = list(reader.weights(0).values())
        latents = reader.latents(0, header.segments[0].frames)
    frames = 100 * group
    chunks = [weights_chunk(0, weights)]
    for first in range(0, frames, group):
        group_latents = latents.take(range(first, first + group), axis=0, mode="wrap")
        chunks.append(latents_chunk(0, first, quantise("latents", group_latents, 2**-6)))
    write_clip(longer, replace(header, frames=frames, segments=(SegmentRecord(0, frames),)), chunks)


async def _first_frame(address: str, path: Path) -> list[str]:
    with FileSource(path) as source:
        latents = next(entry for entry in Reader(source).directory if entry.kind == LATENTS)
        least, size = chunk_span(latents).stop, source.size
    start = time.perf_counter()
    version = await asyncio.to_thread(RemoteVersion, address, "clip", "cpu")
    await version.fetch(0.0, 1)
    seconds = time.perf_counter() - start
    stats = version.source.stats()
    await asyncio.to_thread(version.close)
    return [
        f"first frame: {stats.fetched:,} bytes in {stats.requests} requests, {1e3 * seconds:.1f} ms; "
        f"head, directory, first layer and first latents end at byte {least:,} of {size:,}"
    ]


async def _seeks(address: str, seeks: int) -> list[str]:
    version = await asyncio.to_thread(RemoteVersion, address, "clip", "cpu")
    frames = Reader(version.source).header.frames
    await version.fetch(0.0, 1)
    files, memory = _open_files(), _memory()
    generator = random.Random(0)
    requests, received, seconds = [], [], []
    for _ in range(seeks):
        before, start = version.source.stats(), time.perf_counter()
        await version.fetch(generator.uniform(0, frames - 1), 1)
        requests.append(version.source.stats().requests - before.requests)
        received.append(version.source.stats().fetched - before.fetched)
        seconds.append(time.perf_counter() - start)
    result = [
        f"{seeks} seeks in {frames} frames: at most {max(requests)} requests and {max(received):,} bytes "
        f"each, {sum(requests)} requests in all",
        f"seeks that fetched: median {1e3 * statistics.median(_where(seconds, requests)):.2f} ms",
        f"after them: {_open_files() - files:+d} open files, {_memory() - memory:+d} KiB of peak memory",
    ]
    await asyncio.to_thread(version.close)
    return result


def _where(values: list[float], counts: list[int]) -> list[float]:
    return [value for value, count in zip(values, counts, strict=True) if count]


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _memory() -> int:
    """Peak resident memory in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Measure one clip."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--seeks", type=int, default=1000)
    options = parser.parse_args()
    print("\n".join(asyncio.run(measure(options.clip, options.seeks))))


if __name__ == "__main__":
    main()
