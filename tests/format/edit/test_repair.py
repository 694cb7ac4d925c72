"""Repair: the intact chunks before the damage become a clip; the damaged file is not modified."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from dynerf_format import (
    BytesSource,
    FileSource,
    FormatError,
    Reader,
    Repair,
    ancillary_chunk,
    clip_bytes,
    repair_clip,
    write_clip,
)
from support.clips import layered, smallest, two_segments

if TYPE_CHECKING:
    from pathlib import Path

TWO = clip_bytes(*two_segments())
LAYERED = clip_bytes(*layered())
DIRECTORY = Reader(BytesSource(TWO)).directory


def repaired(data: bytes, folder: Path) -> tuple[Repair, bytes]:
    path = folder / "saved.dnv"
    repair = repair_clip(BytesSource(data, "broken.dnv"), path)
    return repair, path.read_bytes()


@pytest.mark.parametrize("data", [TWO, LAYERED], ids=["segments", "layers"])
def test_a_file_cut_anywhere_is_repaired_or_refused(data: bytes, tmp_path: Path) -> None:
    intact = Reader(BytesSource(data))
    expected = intact.latents(0, intact.header.frames)
    second = intact.directory[2 if data is TWO else 1].end  # the first chunk of latents
    for length in range(0, len(data), 7 if data is TWO else 131):
        if length < second:
            with pytest.raises(FormatError, match=r"^broken\.dnv: cannot be repaired: "):
                repaired(data[:length], tmp_path)
            continue
        repair, recovered = repaired(data[:length], tmp_path)
        reader = Reader(BytesSource(recovered))
        reader.verify()
        groups = [e for e in intact.directory if e.kind == b"LATN" and e.end <= length]
        assert repair.frames == reader.header.frames <= intact.header.frames
        assert 0 < repair.frames <= sum(group.count for group in groups)
        assert np.array_equal(reader.latents(0, repair.frames), expected[: repair.frames])


def test_an_intact_file_is_reproduced(tmp_path: Path) -> None:
    repair, recovered = repaired(TWO, tmp_path)
    assert recovered == TWO
    assert (repair.chunks, repair.frames, repair.frames_lost, repair.bytes_lost) == (9, 8, 0, 0)
    assert repair.reason == "all chunks are intact"


def test_the_weights_have_the_recovered_layers(tmp_path: Path) -> None:
    intact = Reader(BytesSource(LAYERED))
    cut = intact.directory[-1].end - 1
    repair, recovered = repaired(LAYERED[:cut], tmp_path)
    assert (repair.frames_lost, repair.chunks) == (0, 3)
    assert repair.bytes_lost == intact.directory[-1].end - intact.directory[-1].offset
    assert "extends beyond the end of the file" in repair.reason
    reader = Reader(BytesSource(recovered))
    assert reader.layers(0) == 2
    for name, tensor in intact.weights(0, 2).items():
        assert np.array_equal(reader.weights(0)[name].symbols, tensor.symbols)


def test_chunks_before_the_damage_need_no_directory(tmp_path: Path) -> None:
    broken = bytearray(TWO)
    broken[DIRECTORY[0].offset - 100 : DIRECTORY[0].offset] = bytes(100)
    assert repaired(bytes(broken), tmp_path)[1] == TWO
    broken[DIRECTORY[4].end - 1] ^= 1
    repair, recovered = repaired(bytes(broken), tmp_path)
    assert (repair.chunks, repair.frames, repair.frames_lost) == (4, 4, 4)
    assert (
        repair.reason == f"LATN chunk at byte {DIRECTORY[4].offset} is damaged: its checksum does not match"
    )
    assert Reader(BytesSource(recovered)).header.segments[0].frames == 4


def test_bytes_appended_to_a_file_are_dropped(tmp_path: Path) -> None:
    assert repaired(TWO + b"and more", tmp_path)[1] == TWO


@pytest.mark.parametrize(
    ("position", "message"), [(20, "the head is damaged"), (60, "the header is damaged")]
)
def test_a_damaged_head_or_header_cannot_be_repaired(position: int, message: str, tmp_path: Path) -> None:
    broken = bytearray(TWO)
    broken[position] ^= 1
    with pytest.raises(FormatError, match=f"^broken.dnv: cannot be repaired: {message}"):
        repaired(bytes(broken), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_damaged_file_is_only_read(tmp_path: Path) -> None:
    path = tmp_path / "broken.dnv"
    path.write_bytes(TWO[:-50])
    with FileSource(path) as source:
        repair_clip(source, tmp_path / "saved.dnv")
    assert path.read_bytes() == TWO[:-50]


def test_a_clip_of_one_frame_is_repaired_without_its_trailer(tmp_path: Path) -> None:
    header, chunks = smallest()
    data = clip_bytes(replace(header, generator="another"), chunks)
    assert repaired(data[:-36], tmp_path)[1] == data


def test_a_long_file_is_not_held_in_memory(tmp_path: Path) -> None:
    header, chunks = smallest()
    padding = [ancillary_chunk(b"xtra", 0, np.random.default_rng(n).bytes(1 << 20)) for n in range(12)]
    write_clip(tmp_path / "long.dnv", header, [*chunks, *padding])
    expected = (tmp_path / "long.dnv").read_bytes()
    (tmp_path / "long.dnv").write_bytes(expected[:-10])
    with FileSource(tmp_path / "long.dnv") as source:
        tracemalloc.start()
        repair_clip(source, tmp_path / "saved.dnv")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (tmp_path / "saved.dnv").read_bytes() == expected
    assert peak < 6 << 20
