"""What a tensor's record begins with: its name and shape, or which tensor it refines, and its steps.

    layer 0, latents   u8 coding, u8 characters shared with the name before, u8 others, others,
                       u8 rank, extents (varints), f32 x steps
    refinement         u8 coding, place among the tensors of the layers below (varint), u8 factor, f32 x steps

The lowest three bits of the coding tell how symbols are stored; 8 is added when the tensor is continued, 16
when it has a step for each index of its first axis and not one for all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from dynerf_format.coding.byte_reader import pack_varint
from dynerf_format.coding.side_information import SideInformation
from dynerf_format.errors import FormatError, LimitError
from dynerf_format.layout import CODING, FACTOR, RANK, SYMBOL_MAX, TENSOR_NAME

from .quantise import RANK_MAX, QuantisedTensor, check_name, check_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from dynerf_format.coding.byte_reader import ByteReader

    Tensors: TypeAlias = Mapping[str, QuantisedTensor]

CODED = 0
PLAIN = (1, 2, 4)
CONTINUED, STEP_EACH = 8, 16
FACTOR_MIN, FACTOR_MAX = 2, 255
REFINED_MAX = 2 * SYMBOL_MAX  # of factor times coarser symbol: sums with a residual stay within 32 bits

_STEP = np.dtype("<f4")


@dataclass(frozen=True, eq=False)
class TensorHead:
    """What stands before tables and symbols; ``coding`` is 0, or how many bytes a plain symbol takes."""

    name: str
    shape: tuple[int, ...]
    steps: npt.NDArray[np.float32]
    coding: int
    known: SideInformation


def pack_head(
    tensor: QuantisedTensor, coding: int, known: SideInformation, last_name: str, place: int | None
) -> bytes:
    """Return a head; ``place`` is that of the tensor which this one refines, among those below."""
    coding += (CONTINUED if known.before is not None else 0) + (STEP_EACH if tensor.steps.size > 1 else 0)
    if place is None:
        shared = len(
            list(takewhile(lambda pair: pair[0] == pair[1], zip(last_name, tensor.name, strict=False)))
        )
        other = tensor.name[shared:].encode("ascii")
        shape = b"".join(map(pack_varint, tensor.symbols.shape))
        which = TENSOR_NAME.pack(shared, len(other)) + other + RANK.pack(tensor.symbols.ndim) + shape
    else:
        which = pack_varint(place) + FACTOR.pack(known.factor)
    return CODING.pack(coding) + which + tensor.steps.astype(_STEP).tobytes()


def read_head(
    cursor: ByteReader, budget: int, last_name: str, coarser: Tensors | None, before: Tensors | None
) -> TensorHead:
    """Read a head; FormatError when it is impossible, LimitError when it has above ``budget`` elements.

    ``last_name`` is the name before it; ``coarser`` and ``before`` are as for ``unpack_tensors``.
    """
    (kind,) = cursor.unpack(CODING)
    coding = kind & ~(CONTINUED | STEP_EACH)
    if coding != CODED and coding not in PLAIN:
        raise FormatError(f"tensors: coding {kind}, expected 0, 1, 2 or 4, with or without 8 and 16")
    if coarser is None:
        name, below, factor = _read_name(cursor, last_name), None, 0
        shape = _read_shape(cursor, name)
    else:
        name, below, factor = _read_refined(cursor, coarser)
        shape = below.shape
    elements = math.prod(shape)
    if elements > budget:
        raise LimitError(
            f"tensor {name!r}: shape {shape} has {elements} elements, at most {budget} allowed here"
        )
    count = shape[0] if kind & STEP_EACH else 1
    steps = np.frombuffer(cursor.take(count * _STEP.itemsize), _STEP).astype(np.float32)
    known = SideInformation(below, factor, _before(name, shape, before) if kind & CONTINUED else None)
    return TensorHead(name, shape, steps, coding, known)


def _read_name(cursor: ByteReader, last_name: str) -> str:
    shared, length = cursor.unpack(TENSOR_NAME)
    if shared > len(last_name):
        raise FormatError(
            f"tensors: a name that shares {shared} characters with {last_name!r}, which has {len(last_name)}"
        )
    name = last_name[:shared] + bytes(cursor.take(length)).decode("ascii", errors="replace")
    check_name(name)
    return name


def _read_shape(cursor: ByteReader, name: str) -> tuple[int, ...]:
    (rank,) = cursor.unpack(RANK)
    if rank > RANK_MAX:
        raise FormatError(f"tensor {name!r}: {rank} axes, expected at most {RANK_MAX}")
    shape = tuple(cursor.varint() for _ in range(rank))
    check_shape(name, shape)
    return shape


def _read_refined(cursor: ByteReader, coarser: Tensors) -> tuple[str, npt.NDArray[np.int32], int]:
    """The name, symbols and factor of the tensor below."""
    place = cursor.varint()
    (factor,) = cursor.unpack(FACTOR)
    if place >= len(coarser):
        raise FormatError(f"tensors: refines tensor {place}, the layers below have {len(coarser)}")
    name = list(coarser)[place]
    symbols = coarser[name].symbols
    if factor < FACTOR_MIN or factor * max(int(symbols.max()), -int(symbols.min())) > REFINED_MAX:
        raise FormatError(f"tensor {name!r}: factor {factor} is below 2, or too large for the symbols below")
    return name, symbols, factor


def _before(name: str, shape: tuple[int, ...], before: Tensors | None) -> npt.NDArray[np.int32]:
    """The symbols that a tensor continues; FormatError when there are none."""
    if before is None or name not in before or before[name].symbols.shape != shape:
        raise FormatError(f"tensor {name!r}: continues no tensor of this name and shape")
    return before[name].symbols
