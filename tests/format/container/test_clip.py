"""Complete clips: writing and reading round-trip, with few and small reads."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynerf_format import (
    OCCUPANCY,
    BytesSource,
    ChecksumError,
    Chunk,
    FileSource,
    FormatError,
    LimitError,
    Limits,
    Reader,
    ViewError,
    ancillary_chunk,
    clip_bytes,
    encode_header,
    latents_chunk,
    latents_entries,
    quantise,
    weights_chunk,
    weights_entry,
    write_clip,
)
from support.clips import (
    QUICK,
    ForgedChunk,
    camera,
    forge,
    forged_chunks,
    small_header,
    smallest,
    tensor,
    two_segments,
)

if TYPE_CHECKING:
    from pathlib import Path


class CountingSource(BytesSource):
    """Records every read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, "counting")
        self.reads: list[tuple[int, int]] = []

    def read(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, length))
        return super().read(offset, length)


@st.composite
def clips(draw: st.DrawFn) -> tuple[list[int], list[Chunk], np.ndarray]:
    """Frames per segment, chunks, and the symbols (frames, D) of all latents."""
    segments = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    group = draw(st.integers(1, 5))
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    symbols = generator.integers(-500, 500, (sum(segments), draw(st.integers(1, 6)))).astype(np.int32)
    chunks = []
    start = 0
    for number, frames in enumerate(segments):
        chunks.append(weights_chunk(number, [tensor("w", [[number + 1]] * 40)]))
        for first in range(start, start + frames, group):
            rows = symbols[first : min(first + group, start + frames)]
            chunks.append(latents_chunk(number, first, tensor("latents", rows, 0.5)))
        start += frames
    return segments, chunks, symbols


@QUICK
@given(clip=clips(), data=st.data())
def test_any_range_of_frames_is_read_from_the_groups_that_hold_it(
    clip: tuple[list[int], list[Chunk], np.ndarray], data: st.DataObject
) -> None:
    segments, chunks, symbols = clip
    source = CountingSource(clip_bytes(small_header(segments), chunks))
    reader = Reader(source)
    first = data.draw(st.integers(0, len(symbols) - 1))
    count = data.draw(st.integers(1, len(symbols) - first))
    source.reads.clear()

    latents = reader.latents(first, count)

    assert latents.dtype == np.float32
    assert np.array_equal(latents, symbols[first : first + count] * np.float32(0.5))
    requested = set(range(first, first + count))
    needed = [
        e
        for e in reader.directory
        if e.kind == b"LATN" and requested & set(range(e.first, e.first + e.count))
    ]
    assert source.reads == [(e.offset, e.end - e.offset) for e in needed]


@QUICK
@given(clips())
def test_a_clip_round_trips(clip: tuple[list[int], list[Chunk], np.ndarray]) -> None:
    segments, chunks, _ = clip
    header = small_header(segments)
    reader = Reader(BytesSource(clip_bytes(header, chunks)))
    reader.verify()
    assert reader.header == header
    assert [reader.read_chunk(entry) for entry in reader.directory] == [chunk.payload for chunk in chunks]
    assert [int(reader.weights(n)["w"].symbols[0, 0]) for n in range(len(segments))] == [
        n + 1 for n in range(len(segments))
    ]


def test_file_and_memory_hold_the_same_bytes(tmp_path: Path) -> None:
    header, chunks = two_segments()
    path = tmp_path / "clip.dnv"
    length = write_clip(path, header, chunks)
    assert path.read_bytes() == clip_bytes(header, chunks)
    assert length == path.stat().st_size
    assert [item.name for item in tmp_path.iterdir()] == ["clip.dnv"]
    with FileSource(path) as source:
        assert Reader(source).verify() == path.read_bytes()[-32:].hex()


def test_the_first_16_kib_open_a_clip() -> None:
    source = CountingSource(clip_bytes(*two_segments()))
    Reader(source)
    assert source.reads == [(0, source.size)]


def test_a_large_header_takes_one_more_read() -> None:
    header, chunks = smallest()
    header = replace(header, config={"notes": random.Random(1).randbytes(30_000).hex()})
    source = CountingSource(clip_bytes(header, chunks))
    assert Reader(source).header == header
    assert len(source.reads) == 2
    assert source.reads[0] == (0, 16384)


def test_a_header_of_many_cameras_is_stored_as_a_frame_and_a_short_one_is_not() -> None:
    header, chunks = smallest()
    many = replace(header, cameras=tuple(camera(f"cam{n:02}") for n in range(30)))
    data = clip_bytes(many, chunks)
    assert Reader(BytesSource(data)).header == many
    assert len(data) - len(clip_bytes(header, chunks)) < 1000 < len(encode_header(many)) / 5
    assert encode_header(many) not in data
    assert encode_header(header) in clip_bytes(header, chunks)


def test_every_byte_is_accounted_for() -> None:
    data = clip_bytes(*two_segments())
    spent = Reader(BytesSource(data)).bytes_by_kind()
    assert set(spent) == {"container", "WGHT", "LATN", "note"}
    assert sum(spent.values()) == len(data)


def test_chunk_lookup_needs_no_file() -> None:
    directory = Reader(BytesSource(clip_bytes(*two_segments()))).directory
    assert [e.first for e in latents_entries(directory, 3, 3)] == [2, 4, 5]
    assert weights_entry(directory, 1).segment == 1


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (0, 9), (8, 1), (0, 0), (3, -1), (2**40, 1)])
def test_frames_outside_the_clip_are_a_view_error(first: int, count: int) -> None:
    reader = Reader(BytesSource(clip_bytes(*two_segments())))
    with pytest.raises(ViewError, match="the clip has 0 to 7"):
        reader.latents(first, count)


def test_a_segment_outside_the_clip_is_a_view_error() -> None:
    reader = Reader(BytesSource(clip_bytes(*two_segments())))
    with pytest.raises(ViewError, match="segment 2 is not in the clip"):
        reader.weights(2)


def test_an_ancillary_payload_is_found_by_kind_and_segment() -> None:
    header, chunks = two_segments()
    grid = bytes([1, 20, 0, 0, 0]) + bytes(range(250)) * 4
    reader = Reader(BytesSource(clip_bytes(header, [*chunks, ancillary_chunk(OCCUPANCY, 1, grid)])))
    reader.verify()
    assert reader.ancillary(OCCUPANCY, 1) == grid
    found = reader.occupancy(1)
    assert found is not None
    assert (found.layers, found.fine) == (1, None)
    assert reader.occupancy(0) is None
    assert reader.ancillary(b"note", 0) == b"to be skipped"
    assert reader.ancillary(OCCUPANCY, 0) is None
    assert reader.ancillary(b"none", 1) is None


@pytest.mark.parametrize("segments", [(0, 0), (1,), (2**32 - 1,)])
def test_ambiguous_occupancy_is_refused(segments: tuple[int, ...]) -> None:
    header, chunks = smallest()
    with pytest.raises(FormatError, match="does not exist or has two"):
        clip_bytes(header, chunks + [ancillary_chunk(OCCUPANCY, number, b"") for number in segments])


def test_a_critical_kind_is_not_ancillary() -> None:
    with pytest.raises(FormatError, match="b'OCCU': starts with an upper-case letter"):
        ancillary_chunk(b"OCCU", 0, b"")


def test_an_ancillary_chunk_in_an_unknown_codec_counts_as_absent() -> None:
    header, chunks = smallest()
    extra = ForgedChunk(OCCUPANCY, codec=77, body=b"?", decoded_length=1000)
    reader = Reader(BytesSource(forge(encode_header(header), [*forged_chunks(chunks), extra])))
    assert reader.ancillary(OCCUPANCY, 0) is None


def test_higher_layers_and_unknown_ancillary_chunks_are_skipped() -> None:
    header, chunks = smallest()
    extra = [
        Chunk(b"occu", 0, 1, 0, 0, b""),
        Chunk(b"LATN", 0, 3, 0, 0, b"another"),
    ]
    reader = Reader(BytesSource(clip_bytes(header, [*chunks, *extra])))
    reader.verify()
    assert list(reader.weights(0)) == ["density.bias"]
    assert reader.latents(0, 1).shape == (1, 2)


@pytest.mark.parametrize(("kind", "layer"), [(b"note", 0), (b"WGHT", 1)])
def test_a_chunk_that_may_be_skipped_may_have_an_unknown_codec(kind: bytes, layer: int) -> None:
    header, chunks = smallest()
    extra = ForgedChunk(kind, layer=layer, codec=77, body=b"?", decoded_length=1000)
    reader = Reader(BytesSource(forge(encode_header(header), [*forged_chunks(chunks), extra])))
    reader.verify()
    with pytest.raises(FormatError, match=r"chunk at byte .*: codec 77 is unknown"):
        reader.read_chunk(reader.directory[2])


def test_layers_after_one_in_an_unknown_codec_are_left_out() -> None:
    header, chunks = smallest()
    unknown = ForgedChunk(b"WGHT", layer=1, codec=77, body=b"?", decoded_length=1000)
    finer = ForgedChunk(b"WGHT", layer=2, body=b"refines what was left out")
    reader = Reader(BytesSource(forge(encode_header(header), [*forged_chunks(chunks), unknown, finer])))
    reader.verify()
    assert reader.layers(0) == 1
    assert reader.weights(0).keys() == reader.weights(0, 3).keys()


@pytest.mark.parametrize("layers", [0, -1])
def test_requesting_no_layers_is_a_view_error(layers: int) -> None:
    with pytest.raises(ViewError, match="expected at least 1"):
        Reader(BytesSource(clip_bytes(*smallest()))).weights(0, layers)


def test_latents_of_different_dimensions_are_refused() -> None:
    latents = [latents_chunk(0, n, quantise("latents", np.zeros((1, n + 2)), 1.0)) for n in range(2)]
    reader = Reader(BytesSource(clip_bytes(small_header((2,)), [smallest()[1][0], *latents])))
    with pytest.raises(FormatError, match="latents of 3 and of 2 dimensions"):
        reader.latents(0, 2)


def test_a_result_beyond_the_limit_is_refused() -> None:
    reader = Reader(BytesSource(clip_bytes(*two_segments())), Limits(elements=40))
    assert reader.latents(0, 5).shape == (5, 8)
    with pytest.raises(LimitError, match="latents of 6 frames: 48 numbers, 40 allowed"):
        reader.latents(0, 6)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param([], id="no chunks"),
        pytest.param(smallest()[1][:1], id="no latents"),
        pytest.param(smallest()[1][::-1], id="latents first"),
        pytest.param([*smallest()[1], smallest()[1][0]], id="weights twice"),
        pytest.param([*smallest()[1], Chunk(b"NEWS", 0, 0, 0, 0, b"")], id="unknown critical"),
    ],
)
def test_an_invalid_clip_is_not_written(tmp_path: Path, broken: list[Chunk]) -> None:
    with pytest.raises(FormatError):
        write_clip(tmp_path / "clip.dnv", smallest()[0], broken)
    assert not list(tmp_path.iterdir())


def test_a_clip_with_an_invalid_payload_is_removed(tmp_path: Path) -> None:
    header, chunks = smallest()
    (tmp_path / "clip.dnv").write_bytes(b"older")
    with pytest.raises(FormatError, match="tensors"):
        write_clip(tmp_path / "clip.dnv", header, [replace(chunks[0], payload=b"junk"), chunks[1]])
    assert (tmp_path / "clip.dnv").read_bytes() == b"older"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("kind", "segment", "layer"),
    [
        (b"TOOLONG", 0, 0),
        (b"ab1d", 0, 0),
        (b"", 0, 0),
        (b"note", -1, 0),
        (b"note", 2**32, 0),
        (b"note", 0, 2**16),
    ],
)
def test_a_chunk_that_does_not_fit_its_fields_is_refused(kind: bytes, segment: int, layer: int) -> None:
    with pytest.raises(FormatError):
        Chunk(kind, segment, layer, 0, 0, b"")


def test_latents_have_their_name_and_two_axes() -> None:
    with pytest.raises(FormatError, match="tensor named 'codes', expected 'latents'"):
        latents_chunk(0, 0, tensor("codes", [[1]]))
    with pytest.raises(FormatError, match=r"shape \(1,\), expected \(1, D\)"):
        latents_chunk(0, 0, tensor("latents", [1]))


def test_all_checksums_are_compared_in_few_reads_and_without_decoding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    header, chunks = two_segments()
    data = clip_bytes(header, chunks)
    source = CountingSource(data)
    reader = Reader(source)
    assert reader.check() == reader.verify() == data[-32:].hex()
    source.reads.clear()
    monkeypatch.setattr("dynerf_format.container.reader.decompress", None)
    assert reader.check() == data[-32:].hex()
    assert len(source.reads) == 3  # the prologue, all chunks, the trailer
    for entry in reader.directory:
        broken = bytearray(data)
        broken[entry.end - 1] ^= 1
        with pytest.raises(ChecksumError, match=f"chunk at byte {entry.offset} is damaged"):
            Reader(BytesSource(broken)).check()


def test_a_long_file_is_checked_a_few_chunks_at_a_time() -> None:
    header, chunks = smallest()
    ballast = [ancillary_chunk(b"xtra", 0, random.Random(n).randbytes(300_000)) for n in range(9)]
    source = CountingSource(clip_bytes(header, [*chunks, *ballast]))
    reader = Reader(source)
    source.reads.clear()
    reader.check()
    assert max(length for _, length in source.reads) <= 1 << 20
    assert len(source.reads) <= 5
    assert sum(length for _, length in source.reads) == source.size
