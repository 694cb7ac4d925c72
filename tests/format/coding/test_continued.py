"""Weights that continue those of the segment before: exact from anywhere, and never trusted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dynerf_format import (
    BASE,
    DIFFERENCES,
    BytesSource,
    Chunk,
    FileSource,
    FormatError,
    LimitError,
    Limits,
    QuantisedTensor,
    Reader,
    ancillary_chunk,
    clip_bytes,
    continued_chunks,
    cut_clip,
    encode_header,
    join_clips,
    repair_clip,
    split_layers,
    weights_chain,
    weights_chunks,
    write_clip,
)
from dynerf_format.container.compression import compress
from support.clips import ForgedChunk, continued, forge, forged_chunks, moving_weights, small_header, tensor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLIP, CHUNKS = continued()
DATA = clip_bytes(CLIP, CHUNKS)
DEPTHS = (0, 1, 2, 0)
HEADER = encode_header(CLIP)
FORGED = forged_chunks(CHUNKS)


def _read(data: bytes, segment: int, layers: int | None = None) -> dict[str, QuantisedTensor]:
    """With a reader that has read nothing else."""
    return Reader(BytesSource(data)).weights(segment, layers)


def _same(one: dict[str, QuantisedTensor], two: dict[str, QuantisedTensor]) -> bool:
    return one.keys() == two.keys() and all(
        np.array_equal(one[name].symbols, two[name].symbols)
        and np.array_equal(one[name].steps, two[name].steps)
        for name in one
    )


class _Counting(BytesSource):
    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads: list[int] = []

    def read(self, offset: int, length: int) -> bytes:
        self.reads.append(offset)
        return super().read(offset, length)


class TestReading:
    def test_the_directory_tells_what_weights_build_on(self) -> None:
        directory = Reader(BytesSource(DATA)).directory
        assert [e.first for e in directory if e.kind == b"WGHT" and e.layer == 0] == list(DEPTHS)
        chains = [[e[0].segment for e in weights_chain(directory, n)] for n in range(4)]
        assert chains == [[0], [0, 1], [0, 1, 2], [3]]

    @pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 2, 0, 2), (1, 3, 2, 1)])
    def test_any_order_of_segments_and_layers_gives_the_same(self, order: tuple[int, ...]) -> None:
        reader = Reader(BytesSource(DATA))
        for place, segment in enumerate(order):
            for layers in (1, 3, 2) if place % 2 else (None, 1):
                assert _same(reader.weights(segment, layers), _read(DATA, segment, layers))

    def test_the_symbols_are_those_that_went_in(self) -> None:
        for number in range(4):
            assert _same(_read(DATA, number), {t.name: t for t in moving_weights(number)})

    def test_a_seek_reads_the_row_up_to_its_segment_and_playing_on_only_the_next(self) -> None:
        source = _Counting(DATA)
        reader = Reader(source)
        opened = len(source.reads)
        reader.weights(1, 1)
        assert len(source.reads) - opened == 2
        reader.weights(2, 1)
        assert len(source.reads) - opened == 3
        reader.weights(2, 1)
        assert len(source.reads) - opened == 4  # nothing continues the last one: it is not kept
        reader.weights(3, 1)
        assert len(source.reads) - opened == 5

    def test_the_whole_file_verifies(self) -> None:
        Reader(BytesSource(DATA)).verify()

    def test_a_layer_in_an_unknown_codec_is_left_out_of_those_that_build_on_it(self) -> None:
        changed = [replace(c, codec=7) if (c.segment, c.layer) == (0, 1) else c for c in FORGED]
        reader = Reader(BytesSource(forge(HEADER, changed)))
        reader.verify()
        assert [reader.layers(n) for n in range(4)] == [1, 1, 1, 3]
        assert _same(reader.weights(2), _read(DATA, 2, 1))


def _with_first(segment: int, layer: int, first: int) -> list[ForgedChunk]:
    return [
        replace(c, first=first) if (c.kind, c.segment, c.layer) == (b"WGHT", segment, layer) else c
        for c in FORGED
    ]


class TestRefusing:
    @pytest.mark.parametrize(
        ("chunks", "message"),
        [
            pytest.param(_with_first(0, 0, 1), "segment 0 builds on 1 segments", id="before the first"),
            pytest.param(_with_first(1, 0, 2), "segment 1 builds on 2 segments", id="too many"),
            pytest.param(_with_first(2, 0, 1), "segment 2 builds on 1 segments", id="in the middle of a row"),
            pytest.param(_with_first(3, 0, 4), "segment 3 builds on 4 segments", id="row does not end"),
            pytest.param(_with_first(1, 1, 0), "layer 1 of segment 1 builds on 0", id="layers differ"),
            pytest.param(
                [c for c in FORGED if (c.kind, c.segment, c.layer) != (b"WGHT", 0, 2)],
                "layer 2 of segment 1 builds on 1 segments of which the last has 2 layers",
                id="a layer is missing",
            ),
        ],
    )
    def test_a_row_that_is_none(self, chunks: list[ForgedChunk], message: str) -> None:
        with pytest.raises(FormatError, match=message):
            Reader(BytesSource(forge(HEADER, chunks)))

    def test_a_longer_row_than_allowed(self) -> None:
        with pytest.raises(LimitError, match="builds on 2 segments, 1 allowed"):
            Reader(BytesSource(DATA), Limits(chain=1))

    def test_more_kept_than_allowed(self) -> None:
        size = sum(t.symbols.size for t in _read(DATA, 0).values())
        assert _same(Reader(BytesSource(DATA), Limits(elements=size)).weights(3), _read(DATA, 3))
        with pytest.raises(LimitError, match="elements"):
            Reader(BytesSource(DATA), Limits(elements=size)).weights(1)

    @pytest.mark.parametrize("change", ["shape", "name", "key"])
    def test_a_tensor_that_continues_nothing(self, change: str) -> None:
        layers = split_layers([tensor("w", np.arange(400).reshape(20, 20))], {})
        chunk = continued_chunks(1, layers, [{"w": layers[0].tensors[0]}], 1)[0]
        other = {"shape": ("w", (40, 10)), "name": ("v", (20, 20)), "key": ("w", (20, 20))}[change]
        base = weights_chunks(0, [tensor(other[0], np.ones(other[1]))], {})[0]
        latents = [c for c in CHUNKS if c.kind == b"LATN"]
        chunks = [base, latents[0], replace(chunk, first=change != "key"), latents[1]]
        reader = Reader(BytesSource(clip_bytes(small_header((2, 2)), chunks)))
        for read in (reader.verify, lambda: reader.weights(1)):
            with pytest.raises(FormatError, match="'w': continues no tensor of this name and shape"):
                read()

    def test_latents_are_never_continued(self) -> None:
        broken = [replace(c, body=_continued(c.body)) if c.kind == b"LATN" else c for c in FORGED]
        with pytest.raises(FormatError, match="continues no tensor"):
            Reader(BytesSource(forge(HEADER, broken))).latents(0, 1)


def _continued(payload: bytes) -> bytes:
    return payload[:1] + bytes([payload[1] + 8]) + payload[2:]


class TestWriting:
    def test_what_stays_costs_almost_nothing(self) -> None:
        layers = split_layers([tensor("w", np.arange(10_000) * 7919 % 501)], {"w": (3,)})
        before = [{t.name: t for t in layer.tensors} for layer in layers]
        assert sum(len(compress(c.payload)[1]) for c in continued_chunks(1, layers, before, 1)) < 200

    def test_nothing_is_continued_where_that_is_not_smaller_or_cannot_be(self) -> None:
        noise = np.random.default_rng(0).integers(-99, 99, (2, 3000))
        layers = split_layers([tensor("w", np.sign(noise[0]))], {})
        assert continued_chunks(1, layers, [{"w": tensor("w", noise[1] * 1000)}], 1) == []
        assert continued_chunks(1, layers, [{"w": tensor("w", [1])}], 1) == []
        assert continued_chunks(1, layers, [], 1) == []


class TestTools:
    @pytest.mark.parametrize("first", range(7))
    def test_cut_anywhere(self, tmp_path: Path, first: int) -> None:
        write_clip(tmp_path / "clip.dnv", CLIP, CHUNKS)
        cut_clip(tmp_path / "clip.dnv", first, 8, tmp_path / "part.dnv")
        data = (tmp_path / "part.dnv").read_bytes()
        reader = Reader(BytesSource(data))
        gone = first // 2
        for number in range(4 - gone):
            for layers in (1, 2, 3):
                assert _same(_read(data, number, layers), _read(DATA, number + gone, layers))
        depths = [e.first for e in reader.directory if e.kind == b"WGHT" and e.layer == 0]
        assert depths == [min(depth, number) for number, depth in enumerate(DEPTHS[gone:])]

    def test_parts_join_with_a_key_segment_at_the_seam(self, tmp_path: Path) -> None:
        write_clip(tmp_path / "clip.dnv", CLIP, CHUNKS)
        cut_clip(tmp_path / "clip.dnv", 0, 4, tmp_path / "a.dnv")
        cut_clip(tmp_path / "clip.dnv", 4, 8, tmp_path / "b.dnv")
        join_clips([tmp_path / "a.dnv", tmp_path / "b.dnv"], tmp_path / "all.dnv")
        data = (tmp_path / "all.dnv").read_bytes()
        assert all(_same(_read(data, n), _read(DATA, n)) for n in range(4))

    def test_every_cut_off_file_is_repaired_to_a_valid_one(self, tmp_path: Path) -> None:
        ends = [entry.end for entry in Reader(BytesSource(DATA)).directory]
        for end in ends[1:]:
            repair_clip(BytesSource(DATA[: end + 40]), tmp_path / "saved.dnv")
            saved = (tmp_path / "saved.dnv").read_bytes()
            reader = Reader(BytesSource(saved))
            for number in range(len(reader.header.segments)):
                layers = reader.layers(number)
                assert _same(reader.weights(number), _read(DATA, number, layers))


def _one(path: Path, number: int, extra: Callable[[list[Any]], list[Chunk]] | None = None) -> list[Any]:
    """A clip of one segment with two layers; returns its weights after each, for the next."""
    values = np.arange(900).reshape(30, 30) * 7919 % 97 + number
    layers = split_layers([tensor("w", values)], {"w": (3,)})
    key = weights_chunks(0, [tensor("w", values)], {"w": (3,)})
    latents = replace(next(c for c in CHUNKS if c.kind == b"LATN"), segment=0, first=0)
    more = [] if extra is None else extra([key, layers])
    write_clip(path, small_header((2,), first_source_frame=2 * number), [key[0], latents, key[1], *more])
    return [{t.name: t for t in layer.tensors} for layer in layers]


class TestDifferencesOnTheirWay:
    """What a clip of one segment brings for the clip before it."""

    def _clips(self, tmp_path: Path) -> list[Path]:
        paths = [tmp_path / f"{n}.dnv" for n in range(3)]
        before = _one(paths[0], 0)
        for number in (1, 2):
            with FileSource(paths[number - 1]) as source:
                digest = Reader(source).digest()

            def extra(parts: list[Any], known: list[Any] = before, base: bytes = digest) -> list[Chunk]:
                found = continued_chunks(0, parts[1], known, 0)
                return [ancillary_chunk(BASE, 0, base), *(replace(c, kind=DIFFERENCES) for c in found)]

            before = _one(paths[number], number, extra)
        return paths

    def test_they_replace_the_weights_and_nothing_else_is_left_of_them(self, tmp_path: Path) -> None:
        paths = self._clips(tmp_path)
        join_clips(paths, tmp_path / "all.dnv")
        data = (tmp_path / "all.dnv").read_bytes()
        directory = Reader(BytesSource(data)).directory
        assert {e.kind for e in directory} == {b"WGHT", b"LATN"}
        assert [e.first for e in directory if e.kind == b"WGHT"] == [0, 0, 1, 1, 2, 2]
        for number, path in enumerate(paths):
            alone = path.read_bytes()
            for layers in (1, 2):
                assert _same(_read(data, number, layers), _read(alone, 0, layers))
        assert len(data) < sum(path.stat().st_size for path in paths) / 2

    def test_behind_another_clip_they_are_left_out(self, tmp_path: Path) -> None:
        paths = self._clips(tmp_path)
        _one(paths[1], 1)  # made again, and not the same
        join_clips(paths, tmp_path / "all.dnv")
        directory = Reader(BytesSource((tmp_path / "all.dnv").read_bytes())).directory
        assert {e.kind for e in directory} == {b"WGHT", b"LATN"}
        assert [e.first for e in directory if e.kind == b"WGHT"] == [0] * 6
