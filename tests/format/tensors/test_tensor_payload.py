"""The tensor payload: round trips, exact bytes, and invalid payloads."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from dynerf_format import FormatError, LimitError, Limits, QuantisedTensor, TruncatedError, coarsen
from dynerf_format.coding.byte_reader import ByteReader, pack_varint
from dynerf_format.limits import TENSORS_MAX
from dynerf_format.tensors.tensor_payload import pack_tensors, unpack_tensors
from support.clips import QUICK, tensor

LIMITS = Limits(elements=1000)


@st.composite
def tensors(draw: st.DrawFn) -> list[QuantisedTensor]:
    names = draw(st.lists(st.from_regex(r"\A[a-z0-9_./\-]{1,12}\Z"), unique=True, max_size=4))
    result = []
    for name in names:
        largest = draw(st.sampled_from([1, 127, 128, 32767, 32768, 2**23]))
        shape = draw(npst.array_shapes(max_dims=4, max_side=4))
        symbols = draw(npst.arrays(np.int32, shape, elements=st.integers(-largest, largest)))
        count = draw(st.sampled_from([1, shape[0]]))
        step = npst.arrays(np.float32, count, elements=st.floats(2.0**-100, 2.0**100, width=32))
        result.append(QuantisedTensor(name, symbols, draw(step)))
    return result


@QUICK
@given(tensors())
def test_packing_round_trips(packed: list[QuantisedTensor]) -> None:
    unpacked = unpack_tensors(pack_tensors(packed))
    assert list(unpacked) == [t.name for t in packed]
    for before, after in zip(packed, unpacked.values(), strict=True):
        assert after.symbols.dtype == np.int32
        assert np.array_equal(before.symbols, after.symbols)
        assert np.array_equal(before.steps, after.steps)


@pytest.mark.parametrize(
    ("largest", "width"), [(127, 1), (-128, 1), (128, 2), (-32768, 2), (32768, 4), (2**23, 4)]
)
def test_symbols_take_the_fewest_bytes_that_hold_them(largest: int, width: int) -> None:
    empty = 1 + 1 + 2 + 1 + 1 + 1 + 4
    assert len(pack_tensors([tensor("t", [0, largest])])) == empty + 2 * width


def test_wide_symbols_are_stored_plane_by_plane() -> None:
    assert pack_tensors([tensor("t", [0x0102, 0x0304, -2])]).endswith(bytes([2, 4, 254, 1, 3, 255]))


def test_the_bytes_are_those_of_the_specification() -> None:
    expected = struct.pack("<BBBB3sBBBff4b", 2, 17, 0, 3, b"a.b", 2, 2, 2, 0.5, 2.0, 1, -1, 2, -2)
    expected += struct.pack("<BBB2sBBBfBB", 1, 2, 2, b"cd", 1, 0x81, 0x01, 1.0, 0, 0)[:-2] + bytes(129)
    two_steps = QuantisedTensor(
        "a.b", np.array([[1, -1], [2, -2]], np.int32), np.array([0.5, 2.0], np.float32)
    )
    assert pack_tensors([two_steps, tensor("a.cd", np.zeros(129))]) == expected


def test_names_and_shapes_are_not_repeated() -> None:
    similar = [tensor(f"fine.layers.{n}.weight", [[n, 1], [2, 3]]) for n in range(2)]
    assert len(pack_tensors(similar[:1])) == 1 + (1 + 2 + 20 + 3 + 4) + 4
    assert len(pack_tensors(similar)) == 1 + (1 + 2 + 20 + 3 + 4) + 4 + (1 + 2 + 8 + 3 + 4) + 4
    below = {one.name: (one, 2) for one in similar}
    payload = pack_tensors([tensor(similar[1].name, [[2, 2], [4, 7]])], below)
    assert len(payload) == 1 + (1 + 1 + 1 + 4) + 4
    found = unpack_tensors(payload, coarser={one.name: one for one in similar})
    assert found[similar[1].name].symbols.tolist() == [[2, 2], [4, 7]]


@pytest.mark.parametrize("value", [0, 1, 127, 128, 16383, 16384, 2**28, 2**32 - 1])
def test_numbers_take_as_few_bytes_as_they_can(value: int) -> None:
    packed = pack_varint(value)
    assert len(packed) == max(1, -(-value.bit_length() // 7))
    assert ByteReader(packed).varint() == value


@pytest.mark.parametrize(
    ("packed", "error"),
    [
        (b"", TruncatedError),
        (b"\x80", TruncatedError),
        (b"\x80\0", FormatError),
        (b"\xff\xff\xff\xff\x10", FormatError),
        (b"\x80" * 5 + b"\1", FormatError),
    ],
)
def test_numbers_that_are_cut_or_too_long_are_refused(packed: bytes, error: type[FormatError]) -> None:
    with pytest.raises(error):
        ByteReader(packed).varint()


def test_unpacked_arrays_can_be_written_to() -> None:
    unpacked = unpack_tensors(pack_tensors([tensor("t", [1, 2])]))["t"]
    assert unpacked.symbols.flags.writeable
    assert unpacked.steps.flags.writeable


def _late() -> tuple[QuantisedTensor, QuantisedTensor, QuantisedTensor]:
    """Planes, the same without anything, and a small tensor."""
    row, column = np.mgrid[:24, :24]
    planes = tensor("planes", (row // 5 * 3 + column // 7 * 2) * np.arange(1, 9)[:, None, None])
    return planes, tensor("planes", np.zeros((8, 24, 24))), tensor("bias", [1, 2, 3])


def test_a_tensor_that_the_layers_below_lack_is_coded_anew() -> None:
    planes, absent, bias = _late()
    below = {"bias": bias, "planes": absent}
    payload = pack_tensors([planes], {"bias": (bias, 0), "planes": (absent, 3)})
    assert payload[2:4] == bytes([1, 0])  # tensor 1, factor 0
    assert len(payload) < len(pack_tensors([planes]))  # a shorter head, and no other difference
    found = unpack_tensors(payload, coarser=below)["planes"]
    assert np.array_equal(found.symbols, planes.symbols)


def test_the_layers_below_are_used_where_they_save_bytes() -> None:
    planes, _, _ = _late()
    coarser = coarsen(planes, 3)
    payload = pack_tensors([planes], {"planes": (coarser, 3)})
    assert payload[2:4] == bytes([0, 3])
    found = unpack_tensors(payload, coarser={"planes": coarser})["planes"]
    assert np.array_equal(found.symbols, planes.symbols)


def test_factor_1_is_refused() -> None:
    planes, absent, bias = _late()
    payload = bytearray(pack_tensors([planes], {"bias": (bias, 0), "planes": (absent, 3)}))
    payload[3] = 1
    with pytest.raises(FormatError, match="factor 1, expected 0 or 2 to 255"):
        unpack_tensors(bytes(payload), coarser={"bias": bias, "planes": absent})


def test_two_tensors_of_one_name_are_not_packed() -> None:
    with pytest.raises(FormatError, match="more than once"):
        pack_tensors([tensor("t", [1]), tensor("t", [2])])


def test_every_truncation_is_detected() -> None:
    payload = pack_tensors([tensor("a", [1, 300]), tensor("b", [[1], [2]])])
    for length in range(len(payload)):
        with pytest.raises(TruncatedError):
            unpack_tensors(payload[:length])


def test_bytes_after_the_last_tensor_are_refused() -> None:
    with pytest.raises(FormatError, match="1 bytes left over"):
        unpack_tensors(pack_tensors([tensor("a", [1])]) + b"\0")


def forged(
    name: bytes = b"t",
    coding: int = 1,
    extents: tuple[int, ...] = (2,),
    steps: tuple[float, ...] = (1.0,),
    symbols: bytes = b"\1\2",
    count: int = 1,
    shared: int = 0,
) -> bytes:
    """A payload whose every field can be overridden."""
    head = pack_varint(count) + bytes([coding, shared, len(name)]) + name + bytes([len(extents)])
    return head + b"".join(map(pack_varint, extents)) + struct.pack(f"<{len(steps)}f", *steps) + symbols


def test_the_forged_example_is_valid_by_default() -> None:
    assert unpack_tensors(forged(), LIMITS)["t"].symbols.tolist() == [1, 2]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(forged(name=b""), id="empty name"),
        pytest.param(forged(name=b"\xff\xfe"), id="name not ASCII"),
        pytest.param(forged(name=b"n" * 129), id="name too long"),
        pytest.param(forged(coding=3), id="coding 3"),
        pytest.param(forged(coding=0), id="coded, but plain bytes"),
        pytest.param(forged(extents=()), id="rank 0"),
        pytest.param(forged(extents=(1,) * 9), id="rank 9"),
        pytest.param(forged(extents=(2, 0)), id="empty axis"),
        pytest.param(forged(steps=()), id="no steps"),
        pytest.param(forged(steps=(1.0,) * 3), id="more steps"),
        pytest.param(forged(coding=17), id="a step for all"),
        pytest.param(forged(coding=33), id="coding 33"),
        pytest.param(forged(coding=9), id="continues nothing"),
        pytest.param(forged(shared=1), id="shares with no name"),
        pytest.param(forged(count=2) + forged(b"", shared=2)[1:], id="shares more than there is"),
        pytest.param(forged(steps=(0.0,)), id="zero step"),
        pytest.param(forged(steps=(-1.0,)), id="negative step"),
        pytest.param(forged(steps=(float("nan"),)), id="NaN step"),
        pytest.param(forged(steps=(float("inf"),)), id="infinite step"),
        pytest.param(forged(coding=4, extents=(1,), symbols=b"\1\0\x80\0"), id="symbol above 2^23"),
        pytest.param(forged(coding=4, extents=(1,), symbols=b"\0\0\0\x80"), id="smallest int32"),
        pytest.param(forged(count=2) + forged()[1:], id="doubled name"),
        pytest.param(forged(count=2) + forged(b"", shared=1)[1:], id="doubled by sharing"),
    ],
)
def test_an_invalid_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(FormatError):
        unpack_tensors(payload, LIMITS)


@pytest.mark.long
def test_large_planes_that_are_nearly_empty_are_written_so_that_they_can_be_read() -> None:
    """Tables would take too few bytes for what readers allow in the section of all tensors."""
    planes = QuantisedTensor("planes", np.zeros((16, 3, 12, 176, 176), np.int32), np.ones(1, np.float32))
    planes.symbols[0, 0, 3, 5, 7] = 1
    payload = pack_tensors([planes, tensor("a", list(range(99)))])
    assert len(payload) < 10_000
    assert np.array_equal(unpack_tensors(payload)["planes"].symbols, planes.symbols)


@pytest.mark.parametrize("extents", [(1001,), (2**31, 2**31), (2**32 - 1,) * 8, (32, 32)])
def test_more_elements_than_allowed_are_refused_by_name(extents: tuple[int, ...]) -> None:
    with pytest.raises(LimitError, match=r"tensor 't': shape .* at most 1000"):
        unpack_tensors(forged(extents=extents), LIMITS)


def test_more_tensors_than_a_chunk_can_hold_are_refused() -> None:
    with pytest.raises(LimitError, match="4097 tensors"):
        unpack_tensors(forged(count=TENSORS_MAX + 1), LIMITS)
    with pytest.raises(FormatError, match="at most 4096"):
        pack_tensors([tensor(f"t{n}", [n]) for n in range(TENSORS_MAX + 1)])


def test_the_limit_counts_all_tensors_together() -> None:
    payload = pack_tensors([tensor("a", [1] * 600), tensor("b", [1] * 600)])
    with pytest.raises(LimitError, match="tensor 'b'"):
        unpack_tensors(payload, LIMITS)


@QUICK
@given(st.binary(max_size=80))
def test_random_bytes_are_refused_or_decode_within_limits(payload: bytes) -> None:
    try:
        unpacked = unpack_tensors(payload, LIMITS)
    except FormatError:
        return
    assert sum(t.symbols.size for t in unpacked.values()) <= LIMITS.elements
