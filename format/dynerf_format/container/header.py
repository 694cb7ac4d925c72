"""The header <-> msgpack bytes, with one set of rules for reading and writing.

Unknown keys are ignored (a newer minor version may add some). Missing keys, wrong types, numbers out of range
and contradictions are refused with the path of the offending value.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from dynerf_format.errors import FormatError
from dynerf_format.layout import U32_MAX

from .msgpack_values import MsgpackNode, pack, plain, unpack
from .records import CameraRecord, FieldRecord, Header, Role, Scalar, SegmentRecord, SpaceKind, SpaceRecord

__all__ = [
    "COLOUR",
    "CameraRecord",
    "FieldRecord",
    "Header",
    "SegmentRecord",
    "SpaceRecord",
    "decode_header",
    "encode_header",
]

COLOUR = {"matrix": "bt709", "primaries": "bt709", "range": "full", "transfer": "bt709"}
"""The only colour description that this version allows."""

PICTURE_SIZE_MAX = 16384
FPS_MAX = 1000
NAME_MAX = 64
GENERATOR_MAX = 200
CORNERS_MAX = 4096

_ROLES: tuple[Role, ...] = ("training", "held_out")
_SPACES: tuple[SpaceKind, ...] = ("perspective", "box")
_ROOT = "header"


def encode_header(header: Header) -> bytes:
    """Return the header's bytes, equal for equal headers; FormatError when a reader would refuse them."""
    fields = plain(asdict(header), _ROOT)
    if not fields["viewing_volume"]:
        del fields["viewing_volume"]  # an optional key
    _header(MsgpackNode(fields, _ROOT))
    return pack(fields)


def decode_header(data: bytes) -> Header:
    """Return the header in ``data``; FormatError with the path of an invalid value."""
    return _header(MsgpackNode(unpack(data, _ROOT), _ROOT))


def _header(root: MsgpackNode) -> Header:
    header = Header(
        generator=root.field("generator").text(GENERATOR_MAX),
        fps_numerator=root.field("fps_numerator").integer(1, U32_MAX),
        fps_denominator=root.field("fps_denominator").integer(1, U32_MAX),
        frames=root.field("frames").integer(1, U32_MAX),
        first_source_frame=root.field("first_source_frame").integer(0, U32_MAX),
        cameras=tuple(_camera(camera) for camera in root.field("cameras").items()),
        space=_space(root.field("space")),
        field=_field(root.field("field")),
        sampling=_scalars(root.field("sampling")),
        segments=tuple(_segment(segment) for segment in root.field("segments").items()),
        colour={key: root.field("colour").field(key).choice((COLOUR[key],)) for key in COLOUR},
        config=_values(root.field("config")),
        quality=_scalars(root.field("quality")),
        viewing_volume=_viewing_volume(root),
    )
    if header.fps > FPS_MAX:
        raise FormatError(f"{_ROOT}: {float(header.fps):g} frames per second, at most {FPS_MAX} allowed")
    _check_cameras(header.cameras)
    _check_segments(header.segments, header.frames)
    return header


def _camera(node: MsgpackNode) -> CameraRecord:
    return CameraRecord(
        name=node.field("name").text(NAME_MAX),
        width=node.field("width").integer(1, PICTURE_SIZE_MAX),
        height=node.field("height").integer(1, PICTURE_SIZE_MAX),
        focal_x=node.field("focal_x").positive(),
        focal_y=node.field("focal_y").positive(),
        centre_x=node.field("centre_x").number(),
        centre_y=node.field("centre_y").number(),
        camera_to_world=node.field("camera_to_world").numbers(12),
        role=node.field("role").choice(_ROLES),
    )


def _space(node: MsgpackNode) -> SpaceRecord:
    near = node.field("near").number()
    if near < 0:
        raise FormatError(f"{node.path}.near: found {near}, expected at least 0")
    matrix = node.field("matrix").numbers(16)
    if not _is_invertible(np.array(matrix).reshape(4, 4)):
        raise FormatError(f"{node.path}.matrix: is singular, so it does not map a volume to the cube")
    return SpaceRecord(kind=node.field("kind").choice(_SPACES), matrix=matrix, near=near)


def _is_invertible(matrix: np.ndarray) -> bool:
    """Whether the rank is 4 after scaling columns to length one (independent of the world's origin)."""
    with np.errstate(over="ignore"):  # a column too long for float64 becomes zero
        lengths = np.linalg.norm(matrix, axis=0)
    return bool(np.linalg.matrix_rank(matrix / np.maximum(lengths, np.finfo(np.float64).tiny)) == 4)


def _field(node: MsgpackNode) -> FieldRecord:
    settings: dict[str, Any] = {}
    for key, value in node.field("settings").mapping().items():
        settings[key] = value.value if isinstance(value.value, list) else value.scalar()
    return FieldRecord(kind=node.field("kind").text(NAME_MAX), settings=settings)


def _viewing_volume(root: MsgpackNode) -> tuple[tuple[float, ...], ...]:
    node = root.mapping().get("viewing_volume")
    if node is None:
        return ()
    if not 1 <= len(node.items()) <= CORNERS_MAX:
        raise FormatError(f"{node.path}: found {len(node.items())} corners, expected 1 to {CORNERS_MAX}")
    return tuple(corner.numbers(3) for corner in node.items())


def _segment(node: MsgpackNode) -> SegmentRecord:
    return SegmentRecord(
        first_frame=node.field("first_frame").integer(0, U32_MAX),
        frames=node.field("frames").integer(1, U32_MAX),
    )


def _scalars(node: MsgpackNode) -> dict[str, Scalar]:
    return {key: value.scalar() for key, value in node.mapping().items()}


def _values(node: MsgpackNode) -> dict[str, Any]:
    return {key: value.value for key, value in node.mapping().items()}


def _check_cameras(cameras: tuple[CameraRecord, ...]) -> None:
    if not cameras:
        raise FormatError(f"{_ROOT}.cameras: is empty, expected at least one camera")
    seen: set[str] = set()
    for index, camera in enumerate(cameras):
        if camera.name in seen:
            raise FormatError(f"{_ROOT}.cameras[{index}].name: {camera.name!r} occurs twice")
        seen.add(camera.name)


def _check_segments(segments: tuple[SegmentRecord, ...], frames: int) -> None:
    expected = 0
    for index, segment in enumerate(segments):
        if segment.first_frame != expected:
            raise FormatError(
                f"{_ROOT}.segments[{index}].first_frame: found {segment.first_frame}, expected {expected}"
            )
        expected += segment.frames
    if expected != frames:
        raise FormatError(f"{_ROOT}.segments: cover {expected} frames, expected {frames}")
