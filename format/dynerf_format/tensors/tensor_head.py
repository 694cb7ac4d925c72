"""The head of a tensor's record: its name and shape, or which tensor it refines, and its steps.

    layer 0, latents   u8 coding, u8 characters shared with the previous name, u8 others, others,
                       u8 rank, extents (varints), f32 x steps
    refinement         u8 coding, index among the tensors of the layers below (varint), u8 factor, f32 x steps

The lowest three bits of the coding state how symbols are stored; 8 is added when the tensor is continued, 16
when it has a step for each index of its first axis instead of a single one.
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
CONTINUED, STEP_PER_CHANNEL = 8, 16
FACTOR_MIN, FACTOR_MAX = 2, 255
ANEW = 0  # in place of a factor: coded without the layers below
REFINED_MAX = 2 * SYMBOL_MAX  # of factor times coarser symbol, so that sums with a residual fit into 32 bits

_STEP_TYPE = np.dtype("<f4")


@dataclass(frozen=True, eq=False)
class TensorHead:
    """The fields before tables and symbols; ``coding`` is 0, or the number of bytes of a plain symbol."""

    name: str
    shape: tuple[int, ...]
    steps: npt.NDArray[np.float32]
    coding: int
    side_info: SideInformation


def pack_head(
    tensor: QuantisedTensor, coding: int, side_info: SideInformation, last_name: str, index: int | None
) -> bytes:
    """Return a head; ``index`` is that of the refined tensor among those of the layers below."""
    coding += (CONTINUED if side_info.previous is not None else 0) + (
        STEP_PER_CHANNEL if tensor.steps.size > 1 else 0
    )
    if index is None:
        shared = len(
            list(takewhile(lambda pair: pair[0] == pair[1], zip(last_name, tensor.name, strict=False)))
        )
        other = tensor.name[shared:].encode("ascii")
        shape = b"".join(map(pack_varint, tensor.symbols.shape))
        identity = TENSOR_NAME.pack(shared, len(other)) + other + RANK.pack(tensor.symbols.ndim) + shape
    else:
        identity = pack_varint(index) + FACTOR.pack(side_info.factor)
    return CODING.pack(coding) + identity + tensor.steps.astype(_STEP_TYPE).tobytes()


def read_head(
    reader: ByteReader, budget: int, last_name: str, coarser: Tensors | None, previous: Tensors | None
) -> TensorHead:
    """Read a head; FormatError when it is invalid, LimitError for more than ``budget`` elements.

    ``last_name`` is the previous name; ``coarser`` and ``previous`` are as for ``unpack_tensors``.
    """
    (kind,) = reader.unpack(CODING)
    coding = kind & ~(CONTINUED | STEP_PER_CHANNEL)
    if coding != CODED and coding not in PLAIN:
        raise FormatError(f"tensors: coding {kind}, expected 0, 1, 2 or 4, optionally plus 8 and 16")
    if coarser is None:
        name, below, factor = _read_name(reader, last_name), None, 0
        shape = _read_shape(reader, name)
    else:
        name, shape, below, factor = _read_refined(reader, coarser)
    elements = math.prod(shape)
    if elements > budget:
        raise LimitError(
            f"tensor {name!r}: shape {shape} has {elements} elements, at most {budget} allowed here"
        )
    count = shape[0] if kind & STEP_PER_CHANNEL else 1
    steps = np.frombuffer(reader.take(count * _STEP_TYPE.itemsize), _STEP_TYPE).astype(np.float32)
    side_info = SideInformation(
        below, factor, _previous_symbols(name, shape, previous) if kind & CONTINUED else None
    )
    return TensorHead(name, shape, steps, coding, side_info)


def _read_name(reader: ByteReader, last_name: str) -> str:
    shared, length = reader.unpack(TENSOR_NAME)
    if shared > len(last_name):
        raise FormatError(
            f"tensors: a name shares {shared} characters with {last_name!r}, which has {len(last_name)}"
        )
    name = last_name[:shared] + bytes(reader.take(length)).decode("ascii", errors="replace")
    check_name(name)
    return name


def _read_shape(reader: ByteReader, name: str) -> tuple[int, ...]:
    (rank,) = reader.unpack(RANK)
    if rank > RANK_MAX:
        raise FormatError(f"tensor {name!r}: {rank} axes, expected at most {RANK_MAX}")
    shape = tuple(reader.varint() for _ in range(rank))
    check_shape(name, shape)
    return shape


def _read_refined(
    reader: ByteReader, coarser: Tensors
) -> tuple[str, tuple[int, ...], npt.NDArray[np.int32] | None, int]:
    """The name, shape, symbols and factor of the tensor below; no symbols when it is coded anew."""
    index = reader.varint()
    (factor,) = reader.unpack(FACTOR)
    if index >= len(coarser):
        raise FormatError(f"tensors: refines tensor {index}, but the layers below have {len(coarser)}")
    name = list(coarser)[index]
    symbols = coarser[name].symbols
    if factor == ANEW:
        return name, symbols.shape, None, factor
    if factor < FACTOR_MIN or factor * max(int(symbols.max()), -int(symbols.min())) > REFINED_MAX:
        raise FormatError(
            f"tensor {name!r}: factor {factor}, expected 0 or 2 to 255, not too large for the symbols below"
        )
    return name, symbols.shape, symbols, factor


def _previous_symbols(name: str, shape: tuple[int, ...], previous: Tensors | None) -> npt.NDArray[np.int32]:
    """The symbols that a tensor continues; FormatError when there are none."""
    if previous is None or name not in previous or previous[name].symbols.shape != shape:
        raise FormatError(
            f"tensor {name!r}: the previous segment has no tensor of this name and shape to continue"
        )
    return previous[name].symbols
