"""Bounded zstd: only the declared length is accepted, whatever the frame states."""

from __future__ import annotations

import contextlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from dynerf_format import FormatError
from dynerf_format.container.compression import RAW, ZSTD, compress, decompress
from support.clips import QUICK

ZEROS = bytes(1 << 16)


def frame(payload: bytes, write_content_size: bool = True) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=write_content_size).compress(payload)


@QUICK
@given(st.binary(max_size=300).map(lambda block: block * 5))
def test_compression_round_trips(payload: bytes) -> None:
    codec, stored = compress(payload)
    assert decompress(codec, stored, len(payload)) == payload


def test_the_smaller_codec_is_used() -> None:
    assert compress(b"short") == (RAW, b"short")
    codec, stored = compress(ZEROS)
    assert codec == ZSTD
    assert len(stored) < 100


def test_a_payload_larger_than_the_window_can_be_read() -> None:
    payload = bytes(9 << 20)
    codec, stored = compress(payload)
    assert decompress(codec, stored, len(payload)) == payload


@pytest.mark.parametrize("declared", [0, 1, len(ZEROS) - 1, len(ZEROS) + 1, 2**32])
def test_a_frame_of_another_size_than_declared_is_refused(declared: int) -> None:
    with pytest.raises(FormatError, match=f"frame of {len(ZEROS)} bytes, {declared} declared"):
        decompress(ZSTD, frame(ZEROS), declared)


def test_a_frame_without_its_size_is_refused() -> None:
    with pytest.raises(FormatError, match="declared"):
        decompress(ZSTD, frame(ZEROS, write_content_size=False), len(ZEROS))


def test_a_truncated_frame_is_refused() -> None:
    stored = compress(bytes(range(256)) * 64)[1]
    for length in range(len(stored)):
        with pytest.raises(FormatError):
            decompress(ZSTD, stored[:length], 256 * 64)


@pytest.mark.parametrize("extra", [b"\0", frame(b"second"), b"\x50\x2a\x4d\x18\0\0\0\0"])
def test_bytes_after_the_frame_are_refused(extra: bytes) -> None:
    with pytest.raises(FormatError):
        decompress(ZSTD, frame(ZEROS) + extra, len(ZEROS))


def test_a_skippable_frame_is_not_data() -> None:
    with pytest.raises(FormatError, match="does not start with a frame"):
        decompress(ZSTD, b"\x50\x2a\x4d\x18\x04\0\0\0abcd", 4)


def test_a_window_beyond_8_mib_is_refused() -> None:
    large = zstandard.ZstdCompressionParameters(window_log=25)
    stored = zstandard.ZstdCompressor(compression_params=large).compress(bytes(1 << 26))
    with pytest.raises(FormatError, match="window"):
        decompress(ZSTD, stored, 1 << 26)


def test_a_frame_that_needs_a_dictionary_is_refused() -> None:
    words = zstandard.train_dictionary(1024, [bytes([i, i // 2] * 50) + b"words" * i for i in range(200)])
    stored = zstandard.ZstdCompressor(dict_data=words).compress(ZEROS)
    with pytest.raises(FormatError, match="dictionary"):
        decompress(ZSTD, stored, len(ZEROS))


def test_a_flipped_bit_in_a_frame_is_detected() -> None:
    payload = bytes(range(256)) * 8
    stored = compress(payload)[1]
    for position in range(len(stored) * 8):
        broken = bytearray(stored)
        broken[position // 8] ^= 1 << position % 8
        # The frame's own checksum is a second check besides that of the chunk.
        with contextlib.suppress(FormatError):
            assert decompress(ZSTD, bytes(broken), len(payload)) == payload


def test_raw_bytes_must_have_the_declared_length() -> None:
    assert decompress(RAW, b"abc", 3) == b"abc"
    with pytest.raises(FormatError, match="3 bytes stored, 4 declared"):
        decompress(RAW, b"abc", 4)


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(FormatError, match="codec 9 is unknown"):
        decompress(9, b"abc", 3)
