"""The fuzzing harness itself: it accepts what is good, mends what it should, its seeds raise nothing else."""

from __future__ import annotations

from dynerf_format import clip_bytes
from fuzz.fuzz_format import FILE, MENDED, TENSORS, mended, one_input, seeds
from support.clips import smallest, two_segments

SMALL = clip_bytes(*smallest())


def test_every_seed_is_accepted_or_refused() -> None:
    accepted = [one_input(seed) for seed in seeds()]
    assert 20 < sum(accepted) < len(accepted)


def test_mending_makes_all_checksums_right_and_changes_nothing_else() -> None:
    for data in (SMALL, clip_bytes(*two_segments())):
        assert mended(data) == data
        broken = bytearray(data)
        broken[-20] ^= 1  # of the trailer's digest
        broken[30] ^= 1  # of the file's length
        broken[36] ^= 1  # of the head's checksum
        assert mended(bytes(broken)) == data


def test_a_change_of_a_payload_reaches_its_decoder_only_when_mended() -> None:
    broken = bytearray(SMALL)
    place = SMALL.index(b"density.bias")
    broken[place : place + 7] = b"DENSITY"
    assert not one_input(FILE + bytes(broken))
    assert one_input(MENDED + bytes(broken))
    assert not one_input(TENSORS + b"\1\0\0\0")
