"""Forged files with valid checksums that break one rule: each is refused for that rule, at little cost."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
import zstandard

from dynerf_format import (
    BytesSource,
    FormatError,
    LimitError,
    Limits,
    QuantisedTensor,
    Reader,
    TruncatedError,
    VersionError,
    clip_bytes,
    encode_header,
    pack_tensors,
)
from dynerf_format.layout import TRAILER
from support.clips import ForgedChunk, forge, forged_chunks, small_header, smallest, tensor, two_segments

HEADER = encode_header(smallest()[0])
WEIGHTS, LATENTS = forged_chunks(smallest()[1])


def read_all(data: bytes, limits: Limits | None = None) -> None:
    Reader(BytesSource(data), limits or Limits()).verify()


def test_the_forged_example_is_valid_by_default() -> None:
    assert forge(HEADER, [WEIGHTS, LATENTS]) == clip_bytes(*smallest())


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ((2, 0), r"written in format version 2\.0, this reader supports 1\.0; a newer dynerf is needed"),
        ((255, 255), r"version 255\.255, this reader supports 1\.0"),
        ((0, 9), r"version 0\.9, this reader supports 1\.0"),
    ],
)
def test_another_major_version_is_refused(version: tuple[int, int], message: str) -> None:
    with pytest.raises(VersionError, match=message):
        read_all(forge(HEADER, [WEIGHTS, LATENTS], version=version))


def test_a_newer_minor_version_is_read() -> None:
    read_all(forge(HEADER, [WEIGHTS, LATENTS], version=(1, 255)))


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(VersionError, match="flags 0x0100"):
        read_all(forge(HEADER, [WEIGHTS, LATENTS], flags=0x100))


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ({"header_length": 2**32 - 1}, LimitError, "header of 4294967295 bytes, at most 1048576"),
        ({"directory_length": 2**32 - 16}, LimitError, "directory of 4294967280 bytes"),
        ({"directory_length": 41}, FormatError, "expected a multiple of 40"),
        ({"directory_length": 16_000_000}, FormatError, "do not fit"),
        ({"header_length": 1_000_000}, FormatError, "do not fit"),
        ({"header_length": 0}, FormatError, "the header is damaged"),
        ({"directory_length": 0}, FormatError, "the directory is damaged"),
        ({"header_crc32": 1}, FormatError, "the header is damaged"),
        ({"directory_crc32": 1}, FormatError, "the directory is damaged"),
        ({"file_length": 2**63}, TruncatedError, "of 9223372036854775808 bytes are present"),
        ({"file_length": 0}, FormatError, "do not fit"),
        ({"file_length": 900}, FormatError, "follow the end"),
    ],
)
def test_an_invalid_head_is_refused(lengths: dict[str, int], error: type[FormatError], message: str) -> None:
    with pytest.raises(error, match=message):
        read_all(forge(HEADER, [WEIGHTS, LATENTS], lengths=lengths))


@pytest.mark.parametrize(
    ("chunks", "error", "message"),
    [
        pytest.param(
            [replace(WEIGHTS, offset_error=-1), LATENTS], FormatError, "follow each other", id="overlap"
        ),
        pytest.param([WEIGHTS, replace(LATENTS, offset_error=1)], FormatError, "follow each other", id="gap"),
        pytest.param(
            [WEIGHTS, replace(LATENTS, stored_length=31, decoded_length=31)],
            FormatError,
            "chunks end at byte",
            id="hidden bytes at the end",
        ),
        pytest.param(
            [WEIGHTS, replace(LATENTS, stored_length=2**32 - 1, decoded_length=2**32 - 1)],
            LimitError,
            "decodes to 4294967295",
            id="4 GiB raw",
        ),
        pytest.param(
            [WEIGHTS, replace(LATENTS, stored_length=2**30, decoded_length=2**30)],
            FormatError,
            "chunks end at byte",
            id="beyond the file",
        ),
        pytest.param(
            [replace(WEIGHTS, decoded_length=36), LATENTS], FormatError, "raw, but", id="raw lengths"
        ),
        pytest.param(
            [replace(WEIGHTS, codec=1), LATENTS], FormatError, "zstd, but not smaller", id="zstd grew"
        ),
        pytest.param([replace(WEIGHTS, codec=2), LATENTS], VersionError, "codec 2 is unknown", id="codec"),
        pytest.param([replace(WEIGHTS, kind=b"WG\0T"), LATENTS], FormatError, "chunk kind", id="kind"),
        pytest.param(
            [WEIGHTS, LATENTS, ForgedChunk(b"NEWS")], VersionError, "cannot be skipped", id="critical"
        ),
        pytest.param([], FormatError, "segment 0: its weights are missing", id="no chunks"),
        pytest.param([LATENTS], FormatError, "segment 0: its weights are missing", id="no weights"),
        pytest.param([WEIGHTS], FormatError, "latents of frame 0 are missing", id="no latents"),
        pytest.param([WEIGHTS, WEIGHTS, LATENTS], FormatError, "latents of frame 0", id="weights twice"),
        pytest.param([WEIGHTS, LATENTS, LATENTS], FormatError, "occurs twice", id="latents twice"),
        pytest.param([WEIGHTS, replace(LATENTS, count=0)], FormatError, "0 frames from 0", id="no frames"),
        pytest.param(
            [WEIGHTS, replace(LATENTS, count=2)], FormatError, "2 frames from 0", id="too many frames"
        ),
        pytest.param(
            [WEIGHTS, replace(LATENTS, first=1)], FormatError, "latents of frame 0", id="wrong frame"
        ),
        pytest.param(
            [WEIGHTS, replace(LATENTS, segment=1)], FormatError, "latents of frame 0", id="wrong segment"
        ),
        pytest.param(
            [replace(WEIGHTS, first=1), LATENTS], FormatError, "segment 0 builds on 1 segments", id="first"
        ),
        pytest.param(
            [replace(WEIGHTS, layer=1), LATENTS], FormatError, "its weights are missing", id="layer"
        ),
        pytest.param(
            [replace(WEIGHTS, count=2), LATENTS], FormatError, "1 tensors, the directory", id="count"
        ),
    ],
)
def test_an_invalid_directory_is_refused(
    chunks: list[ForgedChunk], error: type[FormatError], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_all(forge(HEADER, chunks))


def test_a_trailer_without_its_tag_is_refused() -> None:
    body = clip_bytes(*smallest())[: -TRAILER.size]
    digest = hashlib.sha256(body + b"tail").digest()
    with pytest.raises(FormatError, match="SHA-256"):
        read_all(body + TRAILER.pack(b"tail", digest))


def test_bytes_between_directory_and_chunks_are_refused() -> None:
    with pytest.raises(FormatError, match="follow each other"):
        read_all(forge(HEADER, [WEIGHTS, LATENTS], gap=b"hidden"))


def test_segments_in_another_order_are_refused() -> None:
    header, chunks = two_segments()
    forged = forged_chunks(chunks)
    swapped = [c for c in forged if c.segment == 1] + [c for c in forged if c.segment == 0]
    with pytest.raises(FormatError, match="segment 0: its weights are missing or out of order"):
        read_all(forge(encode_header(header), swapped))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ([tensor("latents", [[1, 2], [3, 4]])], r"shape \(2, 2\), expected \(1, D\)"),
        ([tensor("latents", [1])], r"shape \(1,\), expected \(1, D\)"),
        ([tensor("codes", [[1]])], "expected only 'latents'"),
        ([tensor("latents", [[1]]), tensor("more", [[1]])], "expected only 'latents'"),
        ([], "expected only 'latents'"),
    ],
)
def test_latents_of_another_shape_or_name_are_refused(tensors: list[QuantisedTensor], message: str) -> None:
    payload = pack_tensors(tensors)
    data = forge(HEADER, [WEIGHTS, replace(LATENTS, body=payload)])
    with pytest.raises(FormatError, match=message):
        Reader(BytesSource(data)).latents(0, 1)
    with pytest.raises(FormatError, match=message):
        read_all(data)


def bomb(content: int, declared: int) -> bytes:
    """A clip whose weights are a zstd frame of ``content`` zeros, with another length in the directory."""
    frame = zstandard.ZstdCompressor().compress(bytes(content))
    return forge(HEADER, [replace(WEIGHTS, codec=1, body=frame, decoded_length=declared), LATENTS])


def test_a_zstd_bomb_is_refused_by_what_it_declares() -> None:
    with pytest.raises(LimitError, match="decodes to 33554432 bytes, 1048576 allowed"):
        read_all(bomb(1 << 25, 1 << 25), Limits(chunk_bytes=1 << 20))


def test_a_zstd_bomb_that_declares_less_is_refused_by_its_frame() -> None:
    with pytest.raises(FormatError, match="frame of 33554432 bytes, 100000 declared"):
        read_all(bomb(1 << 25, 100_000))


def test_an_entry_of_another_clip_is_refused() -> None:
    reader = Reader(BytesSource(clip_bytes(*smallest())))
    foreign = Reader(BytesSource(clip_bytes(*two_segments()))).directory[0]
    with pytest.raises(FormatError):
        reader.read_chunk(foreign)


# Runs in a separate process, because peak memory is measured per process.
MEMORY_CHECK = """
    import struct, sys, zstandard
    sys.path[:0] = {path!r}
    from dataclasses import replace
    from dynerf_format import BytesSource, FormatError, Reader, encode_header
    from dynerf_format.coding.byte_reader import pack_varint
    from support.clips import forge, forged_chunks, smallest
    from support.peak_memory import peak_memory

    HEADER, (WEIGHTS, LATENTS) = encode_header(smallest()[0]), forged_chunks(smallest()[1])

    def frame_of(size):
        return b"\\x28\\xb5\\x2f\\xfd\\xe0" + struct.pack("<Q", size) + b"\\x01\\0\\0"

    def tensor_of(*extents, coding=1):
        head = bytes([1, coding, 0, 1]) + b"t" + bytes([len(extents)])
        return head + b"".join(map(pack_varint, extents)) + struct.pack("<f", 1) + bytes(64)

    files = [
        forge(HEADER, [WEIGHTS, LATENTS], lengths={{'header_length': 2**32 - 1}}),
        forge(HEADER, [WEIGHTS, LATENTS], lengths={{'directory_length': 2**32 - 16}}),
        forge(HEADER, [WEIGHTS, LATENTS], lengths={{'file_length': 2**63}}),
        forge(HEADER, [replace(WEIGHTS, stored_length=2**30, decoded_length=2**30), LATENTS]),
        forge(HEADER, [replace(WEIGHTS, codec=1, body=frame_of(2**46), decoded_length=2**30), LATENTS]),
        forge(HEADER, [replace(WEIGHTS, codec=1, body=frame_of(2**30), decoded_length=2**32 - 1), LATENTS]),
        forge(HEADER, [replace(WEIGHTS, body=tensor_of(2**28)), LATENTS]),
        forge(HEADER, [replace(WEIGHTS, body=tensor_of(2**31, 2**31)), LATENTS]),
        forge(HEADER, [replace(WEIGHTS, body=tensor_of(2**27, coding=17)), LATENTS]),
        forge(HEADER, [replace(WEIGHTS, body=pack_varint(2**32 - 1) + bytes(64)), LATENTS]),
        forge(b"\\xdf\\xff\\xff\\xff\\xff", [WEIGHTS, LATENTS]),
        forge(b"\\xdd\\xff\\xff\\xff\\xff", [WEIGHTS, LATENTS]),
        forge(b"\\xdd\\0\\x0f\\xff\\0" + b"\\x80" * 0xfff00, [WEIGHTS, LATENTS]),
    ]
    Reader(BytesSource(forge(HEADER, [WEIGHTS, LATENTS]))).verify()  # loads what readers need
    before = peak_memory()
    for number, data in enumerate(files):
        try:
            Reader(BytesSource(data)).verify()
        except FormatError:
            continue
        sys.exit(f"file {{number}} was accepted")
    grown = peak_memory() - before
    sys.exit(f"memory grew by {{grown}} KiB" if grown > 32 * 1024 else 0)
"""


def test_declared_sizes_allocate_no_memory() -> None:
    code = textwrap.dedent(MEMORY_CHECK).format(path=sys.path)
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr


def test_a_directory_of_thousands_of_entries_is_checked_in_reasonable_time() -> None:
    note = ForgedChunk(b"note")
    reader = Reader(BytesSource(forge(HEADER, [WEIGHTS, LATENTS] + [note] * 20_000)))
    assert len(reader.directory) == 20_002


def test_a_header_that_contradicts_the_directory_is_refused() -> None:
    with pytest.raises(FormatError, match="latents of frame 1 are missing"):
        read_all(forge(encode_header(small_header((2,))), [WEIGHTS, LATENTS]))
