"""Tests of the fuzzing harness: accepted and refused inputs, corrected checksums, seeds."""

from __future__ import annotations

from dynerf_format import clip_bytes
from fuzz.fuzz_format import CORRECTED, FILE, TENSORS, correct_checksums, one_input, seeds
from support.clips import smallest, two_segments

SMALL = clip_bytes(*smallest())


def test_every_seed_is_accepted_or_refused() -> None:
    accepted = [one_input(seed) for seed in seeds()]
    assert 20 < sum(accepted) < len(accepted)


def test_fixing_corrects_all_checksums_and_nothing_else() -> None:
    for data in (SMALL, clip_bytes(*two_segments())):
        assert correct_checksums(data) == data
        broken = bytearray(data)
        broken[-20] ^= 1  # of the trailer's digest
        broken[30] ^= 1  # of the file's length
        broken[36] ^= 1  # of the head's checksum
        assert correct_checksums(bytes(broken)) == data


def test_a_changed_payload_reaches_its_decoder_only_with_fixed_checksums() -> None:
    broken = bytearray(SMALL)
    position = SMALL.index(b"density.bias")
    broken[position : position + 7] = b"DENSITY"
    assert not one_input(FILE + bytes(broken))
    assert one_input(CORRECTED + bytes(broken))
    assert not one_input(TENSORS + b"\1\0\0\0")
