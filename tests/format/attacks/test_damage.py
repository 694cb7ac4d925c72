"""Accidental damage: truncated, flipped or appended data is detected, other kinds of file are recognised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from dynerf_format import (
    BytesSource,
    ChecksumError,
    FormatError,
    NotDnvError,
    Reader,
    TruncatedError,
    clip_bytes,
)
from support.clips import smallest, two_segments

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = clip_bytes(*smallest())
LARGER = clip_bytes(*two_segments())


def read_all(data: bytes) -> None:
    Reader(BytesSource(data, "clip.dnv")).verify()


@pytest.mark.parametrize("data", [SMALL, LARGER], ids=["raw", "zstd"])
def test_truncation_at_any_byte_is_detected_on_opening(data: bytes) -> None:
    for length in range(1, len(data)):
        with pytest.raises(TruncatedError, match=r"^clip\.dnv: "):
            Reader(BytesSource(data[:length], "clip.dnv"))


def flipped(data: bytes, position: int) -> bytes:
    broken = bytearray(data)
    broken[position // 8] ^= 1 << position % 8
    return bytes(broken)


def is_refused(action: Callable[[bytes], object], data: bytes) -> bool:
    try:
        action(data)
    except FormatError:
        return True
    return False


def test_every_single_flipped_bit_is_detected() -> None:
    unnoticed = [p for p in range(len(SMALL) * 8) if not is_refused(read_all, flipped(SMALL, p))]
    assert not unnoticed


def test_every_flipped_bit_before_the_chunks_is_detected_on_opening() -> None:
    start = Reader(BytesSource(SMALL)).directory[0].offset
    unnoticed = [
        position
        for position in range(start * 8)
        if not is_refused(lambda data: Reader(BytesSource(data)), flipped(SMALL, position))
    ]
    assert not unnoticed


def test_flipped_bits_in_compressed_chunks_are_detected_before_decoding() -> None:
    reader = Reader(BytesSource(LARGER))
    start, end = reader.directory[0].offset, reader.directory[0].end
    for position in np.random.default_rng(0).integers(start * 8, end * 8, 500).tolist():
        with pytest.raises(ChecksumError, match=r"WGHT chunk at byte \d+ is damaged"):
            Reader(BytesSource(flipped(LARGER, position))).weights(0)


@pytest.mark.parametrize("extra", [b"\0", b"\n", SMALL])
def test_bytes_after_the_end_are_detected(extra: bytes) -> None:
    with pytest.raises(FormatError, match=f"{len(extra)} bytes follow the end"):
        read_all(SMALL + extra)


def test_swapped_chunks_are_detected() -> None:
    reader = Reader(BytesSource(LARGER))
    one, other = (e for e in reader.directory if e.kind == b"note")
    swapped = bytearray(LARGER)
    swapped[one.offset : one.end] = LARGER[other.offset : other.end]
    with pytest.raises(ChecksumError, match=r"note chunk .* its head differs from the directory"):
        read_all(bytes(swapped))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "an empty file"),
        (b"\0\0\0\x20ftypisom\0\0", "an MP4 or QuickTime video"),
        (b"\x1aE\xdf\xa3\x01", "a Matroska or WebM video"),
        (b"\x89PNG\r\n\x1a\n\0", "a PNG picture"),
        (b"\xff\xd8\xff\xe0JFIF", "a JPEG picture"),
        (b"PK\x03\x04rest", "a ZIP archive"),
        (b"\x80\x02}q\x00.", "a Python pickle"),
        (b"\x1f\x8b\x08\0", "a gzip file"),
        (b"<!DOCTYPE html><title>404", "a web page"),
        (b'{"frames": 3}', "a JSON file"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
        ("just some words, häufig".encode(), "a text file"),
        (("ä" * 300).encode()[:511], "a text file"),
        (b"\0" * 4096, "a file of zeros"),
        (b"\x01\x02\xfe\xff", "an unknown kind of file"),
        (SMALL.replace(b"\r\n", b"\n"), "a .dnv file damaged by a transfer in text mode"),
        (SMALL.replace(b"\n", b"\r\n"), "a .dnv file damaged by a transfer in text mode"),
        (bytes(byte & 0x7F for byte in SMALL), "a .dnv file damaged by a transfer in text mode"),
    ],
)
def test_another_kind_of_file_is_recognised(data: bytes, kind: str) -> None:
    with pytest.raises(NotDnvError) as caught:
        Reader(BytesSource(data, "clip.dnv"))
    assert str(caught.value).startswith(f"clip.dnv: not a .dnv file: this looks like {kind}")
