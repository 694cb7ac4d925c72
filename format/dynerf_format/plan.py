"""Which chunks answer a request: pure functions of the directory, no reading.

The player plans with the same functions what it fetches over HTTP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .chunks import LATENTS, WEIGHTS
from .entropy import CODECS
from .errors import ViewError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .directory import Entry


def weights_entry(directory: Sequence[Entry], segment: int) -> Entry:
    """Return the chunk with the weights (layer 0) of a segment; ViewError when there is no such segment."""
    for entry in directory:
        if entry.kind == WEIGHTS and entry.layer == 0 and entry.segment == segment:
            return entry
    raise ViewError(f"segment {segment} is not in the clip")


def ancillary_entry(directory: Sequence[Entry], kind: bytes, segment: int) -> Entry | None:
    """Return the first chunk of an ancillary kind (layer 0) for a segment that this reader can decode."""
    for entry in directory:
        if (entry.kind, entry.segment, entry.layer) == (kind, segment, 0) and entry.codec in CODECS:
            return entry
    return None


def latents_entries(directory: Sequence[Entry], first: int, count: int) -> tuple[Entry, ...]:
    """Return the chunks that hold the latents (layer 0) of ``count`` frames from ``first`` on, in order.

    ViewError when a frame is not in the clip or ``count`` is below 1.
    """
    groups = [entry for entry in directory if entry.kind == LATENTS and entry.layer == 0]
    frames = groups[-1].first + groups[-1].count
    if first < 0 or count < 1 or first + count > frames:
        raise ViewError(f"frames {first} to {first + count - 1} asked for, the clip has 0 to {frames - 1}")
    return tuple(
        entry for entry in groups if entry.first < first + count and first < entry.first + entry.count
    )
