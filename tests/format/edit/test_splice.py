"""Cutting and joining: frames keep their values, weights their bytes, and mismatches are named."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynerf_format import (
    BytesSource,
    ChecksumError,
    Chunk,
    Entry,
    FileSource,
    FormatError,
    NotDnvError,
    Reader,
    SpaceRecord,
    ViewError,
    clip_bytes,
    cut_clip,
    join_clips,
    latents_chunk,
    quantise,
    weights_chunk,
    weights_chunks,
    write_clip,
)
from dynerf_format.container.directory import chunk_checksum, with_fields
from dynerf_format.container.source import FileSource as Source
from dynerf_format.tensors.tensor_payload import unpack_records
from support.clips import QUICK, camera, continued, small_header, tensor, two_segments

if TYPE_CHECKING:
    from pathlib import Path


def _clip(path: Path, segments: tuple[int, ...] = (4, 3), first: int = 0, **changes: Any) -> Path:
    """A clip of the given segments; weights and latents encode segment and frame of the recording."""
    chunks = []
    frame = 0
    for number, frames in enumerate(segments):
        chunks += weights_chunks(number, [tensor("w", [[first + frame] * 50])], {"w": (3,)})
        chunks.append(Chunk(b"occu", number, 0, 7, 9, bytes([1, 0, 0, 8, 0, *[first + frame] * 64])))
        for start in range(frame, frame + frames, 3):
            rows = [[first + n, -first - n] for n in range(start, min(start + 3, frame + frames))]
            chunks.append(latents_chunk(number, start, tensor("latents", rows, 0.5)))
        frame += frames
    write_clip(path, small_header(segments, first_source_frame=first, **changes), chunks)
    return path


def _latents(path: Path) -> np.ndarray:
    with FileSource(path) as source:
        reader = Reader(source)
        reader.verify()
        return reader.latents(0, reader.header.frames)


def _stored(path: Path, kind: bytes) -> list[bytes]:
    with FileSource(path) as source:
        reader = Reader(source)
        return [reader.read_stored(entry) for entry in reader.directory if entry.kind == kind]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return _clip(tmp_path / "clip.dnv")


class TestCut:
    @QUICK
    @given(st.data())
    def test_any_frames_keep_their_values(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        folder = tmp_path_factory.mktemp("cut")
        segments = tuple(data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=3)))
        whole = _clip(folder / "clip.dnv", segments)
        first = data.draw(st.integers(0, sum(segments) - 1))
        stop = data.draw(st.integers(first + 1, sum(segments)))

        size = cut_clip(whole, first, stop, folder / "part.dnv")

        assert size == (folder / "part.dnv").stat().st_size
        assert np.array_equal(_latents(folder / "part.dnv"), _latents(whole)[first:stop])
        with FileSource(folder / "part.dnv") as part, FileSource(whole) as source:
            reader, original = Reader(part), Reader(source)
            assert reader.header.frames == stop - first
            assert reader.header.first_source_frame == first
            for frame in range(stop - first):
                cut = reader.weights(reader.header.segment_at(frame))["w"]
                original_tensor = original.weights(original.header.segment_at(frame + first))["w"]
                assert np.array_equal(cut.symbols, original_tensor.symbols)

    def test_chunks_of_a_kept_segment_are_copied_as_they_are_stored(self, clip: Path, tmp_path: Path) -> None:
        cut_clip(clip, 4, 7, tmp_path / "part.dnv")
        for kind in (b"WGHT", b"occu"):
            both = _stored(clip, kind)
            assert _stored(tmp_path / "part.dnv", kind) == both[len(both) // 2 :]
        assert _stored(tmp_path / "part.dnv", b"LATN") == _stored(clip, b"LATN")[-1:]
        with FileSource(tmp_path / "part.dnv") as source:
            directory = Reader(source).directory
        assert {entry.segment for entry in directory} == {0}
        assert [(e.first, e.count) for e in directory if e.kind == b"occu"] == [(7, 9)]

    def test_a_step_per_frame_goes_with_its_frame(self, tmp_path: Path) -> None:
        latents = quantise("latents", [[1.0, 2.0], [3.0, 4.0], [6.0, 8.0]], np.array([1.0, 0.5, 2.0]))
        chunks = [weights_chunk(0, [tensor("w", [1])]), latents_chunk(0, 0, latents)]
        write_clip(tmp_path / "clip.dnv", small_header((3,)), chunks)
        cut_clip(tmp_path / "clip.dnv", 1, 3, tmp_path / "part.dnv")
        assert np.array_equal(_latents(tmp_path / "part.dnv"), [[3, 4], [6, 8]])

    def test_cutting_all_frames_reproduces_the_clip(self, tmp_path: Path) -> None:
        clip = _clip(tmp_path / "clip.dnv", quality={})
        cut_clip(clip, 0, 7, tmp_path / "part.dnv")
        assert (tmp_path / "part.dnv").read_bytes() == clip.read_bytes()

    def test_quality_of_all_frames_is_dropped(self, clip: Path, tmp_path: Path) -> None:
        cut_clip(clip, 0, 6, tmp_path / "part.dnv")
        with FileSource(tmp_path / "part.dnv") as source:
            assert Reader(source).header.quality == {}

    def test_the_clip_itself_can_be_replaced(self, clip: Path) -> None:
        expected = _latents(clip)[2:5]
        cut_clip(clip, 2, 5, clip)
        assert np.array_equal(_latents(clip), expected)

    @pytest.mark.parametrize(("first", "stop"), [(0, 8), (7, 8), (3, 3), (4, 2), (-1, 2)])
    def test_frames_outside_the_clip_are_refused(
        self, clip: Path, tmp_path: Path, first: int, stop: int
    ) -> None:
        with pytest.raises(ViewError, match=f"frames {first}:{stop} requested, the clip has 0:7"):
            cut_clip(clip, first, stop, tmp_path / "part.dnv")
        assert not (tmp_path / "part.dnv").exists()

    @pytest.mark.parametrize("kind", ["WGHT", "LATN"])
    def test_a_damaged_chunk_is_not_copied(self, clip: Path, tmp_path: Path, kind: str) -> None:
        data = bytearray(clip.read_bytes())
        with FileSource(clip) as source:
            entry = next(e for e in Reader(source).directory if e.kind == kind.encode())
        data[entry.end - 1] ^= 1
        clip.write_bytes(data)
        with pytest.raises(ChecksumError, match=f"{clip}: {kind} chunk at byte .* is damaged"):
            cut_clip(clip, 1, 5, tmp_path / "part.dnv")
        assert [path.name for path in tmp_path.iterdir()] == ["clip.dnv"]


class TestJoin:
    @QUICK
    @given(st.data())
    def test_joined_parts_reproduce_the_clip(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        folder = tmp_path_factory.mktemp("join")
        segments = tuple(data.draw(st.lists(st.integers(1, 5), min_size=2, max_size=4)))
        whole = _clip(folder / "clip.dnv", segments, quality={})
        borders = np.cumsum([0, *segments])
        parts = []
        for first, stop in itertools.pairwise(borders):
            parts.append(folder / f"{first}.dnv")
            cut_clip(whole, int(first), int(stop), parts[-1])

        size = join_clips(parts, folder / "all.dnv")

        assert (folder / "all.dnv").read_bytes() == whole.read_bytes()
        assert size == whole.stat().st_size

    def test_clips_of_several_segments(self, tmp_path: Path) -> None:
        one, two = _clip(tmp_path / "a.dnv"), _clip(tmp_path / "b.dnv", (2, 5), first=7)
        join_clips([one, two], tmp_path / "all.dnv")
        assert np.array_equal(_latents(tmp_path / "all.dnv"), np.concatenate([_latents(one), _latents(two)]))
        assert _stored(tmp_path / "all.dnv", b"WGHT") == _stored(one, b"WGHT") + _stored(two, b"WGHT")
        with FileSource(tmp_path / "all.dnv") as source:
            header = Reader(source).header
        assert [(s.first_frame, s.frames) for s in header.segments] == [(0, 4), (4, 3), (7, 2), (9, 5)]

    def test_quality_is_the_mean_over_frames_and_configurations_are_kept_apart(self, tmp_path: Path) -> None:
        one = _clip(tmp_path / "a.dnv", (4,), quality={"held_out_psnr": 30.0, "steps": 7})
        two = _clip(tmp_path / "b.dnv", (1,), first=4, quality={"held_out_psnr": 25.0}, config={"seed": 2})
        join_clips([one, two], tmp_path / "all.dnv")
        with FileSource(tmp_path / "all.dnv") as source:
            header = Reader(source).header
        assert header.quality == {"held_out_psnr": 29.0}
        assert header.config == {"joined": [{"preset": "tiny"}, {"seed": 2}]}
        three = _clip(tmp_path / "c.dnv", (1,), first=5, quality={}, config={"seed": 2})
        join_clips([tmp_path / "all.dnv", three], tmp_path / "more.dnv")
        with FileSource(tmp_path / "more.dnv") as source:
            assert Reader(source).header.config == header.config
            assert Reader(source).header.quality == {}

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"fps_numerator": 25}, "fps_numerator is 25 here and 30 there"),
            ({"cameras": (camera("cam07"),)}, r"cameras\[0\].name is 'cam07' here and 'cam00' there"),
            ({"cameras": (camera(role="held_out"),)}, r"cameras\[0\].role is 'held_out' here"),
            ({"cameras": (camera(), camera("b"))}, "cameras.length is 2 here and 1 there"),
            (
                {"space": SpaceRecord("box", tuple(2 * np.eye(4).ravel()), 0.1)},
                r"space.matrix\[0\] is 2.0 here and 1.0 there",
            ),
            ({"sampling": {"coarse": 24}}, "sampling.fine is absent here and 12 there"),
        ],
    )
    def test_another_capture_is_refused_with_what_differs(
        self, clip: Path, tmp_path: Path, changes: dict[str, Any], message: str
    ) -> None:
        other = _clip(tmp_path / "other.dnv", first=7, **changes)
        with pytest.raises(FormatError, match=f"{other}: cannot be joined to {clip}: {message}"):
            join_clips([clip, other], tmp_path / "all.dnv")
        assert not (tmp_path / "all.dnv").exists()

    def test_another_field_is_refused_with_what_differs(self, clip: Path, tmp_path: Path) -> None:
        header, chunks = two_segments()
        field = replace(header.field, settings={**header.field.settings, "channels": 16})
        changed = replace(header, field=field, cameras=(camera(),), first_source_frame=7)
        write_clip(tmp_path / "other.dnv", changed, chunks)
        with pytest.raises(FormatError, match=r"field.settings.channels is 16 here and 8 there"):
            join_clips([clip, tmp_path / "other.dnv"], tmp_path / "all.dnv")

    @pytest.mark.parametrize("first", [0, 6, 8])
    def test_missing_or_overlapping_frames_are_refused(self, clip: Path, tmp_path: Path, first: int) -> None:
        other = _clip(tmp_path / "other.dnv", first=first)
        message = f"{other}: starts with frame {first} of the recording, expected 7"
        with pytest.raises(FormatError, match=message):
            join_clips([clip, other], tmp_path / "all.dnv")

    def test_a_file_that_is_not_a_clip_is_named(self, clip: Path, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        with pytest.raises(NotDnvError, match=r"a.png: not a .dnv file"):
            join_clips([clip, tmp_path / "a.png"], tmp_path / "all.dnv")
        with pytest.raises(FormatError, match="no clips"):
            join_clips([], tmp_path / "all.dnv")

    def test_files_are_not_kept_open(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        opened = 0
        open_max = 0
        begin, end = Source.__init__, Source.close

        def counting(self: Source, path: Path) -> None:
            nonlocal opened, open_max
            begin(self, path)
            opened += 1
            open_max = max(open_max, opened)

        def closing(self: Source) -> None:
            nonlocal opened
            end(self)
            opened -= 1

        monkeypatch.setattr(Source, "__init__", counting)
        monkeypatch.setattr(Source, "close", closing)
        parts = [_clip(tmp_path / f"{n}.dnv", (1,), first=n) for n in range(6)]
        join_clips(parts, tmp_path / "all.dnv")
        assert open_max <= 2  # the result, read back, and one part


def test_twenty_segments_open_and_seek_in_three_requests(tmp_path: Path) -> None:
    parts = [_clip(tmp_path / f"{n}.dnv", (3,), first=3 * n) for n in range(20)]
    join_clips(parts, tmp_path / "all.dnv")
    data = (tmp_path / "all.dnv").read_bytes()
    reads: list[tuple[int, int]] = []

    class Counting(BytesSource):
        def read(self, offset: int, length: int) -> bytes:
            reads.append((offset, length))
            return super().read(offset, length)

    reader = Reader(Counting(data))
    assert reads == [(0, min(16384, len(data)))]
    assert int(reader.weights(reader.header.segment_at(50), layers=1)["w"].symbols[0, 0]) == 16
    assert reader.latents(50, 1).tolist() == [[25.0, -25.0]]
    assert len(reads) == 3


def test_a_part_equals_what_would_have_been_written(tmp_path: Path) -> None:
    header, chunks = two_segments()
    write_clip(tmp_path / "clip.dnv", replace(header, quality={}), chunks)
    cut_clip(tmp_path / "clip.dnv", 0, 8, tmp_path / "same.dnv")
    assert (tmp_path / "same.dnv").read_bytes() == clip_bytes(replace(header, quality={}), chunks)


class TestChunksAreCopiedAsStored:
    @pytest.fixture
    def decoded(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """A list that grows by one with each decoded tensor payload."""
        seen: list[int] = []

        def counting(payload: bytes, *arguments: Any) -> Any:
            seen.append(len(payload))
            return unpack_records(payload, *arguments)

        monkeypatch.setattr("dynerf_format.tensors.tensor_payload.unpack_records", counting)
        monkeypatch.setattr("dynerf_format.edit.splice.unpack_records", counting)
        return seen

    def test_cutting_between_groups_and_joining_decode_nothing(
        self, clip: Path, tmp_path: Path, decoded: list[int]
    ) -> None:
        decoded.clear()
        cut_clip(clip, 0, 4, tmp_path / "a.dnv")
        cut_clip(clip, 4, 7, tmp_path / "b.dnv")
        join_clips([tmp_path / "a.dnv", tmp_path / "b.dnv"], tmp_path / "all.dnv")
        assert decoded == []

    def test_only_the_group_that_is_cut_is_decoded(
        self, clip: Path, tmp_path: Path, decoded: list[int]
    ) -> None:
        decoded.clear()
        cut_clip(clip, 2, 7, tmp_path / "a.dnv")  # groups of frames 0:3, 3:4 and 4:7
        assert len(decoded) == 1

    def test_only_the_weights_that_are_packed_again_are_decoded(
        self, tmp_path: Path, decoded: list[int]
    ) -> None:
        header, chunks = continued()
        write_clip(tmp_path / "clip.dnv", header, chunks)
        depths = [chunk.first for chunk in chunks if chunk.kind == b"WGHT" and chunk.layer == 0]
        layers = [
            sum(chunk.kind == b"WGHT" and chunk.segment == n for chunk in chunks) for n in range(len(depths))
        ]
        for number, depth in enumerate(depths):
            decoded.clear()
            first = header.segments[number].first_frame
            cut_clip(tmp_path / "clip.dnv", first, header.frames, tmp_path / "part.dnv")
            chain = min(layers[number - depth : number + 1]) * (depth + 1)
            assert len(decoded) == (chain if depth else 0)

    def test_only_kept_bytes_are_read_and_each_once(self, clip: Path, tmp_path: Path) -> None:
        class Counting(BytesSource):
            def read(self, offset: int, length: int) -> bytes:
                reads.append((offset, length))
                return super().read(offset, length)

        reads: list[tuple[int, int]] = []
        cut_clip(Counting(clip.read_bytes()), 4, 7, tmp_path / "part.dnv")
        with FileSource(clip) as source:
            kept = [e for e in Reader(source).directory if e.segment == 1]
        assert reads[1:] == [(e.offset, e.end - e.offset) for e in kept]

    @QUICK
    @given(st.data())
    def test_the_checksum_of_a_changed_head_is_exact(self, data: st.DataObject) -> None:
        body = data.draw(st.binary(max_size=50))
        numbers = st.integers(0, 2**32 - 1)
        entry = Entry(b"WGHT", data.draw(numbers), 1, 0, 5, 3, 99, len(body), len(body), 0)
        entry = replace(entry, crc32=chunk_checksum(entry, body))
        moved = with_fields(entry, kind=b"diff", segment=data.draw(numbers), first=data.draw(numbers))
        assert moved.crc32 == chunk_checksum(moved, body)
        assert replace(moved, kind=b"WGHT", segment=entry.segment, first=5, crc32=entry.crc32) == entry
