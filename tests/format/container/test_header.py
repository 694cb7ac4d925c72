"""The header: round trips, and errors with the path of the invalid value."""

from __future__ import annotations

import copy
from dataclasses import asdict, replace
from fractions import Fraction
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynerf_format import FieldRecord, FormatError, SpaceRecord, ViewError, decode_header, encode_header
from support.clips import IDENTITY_4X4, QUICK, camera, small_header

numbers = st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | numbers | st.text(max_size=9)
words = st.from_regex(r"\A[a-z_]{1,9}\Z")
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=9,
)
scalars = st.booleans() | st.integers(-(2**63), 2**63) | numbers | st.text(max_size=9)


@QUICK
@given(
    config=st.dictionaries(words, trees, max_size=4),
    sampling=st.dictionaries(words, scalars, max_size=4),
    settings=st.dictionaries(words, scalars | st.lists(numbers, max_size=3), max_size=4),
    names=st.lists(st.from_regex(r"\A[a-zäß 0-9]{1,64}\Z"), unique=True, min_size=1, max_size=5),
    pose=st.tuples(*[numbers] * 12),
    segments=st.lists(st.integers(1, 2**20), min_size=1, max_size=5),
)
def test_encoding_round_trips(
    config: dict[str, Any],
    sampling: dict[str, Any],
    settings: dict[str, Any],
    names: list[str],
    pose: tuple[float, ...],
    segments: list[int],
) -> None:
    header = small_header(
        segments,
        config=config,
        sampling=sampling,
        field=FieldRecord("planes", settings),
        cameras=tuple(camera(name, camera_to_world=pose) for name in names),
    )
    assert decode_header(encode_header(header)) == header


def test_equal_headers_give_equal_bytes_whatever_the_order_of_their_keys() -> None:
    one = small_header(config={"a": 1, "b": {"x": 1, "y": 2}})
    other = small_header(config={"b": {"y": 2, "x": 1}, "a": 1})
    assert encode_header(one) == encode_header(other)


def test_tuples_in_the_configuration_become_lists() -> None:
    header = small_header(config={"steps": (1, (2, 3))})
    assert decode_header(encode_header(header)).config == {"steps": [1, [2, 3]]}


def test_unknown_keys_are_ignored_everywhere() -> None:
    fields = plain_fields()
    for node in (fields, fields["cameras"][0], fields["space"], fields["field"], fields["segments"][0]):
        node["added_later"] = {"deep": [1, 2]}
    fields["colour"]["white"] = "d65"
    assert decode_header(msgpack.packb(fields)) == small_header()


def test_integers_count_as_numbers() -> None:
    fields = plain_fields()
    fields["cameras"][0]["focal_x"] = 60
    focal = decode_header(msgpack.packb(fields)).cameras[0].focal_x
    assert focal == 60.0
    assert type(focal) is float


def test_the_frame_rate_is_exact_and_frames_find_their_segment() -> None:
    header = small_header((5, 3), fps_numerator=30000, fps_denominator=1001)
    assert header.fps == Fraction(30000, 1001)
    assert [header.segment_at(frame) for frame in (0, 4, 5, 7)] == [0, 0, 1, 1]
    for outside in (-1, 8):
        with pytest.raises(ViewError, match="the clip has 0 to 7"):
            header.segment_at(outside)


def test_a_moment_between_segments_is_the_nearer_frame() -> None:
    header = small_header((5, 3))
    moments = {
        0: (0, 0.0),
        3.25: (3, 0.25),
        4: (4, 0.0),
        4.4: (4, 0.0),
        4.6: (5, 0.0),
        6.5: (6, 0.5),
        7: (7, 0.0),
    }
    assert {frame: header.moment(frame) for frame in moments} == moments
    for outside in (-0.5, 7.5, float("nan")):
        with pytest.raises(ViewError, match="the clip has frames 0 to 7"):
            header.moment(outside)


def plain_fields() -> dict[str, Any]:
    fields: dict[str, Any] = msgpack.unpackb(encode_header(small_header()))
    return fields


def changed(path: str, value: object) -> bytes:
    """The bytes of the small header with one value replaced; None removes the key."""
    fields = plain_fields()
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    node: Any = fields
    for key in parents:
        node = node[key]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return bytes(msgpack.packb(fields))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("cameras.0.focal_x", "12", "header.cameras[0].focal_x: found str, expected number"),
        ("cameras.0.focal_x", None, "header.cameras[0].focal_x: is missing"),
        ("cameras.0.focal_x", True, "header.cameras[0].focal_x: found bool, expected number"),
        ("cameras.0.focal_y", 0.0, "header.cameras[0].focal_y: found 0.0, expected a number above 0"),
        ("cameras.0.centre_x", float("nan"), "header.cameras[0].centre_x: found nan, expected a finite"),
        ("cameras.0.width", 64.0, "header.cameras[0].width: found float, expected integer"),
        ("cameras.0.width", 0, "header.cameras[0].width: found 0, expected 1 to 16384"),
        ("cameras.0.height", 16385, "header.cameras[0].height: found 16385, expected 1 to 16384"),
        ("cameras.0.name", "", "header.cameras[0].name: expected 1 to 64 printable"),
        ("cameras.0.name", "x" * 65, "header.cameras[0].name: expected 1 to 64 printable"),
        ("cameras.0.name", "bell\a", "header.cameras[0].name: expected 1 to 64 printable"),
        ("cameras.0.name", b"bytes", "header.cameras[0].name: found bytes, expected a plain value"),
        ("cameras.0.role", "test", "header.cameras[0].role: found 'test', expected 'training' or 'held_out'"),
        ("cameras.0.camera_to_world", [0.0] * 11, "camera_to_world: found 11 numbers, expected 12"),
        ("cameras.0.camera_to_world.3", "x", "header.cameras[0].camera_to_world[3]: found str"),
        ("cameras.0.camera_to_world", {"r": 1}, "camera_to_world: found map, expected array"),
        ("cameras.0", 5, "header.cameras[0]: found int, expected map"),
        ("cameras", [], "header.cameras: is empty"),
        ("space.kind", "sphere", "header.space.kind: found 'sphere', expected 'perspective' or 'box'"),
        ("space.kind", 5, "header.space.kind: found '5', expected"),
        ("space.near", -1.0, "header.space.near: found -1.0, expected at least 0"),
        ("space.matrix", [1.0] * 16, "header.space.matrix: is singular"),
        ("space.matrix.0", float("inf"), "header.space.matrix[0]: found inf"),
        ("field.kind", "", "header.field.kind: expected 1 to 64"),
        ("field.settings.channels", {"a": 1}, "header.field.settings.channels: found map, expected bool"),
        ("sampling.coarse", [1], "header.sampling.coarse: found array, expected bool, number or text"),
        ("quality.psnr", float("-inf"), "header.quality.psnr: found -inf"),
        ("colour.matrix", "bt601", "header.colour.matrix: found 'bt601', expected 'bt709'"),
        ("colour.range", None, "header.colour.range: is missing"),
        ("frames", 0, "header.frames: found 0, expected 1 to"),
        ("frames", 2, "header.segments: cover 1 frames, expected 2"),
        ("frames", 2**32, "header.frames: found 4294967296"),
        ("segments", [], "header.segments: cover 0 frames, expected 1"),
        ("segments.0.first_frame", 1, "header.segments[0].first_frame: found 1, expected 0"),
        ("segments.0.frames", 0, "header.segments[0].frames: found 0, expected 1 to"),
        ("fps_numerator", 1001, "header: 1001 frames per second, at most 1000"),
        ("fps_denominator", 0, "header.fps_denominator: found 0, expected 1 to"),
        ("first_source_frame", -1, "header.first_source_frame: found -1"),
        ("generator", 7, "header.generator: found int, expected text"),
        ("config", [], "header.config: found array, expected map"),
        ("config.extension", msgpack.ExtType(5, b"x"), "header: msgpack extension type 5 is not allowed"),
        ("config.time", msgpack.Timestamp(1), "header.config.time: found Timestamp, expected a plain value"),
        ("config.bad\nkey", 1, "header.config: found a key that is not"),
    ],
)
def test_the_path_of_an_invalid_value_is_named(path: str, value: object, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        decode_header(changed(path, value))
    assert str(caught.value).startswith(message) or message in str(caught.value)


@pytest.mark.parametrize("key", sorted(asdict(small_header()).keys() - {"viewing_volume"}))
def test_every_key_is_required_and_typed(key: str) -> None:
    for value in (None, msgpack.Timestamp(0), ["x"] if key not in {"cameras", "segments"} else "x"):
        with pytest.raises(FormatError, match=rf"header\.{key}"):
            decode_header(changed(key, value))


def test_two_cameras_of_one_name_are_refused() -> None:
    with pytest.raises(FormatError, match=r"header\.cameras\[1\]\.name: 'cam00' occurs twice"):
        encode_header(small_header(cameras=(camera(), camera())))


def test_segments_must_follow_each_other() -> None:
    header = small_header((5, 3))
    moved = (header.segments[0], replace(header.segments[1], first_frame=6))
    with pytest.raises(FormatError, match=r"header\.segments\[1\]\.first_frame: found 6, expected 5"):
        encode_header(replace(header, segments=moved))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "is not a single msgpack value", id="nothing"),
        pytest.param(b"\xc1", "is not a single msgpack value", id="reserved byte"),
        pytest.param(b"\x80\x00", "is not a single msgpack value", id="bytes after the value"),
        pytest.param(b"\x82\xa1a\x01\xa1a\x02", "a key occurs twice", id="key twice"),
        pytest.param(b"\x81\x01\x02", "is not a single msgpack value", id="number as key"),
        pytest.param(b"\x81\xc4\x01a\x02", "a key of type bytes", id="bytes as key"),
        pytest.param(b"\xa2\xff\xfe", "is not a single msgpack value", id="not UTF-8"),
        pytest.param(b"\xdd\xff\xff\xff\xff", "is not a single msgpack value", id="4 billion items"),
        pytest.param(b"\xdf\xff\xff\xff\xff", "is not a single msgpack value", id="4 billion keys"),
        pytest.param(b"\xc6\xff\xff\xff\xff", "is not a single msgpack value", id="4 GiB of bytes"),
        pytest.param(b"\x91" * 500 + b"\x01", "nested deeper than 12", id="500 deep"),
        pytest.param(b"\x91" * 1_000_000 + b"\x01", "is not a single msgpack value", id="1 million deep"),
        pytest.param(b"\x81\xa1a" * 13 + b"\x01", "nested deeper than 12", id="13 deep"),
        pytest.param(b"\x81\xa1a" * 12 + b"\x01", "generator: is missing", id="12 deep"),
        pytest.param(b"\xdd\0\1\0\0" + b"\x80" * 2**16, "more than 65536", id="65536 empty maps"),
        pytest.param(b"\xdd\0\1\0\0" + b"\x90" * 2**16, "more than 65536", id="65536 empty arrays"),
        pytest.param(b"\xd4\x05\x00", "extension type 5", id="extension"),
        pytest.param(b"\xcb\x7f\xf8\0\0\0\0\0\0", "found nan", id="NaN"),
        pytest.param(b"\x01", "found int, expected map", id="a number"),
    ],
)
def test_bytes_that_are_not_a_plain_map_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=rf"^header.*{message}"):
        decode_header(data)


@QUICK
@given(st.binary(max_size=60))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        decode_header(data)


@QUICK
@given(st.data())
def test_any_leaf_may_have_any_value(data: st.DataObject) -> None:
    fields = plain_fields()
    node: Any = fields
    while isinstance(node, (dict, list)) and node:
        parent, key = (
            node,
            data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node)))),
        )
        node = node[key]
    parent[key] = data.draw(trees | st.just(float("nan")) | st.binary(max_size=3))
    try:
        header = decode_header(msgpack.packb(copy.deepcopy(fields)))
    except FormatError:
        return
    assert decode_header(encode_header(header)) == header


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {"rate": np.float32(1)}}, "header.config.rate: found float32, expected a plain value"),
        ({"config": {"deep": {"size": np.int64(1)}}}, "header.config.deep.size: found int64"),
        ({"config": {1: "x"}}, "header.config: found a key of type int, expected text"),
        ({"config": {"text": "\ud800"}}, "header.config.text: found text that is not valid Unicode"),
        ({"config": {"large": 2**64}}, "header.config.large: found an integer beyond 64 bits"),
        ({"quality": {"psnr": float("nan")}}, "header.quality.psnr: found nan"),
        ({"space": SpaceRecord("box", IDENTITY_4X4[:15], 0.1)}, "header.space.matrix: found 15 numbers"),
        ({"generator": ""}, "header.generator: expected"),
    ],
)
def test_an_invalid_header_is_not_encoded(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        encode_header(small_header(**changes))
    assert str(caught.value).startswith(message)


def test_a_double_from_numpy_is_a_number() -> None:
    header = small_header(quality={"psnr": np.float64(28.25)})
    assert decode_header(encode_header(header)).quality == {"psnr": 28.25}


class TestViewingVolume:
    def test_is_optional_and_round_trips(self) -> None:
        header = small_header(viewing_volume=((0.0, 1.0, 2.0), (3.0, 4.5, -1.0)))
        assert decode_header(encode_header(header)) == header
        assert b"viewing_volume" in encode_header(header)
        assert b"viewing_volume" not in encode_header(small_header())
        assert decode_header(encode_header(small_header())).viewing_volume == ()

    @pytest.mark.parametrize("value", [[], "here", [[0, 1]], [[0, 1, "x"]], [0, 1, 2], [[0, 0, 0]] * 4097])
    def test_of_another_type_or_length_is_refused(self, value: object) -> None:
        fields = {**plain_fields(), "viewing_volume": value}
        with pytest.raises(FormatError, match=r"header\.viewing_volume"):
            decode_header(msgpack.packb(fields))
