"""Parses and checks the messages of the live protocol (``PROTOCOL.md``), and packs the heads of pictures."""

import math
import struct
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.camera import MAX_DISTANCE, Camera
from dynerf_decoder.cameras.rotation import rotation_fault
from dynerf_format.values import is_integer, is_number, parse_json

VERSION = 1
MAX_MESSAGE_BYTES = 64 * 1024
_MAX_SIDE, _MAX_PIXELS = 4096, 2**23
_FOV = (1.0, 175.0)
_MAX_U32 = 2**32 - 1
_HEAD = struct.Struct("<BBBBIfHHffQ")
KEY, FINAL = 1, 2


class MessageError(Exception):
    """A message that violates the protocol; the text is the reason in the close frame."""


@dataclass(frozen=True)
class Hello:
    """The first message: the codecs that the client can decode, the preferred one first."""

    codecs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ViewRequest:
    """A view to render; ``frame`` in frames, ``fov`` vertical in degrees, sizes in pixels."""

    id: int
    frame: float
    camera_to_world: Float[np.ndarray, "3 4"]
    fov: float
    width: int
    height: int
    moving: bool
    depth: bool
    layers: int

    def camera(self, width: int, height: int) -> Camera:
        """The camera of the same view at another resolution, whose pixels need not be square."""
        focal = self.height / 2 / math.tan(math.radians(self.fov) / 2)
        return Camera(
            "view", width, height, focal * width / self.width, focal * height / self.height,
            width / 2, height / 2, self.camera_to_world,
        )  # fmt: skip


@dataclass(frozen=True)
class Ack:
    """A picture was displayed."""

    id: int


Message: TypeAlias = Hello | ViewRequest | Ack


@dataclass(frozen=True)
class FrameHead:
    """The head of a binary message; ``rendering`` and ``coding`` in milliseconds."""

    codec: int
    key: bool
    final: bool
    layers: int
    id: int
    frame: float
    width: int
    height: int
    rendering: float
    coding: float
    fetched: int

    def pack(self) -> bytes:
        """The 32 bytes of the head."""
        flags = KEY * self.key + FINAL * self.final
        return _HEAD.pack(
            1, self.codec, flags, self.layers, self.id, self.frame, self.width, self.height,
            self.rendering, self.coding, self.fetched,
        )  # fmt: skip


def parse(text: str) -> Message:
    """Parse a message. Raises MessageError."""
    try:
        record = parse_json(text)
    except (ValueError, RecursionError):
        raise MessageError("the message is not JSON") from None
    kind = record.get("type") if isinstance(record, dict) else None
    if kind == "view":
        return _view(record)
    if kind == "ack":
        return Ack(_integer(record, "id", 0, _MAX_U32))
    if kind == "hello":
        return _hello(record)
    raise MessageError("the message has an unknown type")


def _hello(record: dict[str, Any]) -> Hello:
    if record.get("version") != VERSION:
        raise MessageError(f"hello: this server implements version {VERSION} of the protocol")
    codecs = record.get("codecs")
    if not isinstance(codecs, list) or not all(isinstance(codec, str) for codec in codecs):
        raise MessageError("hello: codecs is not a list of strings")
    return Hello(tuple(codecs))


def _view(record: dict[str, Any]) -> ViewRequest:
    numbers = record.get("camera_to_world")
    if not isinstance(numbers, list) or len(numbers) != 12:
        raise MessageError("view: camera_to_world is not a list of 12 numbers")
    pose = np.array([_finite(number, "camera_to_world") for number in numbers]).reshape(3, 4)
    if np.abs(pose).max() > MAX_DISTANCE:
        raise MessageError("view: camera_to_world is too far away")
    if fault := rotation_fault(pose[:, :3]):
        raise MessageError(f"view: the 3x3 part of camera_to_world {fault}")
    width, height = _integer(record, "width", 1, _MAX_SIDE), _integer(record, "height", 1, _MAX_SIDE)
    if width * height > _MAX_PIXELS:
        raise MessageError(f"view: more than {_MAX_PIXELS} pixels")
    fov = _finite(record.get("fov"), "fov")
    if not _FOV[0] <= fov <= _FOV[1]:
        raise MessageError(f"view: fov is not within {_FOV[0]:g} to {_FOV[1]:g} degrees")
    return ViewRequest(
        id=_integer(record, "id", 0, _MAX_U32),
        frame=_finite(record.get("frame"), "frame"),
        camera_to_world=pose,
        fov=fov,
        width=width,
        height=height,
        moving=_flag(record, "moving"),
        depth=_flag(record, "depth"),
        layers=_integer(record, "layers", 0, 255),
    )


def _finite(value: object, key: str) -> float:
    if not is_number(value, -1e12, 1e12):
        raise MessageError(f"view: {key} is not a finite number")
    return float(value)


def _integer(record: dict[str, Any], key: str, least: int, most: int) -> int:
    value = record.get(key)
    if not is_integer(value, least, most):
        raise MessageError(f"{record['type']}: {key} is not an integer from {least} to {most}")
    return value


def _flag(record: dict[str, Any], key: str) -> bool:
    value = record.get(key)
    if not isinstance(value, bool):
        raise MessageError(f"view: {key} is not true or false")
    return value
