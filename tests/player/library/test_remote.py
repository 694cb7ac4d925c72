"""The requests of a remote clip, as in ``dynerf play``, recorded on a real socket."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dynerf_format import (
    BytesSource,
    ChangedError,
    Chunk,
    Entry,
    NotDnvError,
    QuantisedTensor,
    Reader,
    RemoteError,
    clip_bytes,
    continued_chunks,
    latents_chunk,
    quantise,
    split_layers,
    weights_chunk,
    weights_chunks,
)
from dynerf_format.container.chunks import LATENTS, WEIGHTS
from dynerf_player.client.fetch_planner import (
    Span,
    chunk_span,
    chunks_ahead,
    frames_in,
    layers_in,
    merge,
    needed,
    next_span,
)
from dynerf_player.client.range_client import RetryPolicy
from dynerf_player.library.interface import NoSuchClipError
from dynerf_player.library.remote import RemoteLibrary, RemoteVersion, clip_name
from support.clips import continued, small_header
from support.link import Link, serving

QUICK = RetryPolicy(attempts=3, pause=0.001, longest=0.002, connect=2.0, stall=0.5)
FIRST = 16 * 1024
GROUP, FRAMES = 30, 3000


def long_clip(seed: int = 0, segments: tuple[int, ...] = (FRAMES,)) -> bytes:
    """Weights of some 100 kB per segment, 100 s of latents in groups of a second; neighbours differ."""
    random = np.random.default_rng(seed)
    header = small_header(segments)
    groups = [quantise("latents", random.normal(size=(GROUP, 16)), 0.02) for _ in range(7)]
    latents = [latents_chunk(0, 0, group) for group in groups]
    chunks = []
    for number, segment in enumerate(header.segments):
        chunks.append(weights_chunk(number, [quantise("planes", random.normal(size=100_000), 0.1)]))
        for first in range(segment.first_frame, segment.first_frame + segment.frames, GROUP):
            group = latents[first // GROUP % len(latents)]
            chunks.append(replace(group, segment=number, first=first))
    return clip_bytes(header, chunks)


DATA = long_clip()
DIRECTORY = Reader(BytesSource(DATA)).directory
HEADER = Reader(BytesSource(DATA)).header
LATENTS_OF = {entry.first: entry for entry in DIRECTORY if entry.kind == LATENTS}


@pytest.fixture
def link() -> Iterator[Link]:
    with serving(DATA) as link:
        yield link


@pytest.fixture
def version(link: Link) -> Iterator[RemoteVersion]:
    version = RemoteVersion(link.address, "clip", "cpu", QUICK)
    yield version
    version.close()


async def until(condition: object) -> None:
    """Wait for a condition, a function without arguments."""
    assert callable(condition)
    while not condition():
        await asyncio.sleep(0.005)


def test_the_first_picture_takes_two_requests_and_no_extra_byte(link: Link, version: RemoteVersion) -> None:
    asyncio.run(version.fetch(0.0, 1))
    reader = Reader(version.source)
    assert len(reader.weights(0)["planes"].symbols) == 100_000
    reader.latents(0, 1)
    end = LATENTS_OF[0].end
    assert link.requests == [(0, FIRST), (FIRST, end)]
    assert version.source.stats().fetched == end


def test_a_seek_is_one_request_for_one_group(link: Link, version: RemoteVersion) -> None:
    asyncio.run(version.fetch(0.0, 1))
    asyncio.run(version.fetch(1234.5, 1))
    group = LATENTS_OF[1230]
    assert link.requests[2:] == [(group.offset, group.end)]
    asyncio.run(version.fetch(1250.0, 1))
    assert len(link.requests) == 3


def test_ten_seconds_are_prefetched_and_no_more(link: Link, version: RemoteVersion) -> None:
    async def play() -> None:
        await version.prepare(600.0, 0)
        await until(lambda: version.buffer().ranges[-1] == (600, 900 - 1))
        count = len(link.requests)
        await version.prepare(601.0, 0)
        await until(lambda: version.buffer().ranges[-1] == (600, 930 - 1))
        assert len(link.requests) == count + 1

    asyncio.run(play())
    buffer = version.buffer()
    assert buffer.total == len(DATA)
    assert buffer.fetched == version.source.stats().fetched < 0.7 * len(DATA)
    assert buffer.layers == 1


def test_the_file_is_read_through_the_cache(link: Link, version: RemoteVersion) -> None:
    group = LATENTS_OF[1230]
    for _ in range(2):
        assert version.raw().read(group.offset, 40) == DATA[group.offset : group.offset + 40]
    assert len(link.requests) == 2  # the first is that of opening
    assert version.raw().size == len(DATA)


def test_prepare_fails_once_and_then_succeeds(link: Link, version: RemoteVersion) -> None:
    link.always = lambda _: None
    with pytest.raises(RemoteError):
        asyncio.run(version.prepare(0.0, 0))
    link.always = None
    asyncio.run(version.prepare(0.0, 0))


def test_a_thousand_seeks_leak_no_files(link: Link, version: RemoteVersion) -> None:
    def seek(times: int) -> int:
        for number in range(times):
            asyncio.run(version.prepare(float(number * 7919 % (FRAMES - 1)), 0))
        return len(list(Path("/proc/self/fd").iterdir()))

    before = seek(100)
    assert seek(900) <= before + 4
    assert len(link.requests) < 200


def test_a_replaced_file_becomes_another_version(link: Link) -> None:
    library = RemoteLibrary(link.address, "cpu", QUICK, check_seconds=0.0)

    async def play() -> None:
        async with library.current("clip") as old:
            await old.prepare(0.0, 0)
            async with library.current("clip") as again:
                assert again is old
            link.replace(long_clip(seed=1), '"two"')
            while await _newest(library) is old:
                await asyncio.sleep(0.005)
            async with library.current("clip") as new:
                assert new.etag != old.etag
                old_weights = Reader(old.source).weights(0)["planes"]  # the cache stays valid
                await new.prepare(0.0, 0)
                assert (Reader(new.source).weights(0)["planes"].symbols != old_weights.symbols).any()
            with pytest.raises(ChangedError):
                old.source.read(len(DATA) - 40, 36)
            with pytest.raises(ChangedError):
                await old.prepare(2000.0, 0)
        assert await library.names() == ("clip",)
        with pytest.raises(NoSuchClipError):
            await _newest(library, "other")
        await library.close()

    asyncio.run(play())


async def _newest(library: RemoteLibrary, name: str = "clip") -> RemoteVersion:
    async with library.current(name) as version:
        return version


def test_a_replaced_version_is_closed_after_its_last_user(link: Link) -> None:
    library = RemoteLibrary(link.address, "cpu", QUICK, check_seconds=0.0)

    async def play() -> None:
        async with library.current("clip") as old:
            await old.prepare(0.0, 0)
            link.replace(long_clip(seed=1), '"two"')
            while await _newest(library) is old:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.05)
            assert not old.source.closed, "in use"
        while not old.source.closed:
            await asyncio.sleep(0.005)
        await library.close()
        assert (await asyncio.to_thread(threading.active_count)) <= before + 2  # asyncio's own

    before = threading.active_count()
    asyncio.run(play())


def test_six_first_requests_after_a_change_open_the_new_file_once(link: Link) -> None:
    library = RemoteLibrary(link.address, "cpu", QUICK, check_seconds=0.0)

    async def play() -> None:
        old = await _newest(library)
        link.replace(long_clip(seed=1), '"two"')
        while not old.source.changed:
            await _newest(library)
            await asyncio.sleep(0.005)
        count = len(link.requests)
        found = await asyncio.gather(*(_newest(library) for _ in range(6)))
        assert len(set(map(id, found))) == 1
        assert len(link.requests) - count <= 2
        await library.close()

    asyncio.run(play())


def test_the_library_recovers_from_a_file_that_is_not_a_clip(link: Link) -> None:
    library = RemoteLibrary(link.address, "cpu", QUICK, check_seconds=0.0)

    async def play() -> None:
        link.replace(b"half a file", '"two"')
        with pytest.raises(NotDnvError):
            while True:
                await _newest(library)
                await asyncio.sleep(0.005)
        link.replace(long_clip(seed=2), '"three"')
        async with library.current("clip") as version:
            await version.prepare(5.0, 0)
        await library.close()

    asyncio.run(play())


def test_a_file_that_is_not_a_clip_is_refused(link: Link) -> None:
    link.data = b"<html>not found</html>"
    with pytest.raises(NotDnvError, match=r"clip\.dnv: not a \.dnv file"):
        RemoteLibrary(link.address, "cpu", QUICK)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("http://a/b/candle.dnv?x=1", "candle"),
        ("http://a/", "clip"),
        ("http://a/%2e%2e%2fetc.dnv", "etc"),
        ("http://a/..%00<b>.dnv", "__b_"),
        ("http://a/" + "x" * 500, "x" * 64),
    ],
)
def test_clip_names_are_safe_in_addresses(address: str, name: str) -> None:
    assert clip_name(address) == name


def test_spans_merge() -> None:
    assert merge([Span(5, 9), Span(0, 2), Span(2, 4), Span(6, 7)]) == (Span(0, 4), Span(5, 9))
    assert merge([Span(5, 9), Span(0, 2)], gap=3) == (Span(0, 9),)
    assert merge([]) == ()


def test_between_two_segments_one_of_them_is_needed() -> None:
    reader = Reader(BytesSource(long_clip(segments=(60, 60))))
    for frame, segment in ((59.4, 0), (59.6, 1), (59.0, 0), (60.0, 1)):
        entries = needed(reader.directory, reader.header, frame)
        assert {entry.segment for entry in entries} == {segment}
        assert len(entries) == 2
    assert len(needed(reader.directory, reader.header, 29.5)) == 3


def test_the_segments_that_a_segment_builds_on_are_fetched_with_it() -> None:
    data = clip_bytes(*continued())
    directory = Reader(BytesSource(data)).directory

    def weights(entries: tuple[Entry, ...]) -> list[tuple[int, int]]:
        return [(entry.segment, entry.layer) for entry in entries if entry.kind == WEIGHTS]

    header = Reader(BytesSource(data)).header
    assert weights(needed(directory, header, 5.0)) == [(0, 0), (1, 0), (2, 0)]
    assert weights(needed(directory, header, 3.0, 2)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert weights(needed(directory, header, 6.0)) == [(3, 0)]
    order = weights(tuple(chunks_ahead(directory, header, 2.0, 4)))
    assert list(dict.fromkeys(order)) == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (0, 2), (1, 2)]
    everything = [Span(0, len(data))]
    assert layers_in(directory, 2, everything) == 3
    middle = next(e for e in directory if (e.kind, e.segment, e.layer) == (WEIGHTS, 1, 1))
    assert layers_in(directory, 2, [Span(0, middle.offset), Span(middle.end, len(data))]) == 1
    assert layers_in(directory, 0, [Span(0, middle.offset)]) == 3


def test_a_seek_into_dependent_segments_takes_one_request_per_segment_and_one_for_latents() -> None:
    random = np.random.default_rng(0)
    chunks: list[Chunk] = []
    planes = before = quantise("planes", random.normal(size=50_000), 0.1)
    for number in range(3):
        layers = split_layers([planes], {})
        fresh = continued_chunks(number, layers, [{"planes": before}], number) if number else []
        chunks += fresh or weights_chunks(number, [planes], {})
        for first in range(90 * number, 90 * number + 90, GROUP):
            latents = quantise("latents", random.normal(size=(GROUP, 16)), 0.02)
            chunks.append(latents_chunk(number, first, latents))
        before = planes
        changed = planes.symbols + (random.random(50_000) < 0.2).astype(np.int32)
        planes = QuantisedTensor("planes", changed, planes.steps)
    with serving(clip_bytes(small_header((90, 90, 90)), chunks)) as link:
        version = RemoteVersion(link.address, "clip", "cpu", QUICK)
        asyncio.run(version.fetch(240.0, 1))
        assert len(link.requests) == 1 + 3 + 1
        reader = Reader(version.source)
        assert np.array_equal(reader.weights(2)["planes"].symbols, before.symbols)
        reader.latents(240, 1)
        assert len(link.requests) == 5
        version.close()


def test_the_next_request_joins_adjacent_gaps_up_to_a_limit() -> None:
    entries = [LATENTS_OF[first] for first in (30, 60, 0, 90, 300)]
    here = {Span(LATENTS_OF[60].offset, LATENTS_OF[60].end)}

    def missing(span: Span) -> list[Span]:
        return [] if span in here else [span]

    everything = sum(chunk_span(entry).length for entry in entries)
    assert next_span(entries[:2], missing, 10**6, 10**6) == chunk_span(LATENTS_OF[30])
    assert next_span(entries[2:], missing, 10**6, 10**6) == chunk_span(LATENTS_OF[0])
    both = Span(LATENTS_OF[90].offset, LATENTS_OF[120].end)
    assert next_span([LATENTS_OF[90], LATENTS_OF[120]], missing, 10**6, 10**6) == both
    assert next_span([LATENTS_OF[90]], missing, 100, 10**6) == Span(both.first, both.first + 100)
    assert next_span([LATENTS_OF[60], LATENTS_OF[90]], missing, 10**6, 10) is None
    assert next_span([LATENTS_OF[60]], missing, 10**6, everything) is None


def test_the_cache_is_reported_in_frames_and_layers() -> None:
    assert frames_in(DIRECTORY, [Span(0, LATENTS_OF[60].end)]) == [(0, 89)]
    parts = [chunk_span(LATENTS_OF[30]), chunk_span(LATENTS_OF[300])]
    assert frames_in(DIRECTORY, parts) == [(30, 59), (300, 329)]
    assert frames_in(DIRECTORY, [Span(0, LATENTS_OF[0].end - 1)]) == []
    assert layers_in(DIRECTORY, 0, [Span(0, LATENTS_OF[0].offset)]) == 1
    assert layers_in(DIRECTORY, 0, [Span(0, 1000)]) == 0
