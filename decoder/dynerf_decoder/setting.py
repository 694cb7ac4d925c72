"""Defines dataclass fields that carry their own documentation.

``docs/reference/settings.md`` is generated from them.
"""

import dataclasses
from typing import Any


def setting(meaning: str, unit: str = "", *, default: Any = dataclasses.MISSING) -> Any:
    """A field of a settings dataclass, with its meaning and, for numbers, its unit."""
    return dataclasses.field(default=default, metadata={"meaning": meaning, "unit": unit})
