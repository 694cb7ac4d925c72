"""Reads JSON files of other programs and values in them; every error names the file and the key.

The files are not trusted: their size is bounded, numbers are finite, and paths stay below the folder.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float

from dynerf_format.errors import CaptureError, reason
from dynerf_format.values import is_number, parse_json

MAX_BYTES = 2**28  # of a description: a pose for each picture of 20 cameras x 10 minutes is about 150 MB
MAX_NUMBER = 1e15  # in descriptions of any kind: its square is finite
_MAX_TEXT = 4096
_MAX_FILE_NAME, _MAX_PATH = 240, 2048  # bytes; systems allow 255 and 4096, and suffixes are appended


@dataclass(frozen=True)
class JsonRecord:
    """A JSON object and where it is, for messages: ``/data/transforms.json: frames[3]``."""

    values: Mapping[str, object]
    where: str

    def has(self, key: str) -> bool:
        """Whether a key is present and not null."""
        return self.values.get(key) is not None

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number. Raises CaptureError; a missing key is an error unless there is a default."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if not is_number(value, -MAX_NUMBER, MAX_NUMBER):
            raise CaptureError(f"{self.where}: {key} is {shown(value)}, expected a number")
        return float(value)

    def size(self, key: str, default: int | None = None) -> int:
        """A positive whole number, which may be written as 2560.0."""
        value = self.number(key, default)
        if value < 1 or value != int(value):
            raise CaptureError(f"{self.where}: {key} is {value:g}, expected a positive whole number")
        return int(value)

    def text(self, key: str, default: str | None = None) -> str:
        """A string of at most 4096 characters."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or len(value) > _MAX_TEXT:
            raise CaptureError(f"{self.where}: {key} is {shown(value)}, expected text")
        return value

    def array(self, key: str, *shapes: tuple[int, ...]) -> Float[np.ndarray, "..."]:
        """Finite numbers of one of ``shapes``."""
        expected = " or ".join("x".join(map(str, shape)) for shape in shapes)
        value = self.values.get(key)
        try:
            found = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            found = np.full(0, np.nan)
        if found.shape not in shapes or not np.isfinite(found).all() or np.abs(found).max() > MAX_NUMBER:
            raise CaptureError(f"{self.where}: {key} is {shown(value)}, expected {expected} finite numbers")
        return found

    def records(self, key: str) -> list["JsonRecord"]:
        """A list of at least one object."""
        value = self.values.get(key)
        if not isinstance(value, list) or not value:
            raise CaptureError(
                f"{self.where}: {key} is {shown(value)}, expected a list of at least one object"
            )
        return [record_of(each, f"{self.where}: {key}[{index}]") for index, each in enumerate(value)]

    def record(self, key: str) -> "JsonRecord":
        """An object; an empty one when the key is missing."""
        value = self.values.get(key)
        return JsonRecord({}, self.where) if value is None else record_of(value, f"{self.where}: {key}")


def record_of(value: object, where: str) -> JsonRecord:
    """A JSON value that must be an object."""
    if not isinstance(value, dict):
        raise CaptureError(f"{where}: found {shown(value)}, expected an object")
    return JsonRecord(value, where)


def read_json(path: Path, what: str) -> object:
    """The value in a JSON file; ``what`` it is said to be in errors. Raises CaptureError."""
    data = read_bytes(path, what)
    try:
        return parse_json(data)
    except (ValueError, RecursionError) as error:
        raise CaptureError(f"{path}: is not JSON: {str(error)[:100]}; expected {what}") from error


def read_record(path: Path, what: str) -> JsonRecord:
    """The object in a JSON file."""
    return record_of(read_json(path, what), str(path))


def read_bytes(path: Path, what: str) -> bytes:
    """The bytes of a regular file of at most ``MAX_BYTES``. Raises CaptureError."""
    try:
        if not path.is_file():
            missing = "is not a file" if path.exists() else "does not exist"
            raise CaptureError(f"{path}: {missing}, expected {what}")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CaptureError(f"{path}: cannot be read: {reason(error)}") from error
    if len(data) > MAX_BYTES:
        raise CaptureError(f"{path}: more than {MAX_BYTES} bytes, expected {what}")
    return data


def path_below(folder: Path, name: str, where: str) -> Path:
    """The path of a file that a description names relative to ``folder``, with / or \\ between its parts.

    Raises CaptureError for an absolute path and for one that leads out of the folder: a description from
    elsewhere must not make the encoder read other files.
    """
    relative = PurePosixPath(name.replace("\\", "/"))
    leads_elsewhere = relative.is_absolute() or ".." in relative.parts or re.match("[A-Za-z]:", name)
    too_long = len(name) > _MAX_PATH
    if not name or leads_elsewhere or too_long or not all(map(is_file_name, relative.parts)):
        raise CaptureError(
            f"{where}: file name {name[:120]!r}, expected a path relative to {folder}, without .."
        )
    return folder.joinpath(*relative.parts)


def is_file_name(part: str) -> bool:
    """Whether a text can be the name of a file: its bytes exist (no lone surrogates) and are not too many."""
    try:
        return bool(part) and "\0" not in part and len(part.encode("utf-8")) <= _MAX_FILE_NAME
    except UnicodeEncodeError:
        return False


def shown(value: object) -> str:
    """A JSON value in a few words, for one line of text."""
    if value is None:
        return "missing"
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return repr(value)[:60] if not isinstance(value, str) else repr(value[:60])
