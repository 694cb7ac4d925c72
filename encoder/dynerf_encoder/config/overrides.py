"""Changes single settings by name: ``schedule.scale=0.5``, ``planes.scales=64,160``, or a TOML file.

Names and types come from the dataclasses. The error for an unknown name states the nearest known one; the
error for a value of the wrong type states what was expected.
"""

import dataclasses
import difflib
import math
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from dynerf_format.errors import ConfigError

from .schema import Config

_FIXED = ("preset", "field")  # chosen by options of their own


def apply_assignments(config: Config, assignments: Iterable[str]) -> Config:
    """Apply ``section.key=value`` texts in order. Raises ConfigError."""
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--set {text}: expected section.key=value")
        config = _assign(config, key.strip(), value.strip(), f"--set {text}")
    return config


def apply_file(config: Config, path: Path) -> Config:
    """Apply a TOML file of ``[section]`` tables. Raises ConfigError naming the file and key."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from error
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: found the bare key {section}, expected [section] tables")
        if not table and not any(key.startswith(f"{section}.") for key in known_keys()):
            raise ConfigError(f"{path}: unknown section [{section}]")
        for key, value in table.items():
            config = _assign(config, f"{section}.{key}", value, f"{path}: {section}.{key}")
    return config


def known_keys() -> list[str]:
    """Names of all settings, sorted."""
    return sorted(
        f"{section.name}.{key.name}"
        for section in dataclasses.fields(Config)
        if section.name not in _FIXED
        for key in dataclasses.fields(get_type_hints(Config)[section.name])
    )


def _assign(config: Config, key: str, value: object, where: str) -> Config:
    if key not in known_keys():
        near = difflib.get_close_matches(key, known_keys(), n=1, cutoff=0.0)
        raise ConfigError(f"{where}: unknown setting {key}, the nearest known one is {near[0]}")
    section_name, name = key.split(".")
    section = getattr(config, section_name)
    kind = get_type_hints(type(section))[name]
    try:
        parsed = _parse(value, kind)
    except ValueError as error:
        raise ConfigError(f"{where}: found {value!r}, expected {error}") from None
    replaced: dict[str, Any] = {section_name: dataclasses.replace(section, **{name: parsed})}
    return dataclasses.replace(config, **replaced)


def _parse(value: object, kind: Any) -> object:
    """A value of type ``kind`` from TOML or text; the ValueError's message is what was expected."""
    if get_origin(kind) is tuple:
        return _parse_list(value, get_args(kind)[0])
    if isinstance(value, str):
        value = _unquoted(value)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError(f"one of {', '.join(get_args(kind))}")
        return value
    if kind is bool:
        return _parse_bool(value)
    return _parse_number(value, kind)


def _parse_list(value: object, kind: type[int] | type[float]) -> tuple[object, ...]:
    """``[96, 192]`` as in TOML, or the same without brackets."""
    parts = _items(value) if isinstance(value, str) else value
    try:
        if not isinstance(parts, list) or not parts:
            raise ValueError
        return tuple(_parse_number(part, kind) for part in parts)
    except ValueError:
        numbers = "whole numbers" if kind is int else "numbers"
        raise ValueError(f"{numbers} that are not negative, such as 96,192 or [96,192]") from None


def _items(text: str) -> list[str]:
    text = text.strip()
    if text[:1] + text[-1:] in ("[]", "()"):
        text = text[1:-1]
    return text.split(",")


def _unquoted(text: str) -> str:
    """Text without its quotes: ``"isg"``, as in TOML, is isg."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _parse_bool(value: object) -> bool:
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower())
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _parse_number(value: object, kind: type[int] | type[float]) -> int | float:
    expected = "a whole number" if kind is int else "a number"
    if isinstance(value, bool) or (kind is int and isinstance(value, float)):
        raise ValueError(expected)
    try:
        number = kind(str(value))
        finite = math.isfinite(number)
    except (ValueError, OverflowError):
        raise ValueError(expected) from None
    if not finite or number < 0:
        raise ValueError(f"{expected} that is not negative")
    return number
