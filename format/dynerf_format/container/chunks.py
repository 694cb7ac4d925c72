"""Chunks: a kind, the segment it belongs to, the frames or tensors it covers, and a payload.

Kinds are four ASCII letters. An upper-case first letter marks a critical kind: a reader that does not know it
must refuse the file. A lower-case one marks an ancillary kind, which such readers skip.

======  =============================================  ============================  =================
kind    payload                                        first                         count
======  =============================================  ============================  =================
WGHT    tensors: the field's weights of a segment      segments it builds on         number of tensors
LATN    one tensor ``latents`` (count, D)              first frame, from clip start  number of frames
occu    occupancy grids of a segment                   0                             0
soun    sound of the frames of one ``LATN`` chunk      as that chunk                 as that chunk
base    SHA-256 of the preceding clip                  0                             0
diff    as ``WGHT``, building on that clip             0                             number of tensors
======  =============================================  ============================  =================

``base`` and ``diff`` are for :func:`join_clips`: a clip of one segment also holds its weights as the
difference to the last segment of another clip, so that the two are joined without coding anything again.

Layer 0 suffices for a picture; the higher layers of ``WGHT`` refine it (``quality_layers.py``) and are
optional.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynerf_format.errors import FormatError
from dynerf_format.layout import U16_MAX, U32_MAX
from dynerf_format.limits import DEFAULT_LIMITS, Limits
from dynerf_format.sound.sound_payload import SoundPackets, pack_sound
from dynerf_format.tensors.occupancy import Occupancy, pack_occupancy
from dynerf_format.tensors.tensor_payload import pack_tensors, unpack_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynerf_format.tensors.quantise import QuantisedTensor

WEIGHTS = b"WGHT"
LATENTS = b"LATN"
OCCUPANCY = b"occu"
SOUND = b"soun"
BASE, DIFFERENCES = b"base", b"diff"
KNOWN_KINDS = (WEIGHTS, LATENTS)
LATENTS_TENSOR = "latents"
LAYERS_MAX = 16


@dataclass(frozen=True)
class Chunk:
    """A chunk to be written. FormatError when a number does not fit its field."""

    kind: bytes
    segment: int
    layer: int
    first: int
    count: int
    payload: bytes

    def __post_init__(self) -> None:
        check_kind(self.kind)
        for name, value, maximum in (
            ("segment", self.segment, U32_MAX),
            ("layer", self.layer, U16_MAX),
            ("first", self.first, U32_MAX),
            ("count", self.count, U32_MAX),
            ("length", len(self.payload), U32_MAX),
        ):
            if not 0 <= value <= maximum:
                raise FormatError(f"{self.kind.decode()} chunk: {name} {value}, expected 0 to {maximum}")


def check_kind(kind: bytes) -> None:
    """FormatError unless ``kind`` is four ASCII letters."""
    if len(kind) != 4 or not kind.isalpha():
        raise FormatError(f"chunk kind {kind!r}, expected four ASCII letters")


def is_critical(kind: bytes) -> bool:
    """True when a reader that does not know this kind must refuse the file."""
    return kind[:1].isupper()


def weights_chunk(segment: int, tensors: Sequence[QuantisedTensor]) -> Chunk:
    """The chunk with all weights of a segment, layer 0."""
    return Chunk(WEIGHTS, segment, 0, 0, len(tensors), pack_tensors(tensors))


def latents_chunk(segment: int, first: int, latents: QuantisedTensor) -> Chunk:
    """The chunk with the latent codes of the frames from ``first`` on: a tensor ``latents`` (frame, D)."""
    _check_latents(latents, latents.symbols.shape[0])
    return Chunk(LATENTS, segment, 0, first, latents.symbols.shape[0], pack_tensors([latents]))


def occupancy_chunk(segment: int, occupancy: Occupancy) -> Chunk:
    """The chunk with the occupancy grids of a segment."""
    return Chunk(OCCUPANCY, segment, 0, 0, 0, pack_occupancy(occupancy))


def sound_chunk(segment: int, first: int, count: int, sound: SoundPackets) -> Chunk:
    """The chunk with the sound of the ``count`` frames from ``first`` on, those of a chunk of latents."""
    return Chunk(SOUND, segment, 0, first, count, pack_sound(sound))


def ancillary_chunk(kind: bytes, segment: int, payload: bytes) -> Chunk:
    """A chunk of an ancillary kind, with an opaque payload. FormatError when the kind is critical."""
    if is_critical(kind):
        raise FormatError(f"chunk kind {kind!r}: starts with an upper-case letter, so it is not ancillary")
    return Chunk(kind, segment, 0, 0, 0, payload)


def unpack_weights(
    payload: bytes,
    count: int,
    limits: Limits = DEFAULT_LIMITS,
    coarser: Mapping[str, QuantisedTensor] | None = None,
    previous: Mapping[str, QuantisedTensor] | None = None,
) -> dict[str, QuantisedTensor]:
    """Return the ``count`` tensors of a ``WGHT`` payload by name; above layer 0 they refine ``coarser``.

    ``previous`` are the tensors of the previous segment in this layer, if the chunk builds on it.
    """
    tensors = unpack_tensors(payload, limits, coarser, previous)
    if len(tensors) != count:
        raise FormatError(f"weights: {len(tensors)} tensors, the directory declares {count}")
    return tensors


def unpack_latents(payload: bytes, count: int, limits: Limits = DEFAULT_LIMITS) -> QuantisedTensor:
    """Return the tensor (count, D) of a ``LATN`` payload."""
    tensors = unpack_tensors(payload, limits)
    if list(tensors) != [LATENTS_TENSOR]:
        raise FormatError(f"latents: found tensors {list(tensors)[:8]}, expected only {LATENTS_TENSOR!r}")
    latents = tensors[LATENTS_TENSOR]
    _check_latents(latents, count)
    return latents


def _check_latents(latents: QuantisedTensor, count: int) -> None:
    if latents.name != LATENTS_TENSOR:
        raise FormatError(f"latents: tensor named {latents.name!r}, expected {LATENTS_TENSOR!r}")
    shape = latents.symbols.shape
    if len(shape) != 2 or shape[0] != count:
        raise FormatError(f"latents: shape {shape}, expected ({count}, D)")
