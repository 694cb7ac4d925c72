"""What counts as a number in JSON and msgpack from outside: Python takes booleans for integers."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeGuard


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text without NaN and infinity. Raises ValueError or RecursionError."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def is_number(value: object, least: float, most: float) -> TypeGuard[int | float]:
    """Whether a value is a number in a closed range.

    A comparison and not a conversion: an integer may be too long for a float.
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def is_integer(value: object, least: int, most: int) -> TypeGuard[int]:
    """Whether a value is an integer in a closed range."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
