"""Sizes of files as people write them; kB and MB are powers of ten, as in all that the command prints."""

import re

from dynerf_format.errors import ConfigError

_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(kB|MB|GB)?")
_UNITS = {None: 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}


def parse_size(text: str) -> int:
    """Bytes, from ``500kB``, ``2MB`` or a plain number. Raises ConfigError."""
    match = _SIZE.fullmatch(text)
    size = round(float(match[1]) * _UNITS[match[2]]) if match else 0
    if not 1 <= size < 2**32:
        raise ConfigError(f"found {text[:40]!r}, expected a size such as 500kB or 2MB")
    return size
