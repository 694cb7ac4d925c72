"""The planes coder: equal to the plain decoder, small, bounded in work, and strict about its bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynerf_format import FormatError, LimitError, TruncatedError
from dynerf_format.coding.binary_coder import POSITION, new_decoder
from dynerf_format.coding.mixing import ESTIMATE_BITS, RATES, SQUASH, STRETCH, STRETCHED_MAX
from dynerf_format.coding.planes_coder import (
    SYMBOLS_FREE,
    SYMBOLS_PER_BYTE,
    _code_all,
    decode_planes,
    encode_planes,
    fits_planes,
)
from dynerf_format.coding.side_information import SideInformation
from dynerf_format.layout import SYMBOL_MAX
from support import plain_planes
from support.clips import QUICK

ALONE = SideInformation()
SHAPE = (2, 2, 4, 7, 13)


def sparse_planes(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Mostly even planes with slopes, isolated symbols and the largest symbols of either sign."""
    generator = np.random.default_rng(0)
    walk = np.cumsum(generator.laplace(0, 0.4, shape), axis=-1) * (generator.random(shape) < 0.3)
    symbols = np.rint(walk).astype(np.int32)
    symbols[..., :3, :] = 0
    symbols.flat[[3, 7, 8]] = 100_000, -SYMBOL_MAX, SYMBOL_MAX
    return symbols


def knowledge(symbols: np.ndarray) -> list[SideInformation]:
    """Every combination of a coarser layer, good or bad, and a previous segment."""
    coarse = (np.sign(symbols) * ((abs(symbols) + 1) // 3)).astype(np.int32)
    previous = np.roll(symbols, 1, axis=-1)
    return [
        ALONE, SideInformation(coarse, 3), SideInformation(None, 0, previous),
        SideInformation(coarse, 3, previous), SideInformation(coarse // 2, 4),
    ]  # fmt: skip


@pytest.mark.parametrize("shape", [SHAPE, (5, 20, 6), (3, 24, 4, 4)])
def test_both_decoders_decode_what_is_encoded(shape: tuple[int, ...]) -> None:
    symbols = sparse_planes(shape)
    for known in knowledge(symbols):
        data = encode_planes(symbols, known)
        assert np.array_equal(decode_planes(data, shape, known), symbols)
        plain = plain_planes.decode(data, shape, known.factor, known.coarse, known.previous)
        assert np.array_equal(plain, symbols)


def test_the_tables_of_both_decoders_are_the_same() -> None:
    assert SQUASH.tolist() == [plain_planes.SQUASH[x] for x in range(-STRETCHED_MAX, STRETCHED_MAX + 1)]
    assert STRETCH.tolist() == plain_planes.STRETCH
    assert RATES.tolist() == plain_planes.RATE
    assert (np.diff(STRETCH) >= 0).all()
    assert STRETCH[0] < 0 < STRETCH[-1]
    assert len(STRETCH) == 1 << ESTIMATE_BITS - 10


def test_more_bytes_than_expected_are_written() -> None:
    """Noise takes more than the encoder's first buffer."""
    noise = np.random.default_rng(1).integers(-SYMBOL_MAX, SYMBOL_MAX, (8, 40, 40)).astype(np.int32)
    data = encode_planes(noise, ALONE)
    assert len(data) > noise.size // 2
    assert np.array_equal(decode_planes(data, noise.shape, ALONE), noise)


def test_what_is_known_makes_planes_smaller() -> None:
    symbols = sparse_planes((4, 3, 8, 40, 40))
    alone, refined, continued, both, _ = (len(encode_planes(symbols, each)) for each in knowledge(symbols))
    assert refined < 0.8 * alone
    same = len(encode_planes(symbols, SideInformation(None, 0, symbols)))
    assert same < 0.05 * alone
    assert both < continued


def test_images_that_change_at_the_same_places_are_smaller_than_apart() -> None:
    mask = np.random.default_rng(2).random((40, 40)) < 0.05
    values = np.random.default_rng(3).integers(-3, 4, (8, 1, 8, 40, 40)) * mask
    apart = sum(len(encode_planes(one[None].astype(np.int32), ALONE)) for one in values)
    assert len(encode_planes(values.astype(np.int32), ALONE)) < 0.9 * apart


def test_even_planes_are_padded_to_what_readers_require() -> None:
    even = np.zeros((8, 3, 8, 64, 64), np.int32)
    data = encode_planes(even, ALONE)
    assert even.size <= SYMBOLS_FREE + SYMBOLS_PER_BYTE * len(data) < even.size + SYMBOLS_PER_BYTE
    assert not decode_planes(data, even.shape, ALONE).any()
    with pytest.raises(LimitError, match="symbols in"):
        decode_planes(data[:-1], even.shape, ALONE)


def test_bytes_that_are_missing_or_left_are_refused() -> None:
    symbols = sparse_planes()
    data = encode_planes(symbols, ALONE)
    for length in range(len(data)):
        with pytest.raises((TruncatedError, FormatError)):
            decode_planes(data[:length], SHAPE, ALONE)
    with pytest.raises(FormatError, match="do not end where the bytes do"):
        decode_planes(data + b"\1", SHAPE, ALONE)
    assert np.array_equal(decode_planes(data + b"\0", SHAPE, ALONE), symbols)


def test_decoding_ends_soon_after_the_bytes() -> None:
    shape, data = (16, 2048, 16), np.frombuffer(bytearray(np.random.default_rng(0).bytes(500)), np.uint8)
    coder = new_decoder(data)
    _code_all(coder, data, np.zeros(shape, np.int32), ALONE)
    assert 500 < coder[POSITION] < 1000
    with pytest.raises(TruncatedError, match="more than the 500 bytes"):
        decode_planes(data.tobytes(), shape, ALONE)


def test_symbols_beyond_the_range_are_refused() -> None:
    # Ones in every decision: the longest symbols there are.
    with pytest.raises(FormatError):
        decode_planes(bytes(6000), (1, 4, 4), ALONE)


@QUICK
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_decodes_within_the_range(index: int, change: int) -> None:
    data = bytearray(encode_planes(sparse_planes(), ALONE))
    data[index % len(data)] ^= change
    try:
        found = decode_planes(bytes(data), SHAPE, ALONE)
    except FormatError:
        return
    assert abs(found).max() <= SYMBOL_MAX


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        ((1, 4, 4), True), ((2, 3, 8, 4, 2**14), True), ((16, 16), False), ((8, 3, 16), False),
        ((8, 16, 3), False), ((1, 4, 2**14 + 1), False),
    ],
)  # fmt: skip
def test_shapes(shape: tuple[int, ...], fits: bool) -> None:
    assert fits_planes(shape) == fits
