"""Limits on what a reader allocates for an untrusted file."""

from dataclasses import dataclass

TENSORS_MAX = 2**12
"""Per chunk: a tensor takes some 1000 bytes in memory besides its symbols, but as few as 10 in the file."""


@dataclass(frozen=True)
class Limits:
    """Maximum sizes, compared with declared sizes before anything is allocated.

    ``elements`` bounds one tensor payload and one result of :meth:`Reader.latents`; an element takes
    4 bytes in memory. It also bounds what is kept of a segment while segments that continue it are read.
    ``chain`` is the largest number of segments that the weights of one may build on.
    """

    header_bytes: int = 1 << 20
    directory_bytes: int = 1 << 24
    chunk_bytes: int = 1 << 30
    elements: int = 1 << 28
    chain: int = 63


DEFAULT_LIMITS = Limits()
