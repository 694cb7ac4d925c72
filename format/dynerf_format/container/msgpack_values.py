"""Plain values (msgpack's nil, bool, int, float, str, array, map) and typed access to them by path.

Errors give the path: ``header.cameras[3].focal_x: found str, expected number``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import msgpack  # type: ignore[import-untyped]

from dynerf_format.errors import FormatError, LimitError

DEPTH_MAX = 12
KEY_LENGTH_MAX = 128
CONTAINERS_MAX = 2**16

_Choice = TypeVar("_Choice", bound=str)


def pack(value: Any) -> bytes:
    """Return the msgpack bytes of a value that :func:`plain` returned."""
    packed: bytes = msgpack.packb(value)
    return packed


def unpack(data: bytes, path: str) -> Any:
    """Return the single plain value in ``data``; FormatError when there is anything else."""
    try:
        build = _Builder()
        value = msgpack.unpackb(
            data, object_pairs_hook=build.mapping, list_hook=build.array, ext_hook=build.extension
        )
    except FormatError as error:
        raise type(error)(f"{path}: {error}") from error
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        raise FormatError(
            f"{path}: is not a single msgpack value: {error or type(error).__name__}"
        ) from error
    return plain(value, path)


def plain(value: object, path: str, depth: int = 0) -> Any:
    """Return a copy of ``value`` made of lists and of dicts sorted by key, after checking every leaf.

    Keys are sorted so that equal values are written as equal bytes.
    FormatError for other types, numbers that are not finite or beyond 64 bits, keys that are not text, text
    that is not Unicode, and nesting deeper than 12.
    """
    if depth > DEPTH_MAX:
        raise FormatError(f"{path[:200]}: nested deeper than {DEPTH_MAX}")
    if isinstance(value, Mapping):
        keys = sorted(_check_key(key, path) for key in value)
        return {key: plain(value[key], f"{path}.{key}", depth + 1) for key in keys}
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise FormatError(f"{path}: found {value}, expected a finite number")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise FormatError(f"{path}: found an integer beyond 64 bits")
    if isinstance(value, str):
        _check_unicode(value, path)
    elif value is not None and not isinstance(value, (bool, int, float)):
        raise FormatError(f"{path}: found {_type_name(value)}, expected a plain value")
    return value


class MsgpackNode:
    """A plain value and its path; every method checks the type and returns the typed value."""

    def __init__(self, value: object, path: str) -> None:
        self.value = value
        self.path = path

    def field(self, key: str) -> MsgpackNode:
        """The value of a key that must exist."""
        fields = self.mapping()
        if key not in fields:
            raise FormatError(f"{self.path}.{key}: is missing")
        return fields[key]

    def mapping(self) -> dict[str, MsgpackNode]:
        """All keys of a map."""
        if not isinstance(self.value, dict):
            raise self._unexpected("map")
        return {key: MsgpackNode(value, f"{self.path}.{key}") for key, value in self.value.items()}

    def items(self) -> list[MsgpackNode]:
        """All items of an array."""
        if not isinstance(self.value, list):
            raise self._unexpected("array")
        return [MsgpackNode(item, f"{self.path}[{index}]") for index, item in enumerate(self.value)]

    def integer(self, minimum: int, maximum: int) -> int:
        """An integer in a closed range."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self._unexpected("integer")
        if not minimum <= self.value <= maximum:
            raise FormatError(f"{self.path}: found {self.value}, expected {minimum} to {maximum}")
        return self.value

    def number(self) -> float:
        """A finite number; integers are accepted, because other languages write 1.0 as 1."""
        if not isinstance(self.value, (int, float)) or isinstance(self.value, bool):
            raise self._unexpected("number")
        return float(self.value)

    def positive(self) -> float:
        """A number above 0."""
        number = self.number()
        if number <= 0:
            raise FormatError(f"{self.path}: found {number}, expected a number above 0")
        return number

    def numbers(self, count: int) -> tuple[float, ...]:
        """Exactly ``count`` numbers."""
        items = self.items()
        if len(items) != count:
            raise FormatError(f"{self.path}: found {len(items)} numbers, expected {count}")
        return tuple(item.number() for item in items)

    def text(self, length_max: int) -> str:
        """Printable text of 1 to ``longest`` characters."""
        if not isinstance(self.value, str):
            raise self._unexpected("text")
        if not 1 <= len(self.value) <= length_max or not self.value.isprintable():
            raise FormatError(f"{self.path}: expected 1 to {length_max} printable characters")
        return self.value

    def choice(self, allowed: tuple[_Choice, ...]) -> _Choice:
        """One of the ``allowed`` words."""
        for word in allowed:
            if self.value == word:
                return word
        raise FormatError(
            f"{self.path}: found {str(self.value)[:64]!r}, expected {' or '.join(map(repr, allowed))}"
        )

    def scalar(self) -> Any:
        """A bool, number or text, as it is."""
        if not isinstance(self.value, (bool, int, float, str)):
            raise self._unexpected("bool, number or text")
        return self.value

    def _unexpected(self, expected: str) -> FormatError:
        return FormatError(f"{self.path}: found {_type_name(self.value)}, expected {expected}")


def _check_key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise FormatError(f"{path}: found a key of type {_type_name(key)}, expected text")
    if not 1 <= len(key) <= KEY_LENGTH_MAX or not key.isprintable():
        raise FormatError(f"{path}: found a key that is not 1 to {KEY_LENGTH_MAX} printable characters")
    return key


def _check_unicode(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FormatError(f"{path}: found text that is not valid Unicode") from error


def _type_name(value: object) -> str:
    names = {type(None): "nil", str: "str", list: "array", dict: "map"}
    return names.get(type(value), type(value).__name__)


class _Builder:
    """Callbacks of msgpack for the containers of one message, each called before its parent is complete."""

    def __init__(self) -> None:
        self._containers = 0

    def mapping(self, pairs: list[tuple[object, object]]) -> dict[object, object]:
        self._count()
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise FormatError("a key occurs twice in one map")
        return fields

    def array(self, items: list[object]) -> list[object]:
        self._count()
        return items

    def extension(self, code: int, _data: bytes) -> object:
        raise FormatError(f"msgpack extension type {code} is not allowed")

    def _count(self) -> None:
        # An empty map is 1 byte in the file and 64 bytes in memory.
        self._containers += 1
        if self._containers > CONTAINERS_MAX:
            raise LimitError(f"more than {CONTAINERS_MAX} maps and arrays")
