"""Select the chunks that a request needs: pure functions of the directory, without I/O.

The player uses the same functions to plan what it fetches over HTTP.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from dynerf_format.errors import ViewError

from .chunks import LATENTS, SOUND, WEIGHTS
from .compression import CODECS, RAW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .directory import Entry


def weights_entries(directory: Sequence[Entry], segment: int, layers: int | None = None) -> tuple[Entry, ...]:
    """Return the chunks with the weights of a segment, coarse layer first, at most ``layers`` of them.

    The layers end before the first one in a codec unknown to this reader, in this segment or in one that it
    builds on. ViewError when there is no such segment or ``layers`` is below 1.
    """
    return weights_chain(directory, segment, layers)[-1]


def weights_chain(
    directory: Sequence[Entry], segment: int, layers: int | None = None
) -> tuple[tuple[Entry, ...], ...]:
    """As :func:`weights_entries`, for every segment needed: those it builds on, in order, then itself."""
    if layers is not None and layers < 1:
        raise ViewError(f"{layers} layers requested, expected at least 1")
    by_segment: dict[int, list[Entry]] = {}
    for entry in directory:
        if entry.kind == WEIGHTS and entry.segment <= segment:
            by_segment.setdefault(entry.segment, []).append(entry)
    if segment not in by_segment:
        raise ViewError(f"segment {segment} is not in the clip")
    chain = [by_segment[number] for number in range(segment - by_segment[segment][0].first, segment + 1)]
    usable = [tuple(takewhile(lambda entry: entry.codec in CODECS, entries[:layers])) for entries in chain]
    count = min(map(len, usable))
    return tuple(entries[:count] for entries in usable)


def weights_entry(directory: Sequence[Entry], segment: int) -> Entry:
    """Return the chunk with the weights (layer 0) of a segment; ViewError when there is no such segment."""
    return weights_entries(directory, segment, 1)[0]


def ancillary_entry(directory: Sequence[Entry], kind: bytes, segment: int) -> Entry | None:
    """Return the first decodable chunk of an ancillary kind (layer 0) for a segment, if there is one."""
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
        raise ViewError(f"frames {first} to {first + count - 1} requested, the clip has 0 to {frames - 1}")
    return tuple(
        entry for entry in groups if entry.first < first + count and first < entry.first + entry.count
    )


def is_sound(entry: Entry) -> bool:
    """Whether a chunk holds sound of a group of frames that this reader can use."""
    return entry.kind == SOUND and entry.layer == 0 and entry.codec == RAW


def sound_entries(directory: Sequence[Entry], first: int, count: int) -> tuple[Entry, ...]:
    """Return the chunks with sound of any of the ``count`` frames from ``first`` on, in order, if any."""
    return tuple(
        entry
        for entry in directory
        if is_sound(entry) and entry.first < first + count and first < entry.first + entry.count
    )
