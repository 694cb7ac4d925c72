"""Weights that continue those of the previous segment: exact from any starting point, and checked."""

from __future__ import annotations

import functools
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

DEPTHS = (0, 1, 2, 0)


@functools.cache  # made by the first test, because importing this module must not compile the coder
def _data() -> bytes:
    return clip_bytes(*continued())


def _header() -> bytes:
    return encode_header(continued()[0])


def _forged() -> list[ForgedChunk]:
    return forged_chunks(continued()[1])


def _read(data: bytes, segment: int, layers: int | None = None) -> dict[str, QuantisedTensor]:
    """Read with a new reader, which has cached nothing."""
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
    def test_the_directory_states_what_weights_build_on(self) -> None:
        directory = Reader(BytesSource(_data())).directory
        assert [e.first for e in directory if e.kind == b"WGHT" and e.layer == 0] == list(DEPTHS)
        chains = [[e[0].segment for e in weights_chain(directory, n)] for n in range(4)]
        assert chains == [[0], [0, 1], [0, 1, 2], [3]]

    @pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 2, 0, 2), (1, 3, 2, 1)])
    def test_any_order_of_segments_and_layers_gives_the_same(self, order: tuple[int, ...]) -> None:
        reader = Reader(BytesSource(_data()))
        for index, segment in enumerate(order):
            for layers in (1, 3, 2) if index % 2 else (None, 1):
                assert _same(reader.weights(segment, layers), _read(_data(), segment, layers))

    def test_symbols_round_trip(self) -> None:
        for number in range(4):
            assert _same(_read(_data(), number), {t.name: t for t in moving_weights(number)})

    def test_a_seek_reads_the_chain_and_playback_only_the_next_segment(self) -> None:
        source = _Counting(_data())
        reader = Reader(source)
        opened = len(source.reads)
        reader.weights(1, 1)
        assert len(source.reads) - opened == 2
        reader.weights(2, 1)
        assert len(source.reads) - opened == 3
        reader.weights(2, 1)
        assert len(source.reads) - opened == 4  # no segment continues the last one, so it is not cached
        reader.weights(3, 1)
        assert len(source.reads) - opened == 5

    def test_the_whole_file_verifies(self) -> None:
        Reader(BytesSource(_data())).verify()

    def test_an_unknown_codec_limits_the_layers_of_dependent_segments(self) -> None:
        changed = [replace(c, codec=7) if (c.segment, c.layer) == (0, 1) else c for c in _forged()]
        reader = Reader(BytesSource(forge(_header(), changed)))
        reader.verify()
        assert [reader.layers(n) for n in range(4)] == [1, 1, 1, 3]
        assert _same(reader.weights(2), _read(_data(), 2, 1))


def _with_first(segment: int, layer: int, first: int) -> list[ForgedChunk]:
    return [
        replace(c, first=first) if (c.kind, c.segment, c.layer) == (b"WGHT", segment, layer) else c
        for c in _forged()
    ]


class TestRefusing:
    @pytest.mark.parametrize(
        ("chunks", "message"),
        [
            pytest.param(_with_first(0, 0, 1), "segment 0 builds on 1 segments", id="before the first"),
            pytest.param(_with_first(1, 0, 2), "segment 1 builds on 2 segments", id="too many"),
            pytest.param(
                _with_first(2, 0, 1), "segment 2 builds on 1 segments", id="in the middle of a chain"
            ),
            pytest.param(_with_first(3, 0, 4), "segment 3 builds on 4 segments", id="chain does not end"),
            pytest.param(_with_first(1, 1, 0), "layer 1 of segment 1 builds on 0", id="layers differ"),
            pytest.param(
                [c for c in _forged() if (c.kind, c.segment, c.layer) != (b"WGHT", 0, 2)],
                "layer 2 of segment 1 builds on 1 segments of which the last has 2 layers",
                id="a layer is missing",
            ),
        ],
    )
    def test_an_invalid_chain_is_refused(self, chunks: list[ForgedChunk], message: str) -> None:
        with pytest.raises(FormatError, match=message):
            Reader(BytesSource(forge(_header(), chunks)))

    def test_a_longer_chain_than_allowed_is_refused(self) -> None:
        with pytest.raises(LimitError, match="builds on 2 segments, 1 allowed"):
            Reader(BytesSource(_data()), Limits(chain=1))

    def test_weights_kept_count_towards_the_limit(self) -> None:
        size = sum(t.symbols.size for t in _read(_data(), 0).values())
        assert _same(Reader(BytesSource(_data()), Limits(elements=size)).weights(3), _read(_data(), 3))
        with pytest.raises(LimitError, match="elements"):
            Reader(BytesSource(_data()), Limits(elements=size)).weights(1)

    @pytest.mark.parametrize("change", ["shape", "name", "key"])
    def test_a_tensor_without_a_previous_one_is_refused(self, change: str) -> None:
        layers = split_layers([tensor("w", np.arange(400).reshape(20, 20))], {})
        chunk = continued_chunks(1, layers, [{"w": layers[0].tensors[0]}], 1)[0]
        other = {"shape": ("w", (40, 10)), "name": ("v", (20, 20)), "key": ("w", (20, 20))}[change]
        base = weights_chunks(0, [tensor(other[0], np.ones(other[1]))], {})[0]
        latents = [c for c in continued()[1] if c.kind == b"LATN"]
        chunks = [base, latents[0], replace(chunk, first=change != "key"), latents[1]]
        reader = Reader(BytesSource(clip_bytes(small_header((2, 2)), chunks)))
        for read in (reader.verify, lambda: reader.weights(1)):
            with pytest.raises(
                FormatError, match="'w': the previous segment has no tensor of this name and shape"
            ):
                read()

    def test_latents_are_never_continued(self) -> None:
        broken = [replace(c, body=_continued(c.body)) if c.kind == b"LATN" else c for c in _forged()]
        with pytest.raises(FormatError, match="has no tensor of this name and shape"):
            Reader(BytesSource(forge(_header(), broken))).latents(0, 1)


def _continued(payload: bytes) -> bytes:
    return payload[:1] + bytes([payload[1] + 8]) + payload[2:]


class TestWriting:
    def test_unchanged_weights_cost_almost_nothing(self) -> None:
        layers = split_layers([tensor("w", np.arange(10_000) * 7919 % 501)], {"w": (3,)})
        previous = [{t.name: t for t in layer.tensors} for layer in layers]
        assert sum(len(compress(c.payload)[1]) for c in continued_chunks(1, layers, previous, 1)) < 200

    def test_tensors_are_continued_only_where_smaller(self) -> None:
        noise = np.random.default_rng(0).integers(-99, 99, (2, 3000))
        layers = split_layers([tensor("w", np.sign(noise[0]))], {})
        assert continued_chunks(1, layers, [{"w": tensor("w", noise[1] * 1000)}], 1) == []
        assert continued_chunks(1, layers, [{"w": tensor("w", [1])}], 1) == []
        assert continued_chunks(1, layers, [], 1) == []


class TestTools:
    @pytest.mark.parametrize("first", range(7))
    def test_cut_anywhere(self, tmp_path: Path, first: int) -> None:
        write_clip(tmp_path / "clip.dnv", *continued())
        cut_clip(tmp_path / "clip.dnv", first, 8, tmp_path / "part.dnv")
        data = (tmp_path / "part.dnv").read_bytes()
        reader = Reader(BytesSource(data))
        removed = first // 2
        for number in range(4 - removed):
            for layers in (1, 2, 3):
                assert _same(_read(data, number, layers), _read(_data(), number + removed, layers))
        depths = [e.first for e in reader.directory if e.kind == b"WGHT" and e.layer == 0]
        assert depths == [min(depth, number) for number, depth in enumerate(DEPTHS[removed:])]

    def test_joined_parts_have_a_key_segment_at_the_seam(self, tmp_path: Path) -> None:
        write_clip(tmp_path / "clip.dnv", *continued())
        cut_clip(tmp_path / "clip.dnv", 0, 4, tmp_path / "a.dnv")
        cut_clip(tmp_path / "clip.dnv", 4, 8, tmp_path / "b.dnv")
        join_clips([tmp_path / "a.dnv", tmp_path / "b.dnv"], tmp_path / "all.dnv")
        data = (tmp_path / "all.dnv").read_bytes()
        assert all(_same(_read(data, n), _read(_data(), n)) for n in range(4))

    def test_every_truncated_file_is_repaired(self, tmp_path: Path) -> None:
        ends = [entry.end for entry in Reader(BytesSource(_data())).directory]
        for end in ends[1:]:
            repair_clip(BytesSource(_data()[: end + 40]), tmp_path / "saved.dnv")
            saved = (tmp_path / "saved.dnv").read_bytes()
            reader = Reader(BytesSource(saved))
            for number in range(len(reader.header.segments)):
                layers = reader.layers(number)
                assert _same(reader.weights(number), _read(_data(), number, layers))


def _one(path: Path, number: int, extra: Callable[[list[Any]], list[Chunk]] | None = None) -> list[Any]:
    """Write a clip of one segment with two layers; return its weights after each, for the next clip."""
    values = np.arange(900).reshape(30, 30) * 7919 % 97 + number
    layers = split_layers([tensor("w", values)], {"w": (3,)})
    key = weights_chunks(0, [tensor("w", values)], {"w": (3,)})
    latents = replace(next(c for c in continued()[1] if c.kind == b"LATN"), segment=0, first=0)
    more = [] if extra is None else extra([key, layers])
    write_clip(path, small_header((2,), first_source_frame=2 * number), [key[0], latents, key[1], *more])
    return [{t.name: t for t in layer.tensors} for layer in layers]


class TestDifferences:
    """Chunks of a clip of one segment for joining it to the preceding clip."""

    def _clips(self, tmp_path: Path) -> list[Path]:
        paths = [tmp_path / f"{n}.dnv" for n in range(3)]
        previous = _one(paths[0], 0)
        for number in (1, 2):
            with FileSource(paths[number - 1]) as source:
                digest = Reader(source).digest()

            def extra(
                parts: list[Any], previous_weights: list[Any] = previous, base: bytes = digest
            ) -> list[Chunk]:
                found = continued_chunks(0, parts[1], previous_weights, 0)
                return [ancillary_chunk(BASE, 0, base), *(replace(c, kind=DIFFERENCES) for c in found)]

            previous = _one(paths[number], number, extra)
        return paths

    def test_joining_replaces_the_weights_by_the_differences(self, tmp_path: Path) -> None:
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

    def test_differences_to_another_clip_are_dropped(self, tmp_path: Path) -> None:
        paths = self._clips(tmp_path)
        _one(paths[1], 1)  # written again, with other bytes
        join_clips(paths, tmp_path / "all.dnv")
        directory = Reader(BytesSource((tmp_path / "all.dnv").read_bytes())).directory
        assert {e.kind for e in directory} == {b"WGHT", b"LATN"}
        assert [e.first for e in directory if e.kind == b"WGHT"] == [0] * 6
