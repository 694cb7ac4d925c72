"""Cut, join and repair carry sound: every sample keeps its place, to the sample."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from dynerf_format import (
    BytesSource,
    Chunk,
    FileSource,
    Reader,
    SoundPackets,
    clip_bytes,
    cut_clip,
    encode_header,
    join_clips,
    latents_chunk,
    pack_sound,
    quantise,
    repair_clip,
    sound_entries,
    sound_position,
    weights_chunk,
    write_clip,
)
from dynerf_format.layout import TRAILER
from support.clips import forge, forged_chunks, repository, small_header, tensor
from support.sound import sweep, with_sound

if TYPE_CHECKING:
    from dynerf_format import Header

FRAMES = 40
NTSC = {"fps_numerator": 30000, "fps_denominator": 1001}


def clip_parts(segments: tuple[int, ...] = (22, 18), **changes: object) -> tuple[Header, list[Chunk]]:
    """A clip of groups of up to 7 frames with a sweep as its sound."""
    header = small_header(segments, **changes)
    chunks: list[Chunk] = []
    frame = 0
    for number, frames in enumerate(segments):
        chunks.append(weights_chunk(number, [tensor("w", [[number] * 9])]))
        for first in range(frame, frame + frames, 7):
            count = min(7, frame + frames - first)
            chunks.append(latents_chunk(number, first, quantise("latents", np.zeros((count, 2)), 1.0)))
        frame += frames
    seconds = header.frames * header.fps_denominator / header.fps_numerator
    return header, with_sound(header, chunks, sweep(seconds))


def timeline(path: Path) -> tuple[Header, list[tuple[int, bytes, int]]]:
    """Of every sample of sound: its position in the clip, its packet, and its place there."""
    found = []
    with FileSource(path) as source:
        reader = Reader(source)
        reader.verify()
        for entry in sound_entries(reader.directory, 0, reader.header.frames):
            sound = reader.sound(entry)
            assert sound is not None
            begin = sound_position(entry.first, reader.header.fps_numerator, reader.header.fps_denominator)
            for n in range(sound.samples):
                place = sound.trim + n
                found.append((begin + n, sound.packets[place // 960], place % 960))
        return reader.header, found


@pytest.fixture(params=[{}, NTSC], ids=["30", "29.97"])
def clip(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "clip.dnv"
    write_clip(path, *clip_parts(**request.param))
    return path


@pytest.mark.parametrize(("first", "stop"), [(0, 1), (3, 31), (7, 14), (13, 40), (25, 26)])
def test_a_cut_has_exactly_the_sound_of_its_frames(clip: Path, first: int, stop: int) -> None:
    header, whole = timeline(clip)
    cut_clip(clip, first, stop, clip.with_name("cut.dnv"))
    shorter, part = timeline(clip.with_name("cut.dnv"))
    start = sound_position(first, header.fps_numerator, header.fps_denominator)
    length = sound_position(shorter.frames, header.fps_numerator, header.fps_denominator)
    assert [position for position, _, _ in part] == list(range(length))
    expected = whole[start : start + length]
    assert [one[1:] for one in part[: len(expected)]] == [one[1:] for one in expected]


def test_what_was_cut_joins_to_the_same_sound(clip: Path) -> None:
    _, whole = timeline(clip)
    parts = []
    for first, stop in ((0, 5), (5, 17), (17, 22), (22, 39), (39, 40)):
        parts.append(clip.with_name(f"{first}.dnv"))
        cut_clip(clip, first, stop, parts[-1])
    join_clips(parts, clip.with_name("joined.dnv"))
    _, joined = timeline(clip.with_name("joined.dnv"))
    assert joined == whole


def test_a_cut_between_groups_copies_chunks_where_frames_begin_at_the_same_samples(tmp_path: Path) -> None:
    path, cut = tmp_path / "clip.dnv", tmp_path / "cut.dnv"
    write_clip(path, *clip_parts())
    cut_clip(path, 7, 22, cut)
    with FileSource(path) as one, FileSource(cut) as other:
        whole, part = Reader(one), Reader(other)
        stored = [whole.read_stored(entry) for entry in sound_entries(whole.directory, 7, 15)]
        assert [part.read_stored(entry) for entry in sound_entries(part.directory, 0, 99)] == stored


def test_a_silent_clip_joins_a_clip_with_sound(tmp_path: Path) -> None:
    header, chunks = clip_parts()
    silent, loud = tmp_path / "silent.dnv", tmp_path / "loud.dnv"
    write_clip(silent, header, [chunk for chunk in chunks if chunk.kind != b"soun"])
    write_clip(loud, replace(header, first_source_frame=FRAMES), chunks)
    join_clips([silent, loud], tmp_path / "joined.dnv")
    _, joined = timeline(tmp_path / "joined.dnv")
    _, alone = timeline(loud)
    begin = FRAMES * 1600
    assert joined == [(position + begin, packet, place) for position, packet, place in alone]


def test_sound_that_this_version_cannot_read_is_kept_whole_or_left_out(tmp_path: Path) -> None:
    source = repository(Path(__file__)) / "format/vectors/sound.dnv"
    cut_clip(source, 1, 5, tmp_path / "cut.dnv")
    with FileSource(tmp_path / "cut.dnv") as opened:
        reader = Reader(opened)
        entries = sound_entries(reader.directory, 0, 4)
        assert [(entry.first, entry.count) for entry in entries] == [(0, 1), (1, 1), (2, 1)]
        assert isinstance(reader.sound(entries[0]), SoundPackets)
        assert reader.sound(entries[2]) is None
        assert reader.read_chunk(entries[2]) == b"\2anything"
        assert sum(entry.kind == b"soun" for entry in reader.directory) == 3


def test_a_part_of_a_group_in_an_unknown_coding_is_left_out(tmp_path: Path) -> None:
    header, chunks = clip_parts((6,))
    data = forge_unknown(header, chunks)
    (tmp_path / "clip.dnv").write_bytes(data)
    cut_clip(tmp_path / "clip.dnv", 0, 3, tmp_path / "cut.dnv")
    with FileSource(tmp_path / "cut.dnv") as opened:
        assert [entry.kind for entry in Reader(opened).directory] == [b"WGHT", b"LATN"]


def forge_unknown(header: Header, chunks: list[Chunk]) -> bytes:
    """The clip with its sound in another coding."""
    changed = [
        replace(chunk, body=b"\7" + chunk.body[1:]) if chunk.kind == b"soun" else chunk
        for chunk in forged_chunks(chunks)
    ]
    return forge(encode_header(header), changed)


class TestRepair:
    def test_a_damaged_chunk_of_sound_is_left_out(self, tmp_path: Path) -> None:
        data = bytearray(clip_bytes(*clip_parts()))
        reader = Reader(BytesSource(bytes(data)))
        entries = sound_entries(reader.directory, 0, FRAMES)
        data[entries[1].end - 1] ^= 1
        data[entries[-1].end - 1] ^= 1
        saved = tmp_path / "saved.dnv"
        repair = repair_clip(BytesSource(bytes(data)), saved)
        assert (repair.frames, repair.frames_lost) == (FRAMES, 0)
        lost = sum(e.end - e.offset for e in (entries[1], entries[-1]))
        assert lost <= repair.bytes_lost <= lost + TRAILER.size
        assert "2 damaged ancillary chunks are left out" in repair.reason
        with FileSource(saved) as opened:
            kept = sound_entries(Reader(opened).directory, 0, FRAMES)
        assert [e.first for e in kept] == [e.first for e in entries if e not in (entries[1], entries[-1])]

    def test_a_chunk_of_sound_whose_length_is_damaged_ends_the_repair(self, tmp_path: Path) -> None:
        data = bytearray(clip_bytes(*clip_parts()))
        entry = sound_entries(Reader(BytesSource(bytes(data))).directory, 0, FRAMES)[1]
        data[entry.offset + 20] ^= 1  # the stored length
        repair = repair_clip(BytesSource(bytes(data)), tmp_path / "saved.dnv")
        assert repair.frames == 14
        assert "soun chunk" in repair.reason

    def test_a_file_cut_within_sound_keeps_the_frames_before(self, tmp_path: Path) -> None:
        data = clip_bytes(*clip_parts())
        entry = sound_entries(Reader(BytesSource(data)).directory, 0, FRAMES)[1]
        repair = repair_clip(BytesSource(data[: entry.end - 3]), tmp_path / "saved.dnv")
        assert repair.frames == 14
        _, found = timeline(tmp_path / "saved.dnv")
        assert found[-1][0] == 7 * 1600 - 1


def test_sound_is_stored_as_it_is() -> None:
    header, chunks = clip_parts()
    quiet = [chunk if chunk.kind != b"soun" else replace(chunk, payload=_compressible()) for chunk in chunks]
    reader = Reader(BytesSource(clip_bytes(header, quiet)))
    assert {entry.codec for entry in reader.directory if entry.kind == b"soun"} == {0}


def _compressible() -> bytes:
    return pack_sound(SoundPackets(1, 0, 960, (b"\xf8" + bytes(1000),)))
