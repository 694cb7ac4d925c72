"""What a reader is willing to allocate for a file that it does not know."""

from dataclasses import dataclass

TENSORS_MAX = 2**12
"""Of one chunk: each takes a thousand bytes in memory beside its symbols, and may take ten in the file."""


@dataclass(frozen=True)
class Limits:
    """Caps that are compared with declared sizes before anything is allocated.

    ``elements`` bounds one tensor payload and one answer of :meth:`Reader.latents`; an element takes
    4 bytes in memory. It also bounds what is kept of a segment while those that continue it are read.
    ``chain`` is how many segments the weights of one may build on.
    """

    header_bytes: int = 1 << 20
    directory_bytes: int = 1 << 24
    chunk_bytes: int = 1 << 30
    elements: int = 1 << 28
    chain: int = 63


DEFAULT_LIMITS = Limits()
