"""The sample files in ``format/vectors`` and the example in ``format/SPEC.md``: pinned byte by byte.

Files of released versions are never removed. To add one, add its function here and its hashes, which the
failing test prints, to ``vectors.json``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack  # type: ignore[import-untyped]
import numpy as np
import pytest
import zstandard

import dynerf_format
from dynerf_format import BytesSource, CellGrid, FileSource, FormatError, Reader, clip_bytes, encode_header
from support.clips import (
    ForgedChunk,
    coded_payload,
    continued,
    cut_waves,
    forge,
    forged_chunks,
    hex_dump,
    layered,
    mixed,
    repository,
    smallest,
    two_segments,
    wide_symbols,
)
from support.plain_decoder import FieldReader, records

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT = repository(Path(__file__)) / "format"
VECTORS = FORMAT / "vectors"
EXPECTED: dict[str, Any] = json.loads((VECTORS / "vectors.json").read_text())
SMALL = clip_bytes(*smallest())
HEADER = encode_header(smallest()[0])
WEIGHTS, LATENTS = forged_chunks(smallest()[1])


def newer_minor() -> bytes:
    """A possible file of version 1.7: another key, another ancillary kind and codec, a refinement layer."""
    fields = msgpack.unpackb(HEADER) | {"added_in_1_7": {"anything": [1, 2.5, "x"]}}
    note = ForgedChunk(b"news", codec=7, body=b"in a codec of 1.7", decoded_length=99)
    finer = ForgedChunk(b"WGHT", layer=1, codec=7, body=b"finer weights", decoded_length=99)
    return forge(msgpack.packb(fields), [WEIGHTS, LATENTS, note, finer], version=(1, 7))


def not_a_number() -> bytes:
    """A camera whose focal length is NaN."""
    fields = msgpack.unpackb(HEADER)
    fields["cameras"][0]["focal_x"] = float("nan")
    return forge(msgpack.packb(fields), [WEIGHTS, LATENTS])


REFINEMENT = ForgedChunk(b"WGHT", layer=1, body=coded_payload(factor=3))
BEYOND = ForgedChunk(b"WGHT", layer=1, body=b"\1\0\1" + coded_payload(factor=3)[3:])  # tensor 1 of 1
ONE, SMOOTH = (16384,), bytes([192 + 8, 0, 1])  # tables of one token, which take no bits


def with_weights(payload: bytes) -> bytes:
    """The smallest clip with another payload of its weights."""
    return forge(HEADER, [replace(WEIGHTS, body=payload), LATENTS])


def changed(index: int, value: int) -> bytes:
    """The smallest clip with one byte of its weights replaced."""
    payload = bytearray(coded_payload())
    payload[index] = value
    return with_weights(bytes(payload))


def continues_nothing() -> bytes:
    """A tensor of a key segment that claims to be continued."""
    return changed(1, 8)


def flipped_bit() -> bytes:
    broken = bytearray(SMALL)
    broken[Reader(BytesSource(SMALL)).directory[1].end - 1] ^= 1
    return bytes(broken)


# A zstd frame of 64 zero bytes, written out because another libzstd may choose other bytes.
FRAME_OF_64_ZEROS = bytes.fromhex("28b52ffd 2040 45000010000001009300 16")

# A frame that states 2 MiB.
FRAME_OF_TOO_MUCH = bytes.fromhex("28b52ffd a0 00002000 45000010000001009300 16")
# The header of the smallest clip in a frame of one raw block.
FRAME_OF_HEADER = (
    bytes.fromhex("28b52ffd a0") + len(HEADER).to_bytes(4, "little")
    + (len(HEADER) << 3 | 1).to_bytes(3, "little") + HEADER
)  # fmt: skip

# 8 cells of which two are occupied for the coarse field, 27 for the fine one.
GRIDS = bytes([1, 2, 0, 3, 0, 0x81, 0x0A, 0x02, 0x00, 0x04])


def with_header(stored: bytes) -> bytes:
    """The smallest clip with a header that is flagged as a frame."""
    return forge(stored, [WEIGHTS, LATENTS], flags=1)


def with_grids(payload: bytes) -> bytes:
    """The smallest clip with an ``occu`` chunk."""
    return forge(HEADER, [WEIGHTS, LATENTS, ForgedChunk(b"occu", body=payload)])


GOOD: dict[str, Callable[[], bytes]] = {
    "continued.dnv": lambda: clip_bytes(*continued()),
    "cut_waves.dnv": lambda: clip_bytes(*cut_waves()),
    "framed_header.dnv": lambda: with_header(FRAME_OF_HEADER),
    "layered.dnv": lambda: clip_bytes(*layered()),
    "mixed_tables.dnv": lambda: clip_bytes(*mixed()),
    "newer_minor.dnv": newer_minor,
    "occupancy.dnv": lambda: with_grids(GRIDS),
    "smallest.dnv": lambda: clip_bytes(*smallest()),
    "two_segments.dnv": lambda: clip_bytes(*two_segments()),
    "wide_symbols.dnv": lambda: clip_bytes(*wide_symbols()),
}
BAD: dict[str, Callable[[], bytes]] = {
    "builds_on_nothing.dnv": lambda: forge(HEADER, [replace(WEIGHTS, first=1), LATENTS]),
    "continues_nothing.dnv": continues_nothing,
    "empty.dnv": lambda: b"",
    "flipped_bit.dnv": flipped_bit,
    "header_large.dnv": lambda: with_header(FRAME_OF_TOO_MUCH),
    "header_no_frame.dnv": lambda: with_header(HEADER),
    "header_trailing.dnv": lambda: with_header(FRAME_OF_HEADER + b"\0"),
    "header_zeros.dnv": lambda: with_header(FRAME_OF_64_ZEROS),
    "layer_missing.dnv": lambda: forge(HEADER, [WEIGHTS, LATENTS, replace(REFINEMENT, layer=2)]),
    "newer_major.dnv": lambda: forge(HEADER, [WEIGHTS, LATENTS], version=(2, 0)),
    "name_shared.dnv": lambda: changed(2, 1),
    "not_a_number.dnv": not_a_number,
    "occupancy_bits.dnv": lambda: with_grids(GRIDS[:-1] + b"\x08"),
    "occupancy_size.dnv": lambda: with_grids(bytes([1, 1, 1, 0, 0]) + bytes(64)),
    "occupancy_short.dnv": lambda: with_grids(GRIDS[:-1]),
    "overlap.dnv": lambda: forge(HEADER, [WEIGHTS, replace(LATENTS, offset_error=-8)]),
    "rans_end.dnv": lambda: with_weights(coded_payload(words=(0,))),
    "rans_short.dnv": lambda: with_weights(coded_payload(tables=((8192, 8192),))),
    "rans_table.dnv": lambda: with_weights(coded_payload(tables=((16383,),))),
    "rans_work.dnv": lambda: with_weights(coded_payload(shape=(2**20,))),
    "rank_high.dnv": lambda: changed(5, 9),
    "refines_nothing.dnv": lambda: forge(HEADER, [WEIGHTS, LATENTS, BEYOND]),
    "rows_many.dnv": lambda: with_weights(coded_payload((4097, 8), (ONE, SMOOTH), model=3)),
    "rows_one_table.dnv": lambda: with_weights(coded_payload((2, 2), (SMOOTH,), model=3)),
    "rows_table.dnv": lambda: with_weights(coded_payload((2, 2), (SMOOTH, ONE), model=3)),
    "smooth_shape.dnv": lambda: with_weights(coded_payload(tables=(bytes([225, 0, 1]),))),
    "smooth_tokens.dnv": lambda: with_weights(coded_payload(tables=(bytes([200, 0, 193]),))),
    "table_of_none.dnv": lambda: with_weights(coded_payload(tables=())),
    "table_beyond.dnv": lambda: with_weights(
        coded_payload((8, 60, 60), (ONE, SMOOTH), 1, context_map=bytes([0] * 67 + [2]))
    ),
    "tensors_many.dnv": lambda: with_weights(b"\x81\x20" + coded_payload()[1:]),
    "text_mode.dnv": lambda: SMALL.replace(b"\r\n", b"\n"),
    "trailing.dnv": lambda: SMALL + b"\n",
    "truncated.dnv": lambda: SMALL[:-100],
    "unknown_critical.dnv": lambda: forge(HEADER, [WEIGHTS, LATENTS, ForgedChunk(b"NEWS")]),
    "varint_long.dnv": lambda: with_weights(b"\x81\0" + coded_payload()[1:]),
    "zstd_size.dnv": lambda: forge(
        HEADER, [replace(WEIGHTS, codec=1, body=FRAME_OF_64_ZEROS, decoded_length=1024), LATENTS]
    ),
}


def values(array: Any) -> dict[str, Any]:
    """Shape of a tensor and SHA-256 of its dequantised values as little-endian float32."""
    return {
        "shape": list(array.shape),
        "sha256": hashlib.sha256(array.astype("<f4").tobytes()).hexdigest(),
    }


def summary(path: Path) -> dict[str, Any]:
    """The entry of a good file in ``vectors.json``."""
    with FileSource(path) as source:
        clip = Reader(source)
        clip.verify()
        numbers = range(len(clip.header.segments))
        found: dict[str, Any] = {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "latents": values(clip.latents(0, clip.header.frames)),
            "weights": [weights(clip, number, clip.layers(number)) for number in numbers],
        }
        if (grids := clip.occupancy(0)) is not None:
            found["occupancy"] = {
                "layers": grids.layers,
                **{name: cells(grid) for name, grid in (("coarse", grids.coarse), ("fine", grids.fine))},
            }
        if clip.layers(0) > 1:
            found["coarser_weights"] = [
                [weights(clip, number, layers) for layers in range(1, clip.layers(number))]
                for number in numbers
            ]
        return found


def cells(grid: CellGrid | None) -> dict[str, Any] | None:
    """Cells a side, and the numbers of those that are occupied."""
    if grid is None:
        return None
    return {"size": grid.size, "occupied": np.flatnonzero(grid.cells()).tolist()}


def weights(clip: Reader, segment: int, layers: int) -> dict[str, Any]:
    """The values of a segment's weights in its first ``layers`` layers."""
    return {name: values(tensor.dequantise()) for name, tensor in clip.weights(segment, layers).items()}


def test_the_file_of_mixed_tables_covers_models_and_tables() -> None:
    found = []
    with FileSource(VECTORS / "mixed_tables.dnv") as source:
        clip = Reader(source)
        for entry in clip.directory[:3]:
            found += records(FieldReader(clip.read_chunk(entry)))
    coded = [one for one in found if one["coding"] == 0]
    assert {one["model"] for one in coded} == {0, 1, 3, 5, 6, 7}
    assert coded[0]["kinds"].split() == ["smooth", "counted", "counted", "counted"]
    assert len(set(coded[0]["map"])) == 4
    assert any(not one["tables"] for one in coded)  # tables of an earlier record
    assert [one["shape"][0] for one in found if one["name"] == "head.0.weight"] == [80]  # two rows per wave


def records_by_layer(name: str) -> list[list[dict[str, Any]]]:
    """The coded records of each chunk of weights of a file, with the largest symbol of their tensor."""
    found = []
    with FileSource(VECTORS / name) as source:
        clip = Reader(source)
        for entry in clip.directory:
            if entry.kind == b"WGHT":
                layers = clip.layered_weights(entry.segment)
                below = layers[entry.layer - 1] if entry.layer else {}
                symbols = {key: tensor.symbols for key, tensor in below.items()}
                found.append(records(FieldReader(clip.read_chunk(entry)), symbols or None))
                for one in found[-1]:
                    one["largest"] = int(np.abs(layers[entry.layer][one["name"]].symbols).max())
    return found


def test_the_file_of_cut_waves_cuts_those_of_every_model_of_planes() -> None:
    layers = records_by_layer("cut_waves.dnv")
    assert [[one["model"] for one in layer] for layer in layers] == [[1], [2], [4], [4]]
    (planes,) = layers[0]
    *others, height, width = planes["shape"]
    count = int(np.prod(others))
    texels = min(height, (width + 1) // 2)  # of the longest wave
    assert count * texels > 65536 >= 2 * count  # cut after more than one texel


def test_the_file_of_wide_symbols_covers_their_widths_and_continued_models() -> None:
    layers = records_by_layer("wide_symbols.dnv")
    assert [one["model"] for layer in layers for one in layer] == [1, 3, 2, 5, 2, 0, 4, 0, 4, 3, 4, 5]
    assert all(one["coding"] == 0 for layer in layers for one in layer)
    assert [[one["continued"] for one in layer] for layer in layers[3:]] == [[True, True]] * 3
    widest = [layer[0]["largest"] for layer in layers]
    assert widest[0] < 2**7 < widest[1] < 2**15 < widest[2] < 2**23


def test_all_files_are_listed() -> None:
    files = {path.name for path in VECTORS.glob("*.dnv")}
    assert files == set(GOOD) | set(BAD)
    assert files == set(EXPECTED["good"]) | set(EXPECTED["bad"])


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_good_file_reads_as_recorded(name: str) -> None:
    assert summary(VECTORS / name) == EXPECTED["good"][name]


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_file_is_refused_as_recorded(name: str) -> None:
    path = VECTORS / name
    assert hashlib.sha256(path.read_bytes()).hexdigest() == EXPECTED["bad"][name]["sha256"]
    with pytest.raises(FormatError) as caught, FileSource(path) as source:
        Reader(source).verify()
    assert type(caught.value) is getattr(dynerf_format, EXPECTED["bad"][name]["error"])


@pytest.mark.parametrize("name", sorted(GOOD | BAD))
def test_a_file_is_reproduced_byte_by_byte(name: str) -> None:
    if (
        name
        in (
            "continued.dnv",
            "cut_waves.dnv",
            "layered.dnv",
            "mixed_tables.dnv",
            "two_segments.dnv",
            "wide_symbols.dnv",
        )
        and list(zstandard.ZSTD_VERSION) != EXPECTED["libzstd"]
    ):
        pytest.skip("another libzstd finds other frames; the contents are compared elsewhere")
    assert (GOOD | BAD)[name]() == (VECTORS / name).read_bytes()


def test_the_specification_shows_the_bytes_that_the_code_writes() -> None:
    specification = (FORMAT / "SPEC.md").read_text()
    after = specification.partition("<!-- smallest.dnv -->\n```text\n")[2]
    assert after.partition("\n```")[0] == hex_dump(SMALL)
