"""What a reader is willing to allocate for a file that it does not know."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Caps that are compared with declared sizes before anything is allocated.

    ``elements`` bounds one tensor payload and one answer of :meth:`Reader.latents`; an element takes
    4 bytes in memory.
    """

    header_bytes: int = 1 << 20
    directory_bytes: int = 1 << 24
    chunk_bytes: int = 1 << 30
    elements: int = 1 << 28


DEFAULT_LIMITS = Limits()
