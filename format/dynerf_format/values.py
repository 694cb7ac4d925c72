"""Checks of numbers in untrusted JSON and msgpack. Booleans, which are ints in Python, are not numbers."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeGuard


def parse_json(text: str | bytes) -> Any:
    """Parse JSON, refusing NaN and infinity. Raises ValueError or RecursionError."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def is_number(value: object, minimum: float, maximum: float) -> TypeGuard[int | float]:
    """Whether a value is a number in a closed range.

    It is compared, not converted: an integer may be too large for a float.
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and minimum <= value <= maximum


def is_integer(value: object, minimum: int, maximum: int) -> TypeGuard[int]:
    """Whether a value is an integer in a closed range."""
    return isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum
