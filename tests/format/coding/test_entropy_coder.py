"""The entropy coder: round trips with NumPy and the plain decoder, compression, and invalid input."""

from __future__ import annotations

import struct

import constriction
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from dynerf_format import (
    BytesSource,
    FormatError,
    LimitError,
    Limits,
    QuantisedTensor,
    Reader,
    TruncatedError,
    clip_bytes,
    coarsen,
    weights_chunks,
)
from dynerf_format.coding.entropy_coder import CodedTensor, code
from dynerf_format.coding.frequency_tables import normalise
from dynerf_format.coding.rans import RansDecoder, Tables, encode
from dynerf_format.coding.rans_layout import STATE_MIN, TOTAL
from dynerf_format.coding.rans_section import pack_section
from dynerf_format.coding.side_information import SideInformation
from dynerf_format.coding.tokens import TOKENS_MAX, BitReader, from_tokens, pack_bits, to_tokens
from dynerf_format.tensors.tensor_payload import pack_tensors, unpack_tensors
from support.clips import (
    QUICK,
    coded_payload,
    continued,
    layered,
    many_tensors,
    mixed,
    small_header,
    tensor,
    two_segments,
)
from support.plain_decoder import unpack

LIMITS = Limits(elements=2**21)
HALVES = (8192, 8192)
SMOOTH = bytes([192 + 8, 0, 1])  # a smooth table of one token


def laplace(count: int, scale: float, seed: int = 0) -> np.ndarray:
    return np.rint(np.random.default_rng(seed).laplace(0, scale, count)).astype(np.int32)


def entropy_bits(symbols: np.ndarray) -> float:
    counts = np.unique(symbols, return_counts=True)[1]
    return float(-(counts * np.log2(counts / counts.sum())).sum())


@pytest.mark.parametrize("lanes", [1, 2, 7, 64])
def test_rans_round_trips_for_any_lanes_and_waves(lanes: int) -> None:
    generator = np.random.default_rng(lanes)
    counts = generator.integers(0, 1000, (3, 9)) ** 2
    tables = Tables(np.stack([normalise(row) for row in counts]))
    waves = [1, 50, 7, 0, 300]
    which = generator.integers(0, 3, sum(waves))
    tokens = np.array([generator.choice(np.flatnonzero(counts[n])) for n in which])
    rows = which * tables.tokens + tokens
    states, words = encode(tables.frequencies[rows], tables.starts[rows], waves, lanes)
    decoder = RansDecoder(states, words)
    found = [decoder.wave(tables, part) for part in np.split(which, np.cumsum(waves)[:-1])]
    decoder.finish()
    assert np.array_equal(np.concatenate(found), tokens)


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.5, 4.0, 300.0])
def test_rans_is_within_one_percent_of_the_entropy_and_as_good_as_constriction(scale: float) -> None:
    symbols = laplace(100_000, scale)
    coded = code(symbols, SideInformation(), temporal=False)
    assert isinstance(coded, CodedTensor)
    stored = len(coded.record) + len(pack_section([coded]))
    tokens = to_tokens(symbols.astype(np.int64))[0]
    counts = np.bincount(tokens)
    reference = constriction.stream.stack.AnsCoder()
    model = constriction.stream.model.Categorical(counts / counts.sum(), perfect=False)
    reference.encode_reverse(tokens.astype(np.int32), model)
    raw = int(to_tokens(symbols.astype(np.int64))[2].sum())
    assert 8 * stored < 1.01 * entropy_bits(symbols) + 8 * 200
    assert 8 * stored < 1.005 * (reference.num_bits() + raw) + 8 * 200


def test_the_example_of_the_specification() -> None:
    payload = coded_payload((3,), (HALVES,), states=(540672,))
    assert unpack_tensors(payload)["t"].symbols.tolist() == [0, -1, 0]
    states, words = encode(np.full(3, 8192, np.uint32), np.array([0, 8192, 0], np.uint32), [3], 1)
    assert (states.tolist(), words.tolist()) == ([540672], [])


def test_a_table_of_one_token_costs_nothing() -> None:
    coded = code(np.zeros(10_000, np.int32), SideInformation(), temporal=False)
    assert isinstance(coded, CodedTensor)
    assert len(coded.record) + len(pack_section([coded])) < 40


@pytest.mark.parametrize("ones", [0, 1, 3000])
def test_an_almost_empty_tensor_is_within_the_limits_of_readers(ones: int) -> None:
    planes = np.zeros((20, 300, 300), np.int32)
    planes.reshape(-1)[np.random.default_rng(0).choice(planes.size, ones, replace=False)] = 1
    payload = pack_tensors([tensor("t", planes)])
    assert np.array_equal(unpack_tensors(payload)["t"].symbols, planes)
    assert len(payload) < 10_000


@QUICK
@given(npst.arrays(np.int64, st.integers(1, 50), elements=st.integers(-(2**25) + 1, 2**25 - 1)))
def test_tokens_and_raw_bits_hold_every_integer(values: np.ndarray) -> None:
    tokens, raw, widths = to_tokens(values)
    assert int(tokens.max()) < TOKENS_MAX
    bits = BitReader(pack_bits(raw, widths))
    assert np.array_equal(from_tokens(tokens.astype(np.int32), bits), values)
    bits.finish()


@QUICK
@given(npst.arrays(np.int64, st.integers(1, 104), elements=st.integers(0, 10**9)))
def test_frequencies_keep_every_token_and_sum_to_the_total(counts: np.ndarray) -> None:
    frequencies = normalise(counts)
    assert int(frequencies.sum()) == TOTAL
    assert not counts.any() or np.array_equal(frequencies > 0, counts > 0)


def test_similar_small_tensors_share_a_table() -> None:
    generator = np.random.default_rng(4)
    similar = [tensor(f"w{n}", np.rint(generator.normal(0, 30, (4 + n, 16)))) for n in range(12)]
    together = pack_tensors(similar)
    assert len(together) < sum(len(pack_tensors([one])) - 4 for one in similar) - 100
    expected = {one.name: one.symbols.tolist() for one in similar}
    assert {name: one.symbols.tolist() for name, one in unpack_tensors(together).items()} == expected
    assert {name: symbols.tolist() for name, symbols in unpack(together).items()} == expected


def test_a_different_tensor_in_between_interrupts_sharing() -> None:
    generator = np.random.default_rng(5)
    similar = [tensor(f"w{n}", np.rint(generator.normal(0, 30, (20, 16)))) for n in range(6)]
    other = tensor("between", np.rint(generator.normal(0, 3, (300, 300))))  # too large to share
    mixed = [*similar[:3], other, *similar[3:]]
    for found in (unpack_tensors(pack_tensors(mixed)), unpack(pack_tensors(mixed))):
        symbols = {name: np.asarray(getattr(one, "symbols", one)).tolist() for name, one in found.items()}
        assert symbols == {one.name: one.symbols.tolist() for one in mixed}


def test_the_plain_decoder_decodes_the_same() -> None:
    for header, chunks in (layered(), two_segments(), continued(), mixed()):
        reader = Reader(BytesSource(clip_bytes(header, chunks)))
        earlier: list[dict[str, np.ndarray]] = []
        for number in range(len(header.segments)):
            symbols: dict[str, np.ndarray] = {}
            after = []
            for layer in range(reader.layers(number)):
                entry = next(
                    e for e in reader.directory if (e.kind, e.segment, e.layer) == (b"WGHT", number, layer)
                )
                symbols |= unpack(
                    reader.read_chunk(entry),
                    dict(symbols) if layer else None,
                    earlier[layer] if entry.first else None,
                )
                after.append(dict(symbols))
                for name, found in reader.weights(number, layer + 1).items():
                    assert np.array_equal(found.symbols, symbols[name]), (name, layer)
            earlier = after
        groups = [unpack(reader.read_chunk(e))["latents"] for e in reader.directory if e.kind == b"LATN"]
        steps = 1 / 16 if header == two_segments()[0] else 1.0
        assert np.array_equal(reader.latents(0, header.frames), np.concatenate(groups) * np.float32(steps))


def test_both_decoders_split_long_waves_alike() -> None:
    rows = laplace(5 * 26_000, 2.0).reshape(5, 26_000)
    payload = pack_tensors([tensor("latents", rows)])
    assert np.array_equal(unpack(payload)["latents"], rows)
    assert np.array_equal(unpack_tensors(payload)["latents"].symbols, rows)


@pytest.mark.parametrize("shape", [(24, 12, 12), (64, 9, 30), (200, 30, 3), (200, 30, 5), (3, 2, 4, 40, 40)])
def test_planes_of_any_shape_round_trip_through_layers(shape: tuple[int, ...]) -> None:
    smooth = np.cumsum(np.cumsum(laplace(int(np.prod(shape)), 0.4).reshape(shape), axis=-1), axis=-2)
    fine = tensor("t", np.clip(smooth, -(2**23), 2**23))
    chunks = weights_chunks(0, [fine], {"t": (3, 2, 5)})
    found: dict[str, QuantisedTensor] = {}
    for chunk in chunks:
        found = unpack_tensors(chunk.payload, LIMITS, found if chunk.layer else None)
    assert np.array_equal(found["t"].symbols, fine.symbols)
    assert np.array_equal(found["t"].steps, fine.steps)
    assert len(chunks) == 4


def smooth_planes() -> QuantisedTensor:
    """Sums of waves with a little noise, 24 planes of 64 x 64."""
    generator = np.random.default_rng(1)
    row, column = np.mgrid[:64, :64]
    phase = generator.uniform(0, 2 * np.pi, (24, 4, 1, 1))
    across, down = generator.uniform(-0.25, 0.25, (2, 24, 4, 1, 1))
    waves = 6 * np.sin(across * column + down * row + phase).sum(axis=1)
    return tensor("t", np.rint(waves + generator.normal(0, 0.15, waves.shape)))


def test_smooth_planes_take_much_less_than_their_order_0_entropy() -> None:
    planes = smooth_planes()
    assert 8 * len(pack_tensors([planes])) < 0.3 * entropy_bits(planes.symbols)


def test_three_layers_take_little_more_than_one_and_the_first_little() -> None:
    planes = smooth_planes()
    one = len(pack_tensors([planes]))
    layers = [len(chunk.payload) for chunk in weights_chunks(0, [planes], {"t": (3, 3)})]
    assert sum(layers) < 1.25 * one
    assert layers[0] < 0.3 * one


@pytest.mark.parametrize("ones", [0, 40, 4000])
def test_almost_empty_planes_are_within_the_limits_of_readers(ones: int) -> None:
    """Readers limit the work per byte; nearly empty planes, common after training, must stay within it."""
    symbols = np.zeros((8, 3, 8, 96, 96), np.int32)
    symbols.flat[np.random.default_rng(0).choice(symbols.size, ones, replace=False)] = 3
    planes = [tensor("fine.basis.0", symbols, 0.1)]
    factors = dict.fromkeys((plane.name for plane in planes), (3, 3))
    below: dict[str, QuantisedTensor] | None = None
    for chunk in weights_chunks(0, planes, factors):
        below = unpack_tensors(chunk.payload, coarser=below)
    assert below is not None
    for plane in planes:
        np.testing.assert_array_equal(below[plane.name].symbols, symbols)


@pytest.mark.parametrize("factor", [2, 3, 4, 255])
def test_a_coarser_tensor_is_off_by_half_its_step_at_most(factor: int) -> None:
    fine = tensor("t", np.arange(-1000, 1000), 0.5)
    coarse = coarsen(fine, factor)
    assert coarse.steps.tolist() == [0.5 * factor]
    assert np.abs(coarse.dequantise() - fine.dequantise()).max() <= 0.5 * factor / 2
    assert coarse.symbols.max() <= 1000 // factor + 1


def test_the_forged_example_is_valid_by_default() -> None:
    assert unpack_tensors(coded_payload())["t"].symbols.tolist() == [0, 0, 0, 0]
    assert not unpack_tensors(coded_payload((2, 40), ((16384,), SMOOTH), model=3))["t"].symbols.any()


@pytest.mark.parametrize(
    ("payload", "error", "message"),
    [
        pytest.param(coded_payload(model=8), FormatError, "model 8 does not fit", id="model"),
        pytest.param(coded_payload((64, 64), model=1), FormatError, "model 1 does not fit", id="rank"),
        pytest.param(coded_payload((8, 4, 4), model=3), FormatError, "model 3 does not fit", id="rows"),
        pytest.param(coded_payload((4097, 2), model=3), FormatError, "model 3 does not fit", id="many rows"),
        pytest.param(coded_payload((2, 4097), model=5), FormatError, "model 5 does not fit", id="columns"),
        pytest.param(coded_payload((2, 65537), model=6), FormatError, "model 6 does not", id="long rows"),
        pytest.param(coded_payload((2, 2), model=7), FormatError, "1 tables, expected 2", id="rows' tables"),
        pytest.param(
            coded_payload((2, 2), (HALVES, HALVES), model=3), FormatError, "is not a smooth", id="rows' table"
        ),
        pytest.param(coded_payload(tables=(b"\xc1\0\0",)), FormatError, "table of 0 tokens", id="no tokens"),
        pytest.param(coded_payload(tables=(b"\xc1\0\xc1",)), FormatError, "of 193 tokens", id="193 tokens"),
        pytest.param(coded_payload(tables=(b"\xe1\0\1",)), FormatError, "table of 225 tokens", id="shape"),
        pytest.param(coded_payload(tables=()), FormatError, "no previous record has any", id="no tables"),
        pytest.param(
            coded_payload(tables=(HALVES,) * 2), FormatError, "2 tables, expected 1", id="many tables"
        ),
        pytest.param(coded_payload(tables=((),)), FormatError, "a table of 0 tokens", id="empty table"),
        pytest.param(coded_payload(tables=((1,) * 255,)), FormatError, "255 tokens", id="long table"),
        pytest.param(coded_payload(tables=((16383,),)), FormatError, "sums to 16383", id="sum"),
        pytest.param(coded_payload(tables=((16384, 0),)), FormatError, "ends with 0", id="zero at the end"),
        pytest.param(coded_payload(states=()), FormatError, "0 lanes", id="no lanes"),
        pytest.param(coded_payload(states=(65536,) * 4097), FormatError, "4097 lanes", id="many lanes"),
        pytest.param(coded_payload(states=(65535,)), FormatError, "a state of 65535", id="low state"),
        pytest.param(coded_payload(states=(65537,)), FormatError, "a state does not end", id="wrong end"),
        pytest.param(coded_payload(words=(1,)), FormatError, "words are left", id="a word left"),
        pytest.param(coded_payload(raw=b"\0"), FormatError, "raw bits: 8 are left", id="raw bits left"),
        pytest.param(coded_payload(tables=(HALVES,)), TruncatedError, "more than its 0 words", id="no words"),
        pytest.param(
            coded_payload(tables=((0,) * 191 + (16384,),)), TruncatedError, "raw bits: needs", id="no bits"
        ),
        pytest.param(
            coded_payload((1,), ((0,) * 191 + (16384,),), raw=b"\xff\xff\x7f"),
            FormatError,
            "a symbol beyond",
            id="symbol",
        ),
        pytest.param(
            coded_payload(declared=(1, 2**32 - 1, 0)), TruncatedError, "8589934590 bytes", id="words declared"
        ),
        pytest.param(
            coded_payload(declared=(1, 0, 2**32 - 1)), TruncatedError, "4294967295 bytes", id="raw declared"
        ),
        pytest.param(coded_payload((2**20,)), LimitError, "steps of 1 lanes", id="long work"),
        pytest.param(many_tensors(800, 3, 2), LimitError, "steps of 1 lanes", id="many tables by rows"),
        pytest.param(
            coded_payload((2**20,), states=(65536,) * 64), LimitError, "1048576 elements in 256", id="bomb"
        ),
        pytest.param(coded_payload((2**22,)), LimitError, "at most 2097152", id="elements"),
        pytest.param(coded_payload() + b"\0", FormatError, "1 bytes left over", id="more bytes"),
    ],
)
def test_an_invalid_coded_payload_is_refused(payload: bytes, error: type[FormatError], message: str) -> None:
    with pytest.raises(error, match=message):
        unpack_tensors(payload, LIMITS)


BELOW = {"t": tensor("t", [1, 2, 3, 4]), "wide": tensor("wide", [2**23])}


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        pytest.param(coded_payload(factor=1), "factor 1, expected 0 or 2 to 255", id="factor 1"),
        pytest.param(b"\1\0\2" + coded_payload(factor=3)[3:], "refines tensor 2, .* have 2", id="index"),
        pytest.param(
            b"\2\1\0\3\0\0\x80?" + bytes(4) + coded_payload(factor=3)[1:], "more than once", id="doubled"
        ),
        pytest.param(coded_payload(model=3, factor=3), "model 3 does not fit", id="model"),
    ],
)
def test_a_refinement_that_does_not_fit_is_refused(payload: bytes, message: str) -> None:
    assert unpack_tensors(coded_payload(factor=3), LIMITS, BELOW)["t"].symbols.tolist() == [3, 6, 9, 12]
    with pytest.raises(FormatError, match=message):
        unpack_tensors(payload, LIMITS, BELOW)


def test_a_refinement_beyond_the_symbols_range_is_refused() -> None:
    head = struct.pack("<BBBBf", 1, 1, 1, 3, 1.0)
    with pytest.raises(FormatError, match="too large for the symbols below"):
        unpack_tensors(head + b"\0", LIMITS, BELOW)


def test_every_truncation_of_a_coded_payload_is_detected() -> None:
    payload = pack_tensors([tensor("a", laplace(2000, 2.0).reshape(20, 100)), tensor("b", [[1], [300]])])
    assert unpack_tensors(payload)["a"].symbols.shape == (20, 100)
    for length in range(len(payload)):
        with pytest.raises(FormatError):
            unpack_tensors(payload[:length])


@QUICK
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_of_a_coded_payload_is_refused_or_decodes(index: int, change: int) -> None:
    payload = bytearray(pack_tensors([tensor("a", laplace(600, 30.0).reshape(20, 30))]))
    payload[index % len(payload)] ^= change
    try:
        found = unpack_tensors(bytes(payload), LIMITS)
    except FormatError:
        return
    assert all(t.symbols.dtype == np.int32 for t in found.values())


def test_only_the_requested_layers_are_read() -> None:
    header, chunks = layered()
    reader = Reader(BytesSource(clip_bytes(header, chunks)))
    assert reader.layers(0) == 3
    coarse = [reader.weights(0, layers) for layers in (1, 2, 3)]
    assert [w["planes.0"].steps[0] for w in coarse] == [9, 3, 1]
    assert [w["head.weight"].steps[0] for w in coarse] == [0.25, 0.125, 0.125]
    assert list(coarse[0]) == list(coarse[2])
    assert np.array_equal(reader.weights(0)["planes.0"].symbols, coarse[2]["planes.0"].symbols)


def test_the_first_layer_alone_is_read_for_the_first_picture() -> None:
    planes = np.cumsum(laplace(24 * 48 * 48, 0.5).reshape(24, 48, 48), axis=2)
    base, *finer = weights_chunks(0, [tensor("planes.0", planes)], {"planes.0": (3, 3)})
    latents = next(chunk for chunk in two_segments()[1] if chunk.kind == b"LATN")
    data = clip_bytes(small_header((2,)), [base, latents, *finer])
    directory = Reader(BytesSource(data)).directory
    assert [(e.kind, e.layer) for e in directory] == [(b"WGHT", 0), (b"LATN", 0), (b"WGHT", 1), (b"WGHT", 2)]
    assert directory[1].end < 0.5 * len(data)


def test_a_symbol_is_exact_in_the_smallest_and_largest_state() -> None:
    tables = Tables(np.array([[TOTAL - 1, 1]], np.uint32))
    tokens = np.array([1] * 40 + [0] * 4000 + [1] * 40)
    states, words = encode(tables.frequencies[tokens], tables.starts[tokens], [len(tokens)], 1)
    assert STATE_MIN <= int(states[0]) < 2**32
    decoder = RansDecoder(states, words)
    found = decoder.wave(tables, np.zeros(len(tokens), np.intp))
    decoder.finish()
    assert np.array_equal(found, tokens)
