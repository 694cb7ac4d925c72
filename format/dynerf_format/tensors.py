"""A list of quantised tensors <-> the decoded bytes of a ``WGHT`` or ``LATN`` chunk.

Per tensor: name, coding, factor, rank, number of steps, extents, steps (float32), symbols. A tensor with a
factor *refines* the one of its name in the layers below: symbol = factor * coarser symbol + stored symbol.
Symbols are stored plainly, as byte planes (all low bytes, then all next bytes, ...: zstd finds more in
them), or entropy-coded (``coding.py``); then the record holds tables, and one section at the end the words
of all.

Reading compares every declared size with the bytes that are left, and all work with limits, before it
allocates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import zstandard

from .coding import Coded, CodedRecord, SectionReader, code, pack_section, read_record
from .cursor import Cursor
from .errors import FormatError, LimitError
from .layout import EXTENT, NAME_LENGTH, TENSOR_COUNT, TENSOR_SHAPE
from .limits import DEFAULT_LIMITS, Limits
from .quantise import RANK_MAX, SYMBOL_MAX, QuantisedTensor, check_name, check_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

CODED = 0
FACTOR_MIN, FACTOR_MAX = 2, 255
REFINED_MAX = 2 * SYMBOL_MAX  # of factor times coarser symbol: sums with a residual stay within 32 bits

_WIDTHS = {1: "<i1", 2: "<i2", 4: "<i4"}
_STEP = np.dtype("<f4")
_LEVEL = 19
_SECTION_SHARE = 28  # bytes: what the first tensor in a section costs beside its bits


@dataclass(frozen=True, eq=False)
class _Record:
    """What stands before the symbols of a tensor."""

    name: str
    shape: tuple[int, ...]
    steps: npt.NDArray[np.float32]
    factor: int
    coarse: npt.NDArray[np.int32] | None
    stored: CodedRecord | npt.NDArray[np.int32]


def pack_tensors(
    tensors: Sequence[QuantisedTensor], coarser: Mapping[str, tuple[QuantisedTensor, int]] | None = None
) -> bytes:
    """Return the payload that holds ``tensors`` in the given order; FormatError when two share a name.

    ``coarser`` makes it a refinement: for each name the tensor below and the factor between the two.
    """
    names = [tensor.name for tensor in tensors]
    if len(set(names)) != len(names):
        raise FormatError("tensors: a name occurs more than once")
    parts, coded = [TENSOR_COUNT.pack(len(tensors))], []
    for tensor in tensors:
        below, factor = coarser[tensor.name] if coarser is not None else (None, 0)
        record, entropy_coded = _pack_tensor(tensor, None if below is None else below.symbols, factor)
        parts.append(record)
        coded += [] if entropy_coded is None else [entropy_coded]
    return b"".join([*parts, pack_section(coded)])


def unpack_tensors(
    payload: bytes,
    limits: Limits = DEFAULT_LIMITS,
    coarser: Mapping[str, QuantisedTensor] | None = None,
) -> dict[str, QuantisedTensor]:
    """Return the tensors of a payload by name, in stored order; ``coarser`` are those that it refines.

    FormatError when anything is missing, left over, doubled or out of range; LimitError when all tensors
    together have more than ``limits.elements`` elements, or few bytes ask for long work.
    """
    cursor = Cursor(payload)
    (count,) = cursor.unpack(TENSOR_COUNT)
    records: dict[str, _Record] = {}
    budget = limits.elements
    for _ in range(count):
        record = _read_record(cursor, budget, coarser)
        if record.name in records:
            raise FormatError(f"tensors: {record.name!r} occurs more than once")
        records[record.name] = record
        budget -= math.prod(record.shape)
    coded = [record.stored for record in records.values() if isinstance(record.stored, CodedRecord)]
    section = SectionReader(cursor, coded) if coded else None
    tensors = {name: _tensor(record, section) for name, record in records.items()}
    if section is not None:
        section.finish()
    if cursor.left:
        raise FormatError(f"tensors: {cursor.left} bytes left over after the last tensor")
    return tensors


def _tensor(record: _Record, section: SectionReader | None) -> QuantisedTensor:
    stored = record.stored
    if isinstance(stored, CodedRecord):
        assert section is not None
        symbols = section.symbols(stored, record.coarse, record.factor)
    else:
        symbols = stored if record.coarse is None else record.factor * record.coarse + stored
    return QuantisedTensor(record.name, symbols, record.steps)


def _pack_tensor(
    tensor: QuantisedTensor, coarse: npt.NDArray[np.int32] | None, factor: int
) -> tuple[bytes, Coded | None]:
    """The record with whichever coding is smaller; of an entropy-coded tensor the symbols go elsewhere."""
    residuals = tensor.symbols if coarse is None else tensor.symbols - factor * coarse
    width = _smallest_width(residuals)
    planes = _split_planes(residuals, width)
    coded = code(tensor.symbols, coarse, factor, time_like=tensor.name == "latents")
    zipped = zstandard.ZstdCompressor(level=_LEVEL).compress(planes)
    plain = coded.too_sparse or min(len(planes), len(zipped)) <= coded.bits / 8 + _SECTION_SHARE
    name, shape = tensor.name.encode("ascii"), tensor.symbols.shape
    head = b"".join(
        [
            NAME_LENGTH.pack(len(name)),
            name,
            TENSOR_SHAPE.pack(width if plain else CODED, factor, len(shape), tensor.steps.size),
            *(EXTENT.pack(extent) for extent in shape),
            tensor.steps.astype(_STEP).tobytes(),
        ]
    )
    return (head + planes, None) if plain else (head + coded.record, coded)


def _read_record(cursor: Cursor, budget: int, coarser: Mapping[str, QuantisedTensor] | None) -> _Record:
    """Read what is known of one tensor, of at most ``budget`` elements, before the section at the end."""
    (name_length,) = cursor.unpack(NAME_LENGTH)
    name = bytes(cursor.take(name_length)).decode("ascii", errors="replace")
    check_name(name)
    coding, factor, rank, step_count = cursor.unpack(TENSOR_SHAPE)
    if coding != CODED and coding not in _WIDTHS:
        raise FormatError(f"tensor {name!r}: coding {coding}, expected 0, 1, 2 or 4")
    if rank > RANK_MAX:
        raise FormatError(f"tensor {name!r}: {rank} axes, expected at most {RANK_MAX}")
    shape = tuple(cursor.unpack(EXTENT)[0] for _ in range(rank))
    check_shape(name, shape)
    elements = math.prod(shape)
    if elements > budget:
        raise LimitError(
            f"tensor {name!r}: shape {shape} has {elements} elements, at most {budget} allowed here"
        )
    steps = np.frombuffer(cursor.take(step_count * _STEP.itemsize), _STEP).astype(np.float32)
    coarse = _coarse(name, shape, factor, coarser)
    if coding == CODED:
        stored = read_record(cursor, name, shape, refines=coarse is not None)
        return _Record(name, shape, steps, factor, coarse, stored)
    plain = _join_planes(cursor.take(elements * coding), coding).reshape(shape)
    if int(plain.max()) > REFINED_MAX or int(plain.min()) < -REFINED_MAX:
        raise FormatError(f"tensor {name!r}: symbols beyond +-{REFINED_MAX}")
    return _Record(name, shape, steps, factor, coarse, plain)


def _coarse(
    name: str, shape: tuple[int, ...], factor: int, coarser: Mapping[str, QuantisedTensor] | None
) -> npt.NDArray[np.int32] | None:
    """The symbols that a tensor refines; FormatError when it should and does not, or the other way round."""
    if coarser is None:
        if factor:
            raise FormatError(f"tensor {name!r}: factor {factor}, but there is nothing to refine")
        return None
    if name not in coarser or coarser[name].symbols.shape != shape:
        raise FormatError(f"tensor {name!r}: refines no tensor of this name and shape")
    symbols = coarser[name].symbols
    if factor < FACTOR_MIN or factor * max(int(symbols.max()), -int(symbols.min())) > REFINED_MAX:
        raise FormatError(f"tensor {name!r}: factor {factor} is below 2, or too large for the symbols below")
    return symbols


def _smallest_width(symbols: npt.NDArray[np.int32]) -> int:
    low, high = int(symbols.min()), int(symbols.max())
    return next(width for width in _WIDTHS if -(1 << 8 * width - 1) <= low and high < 1 << 8 * width - 1)


def _split_planes(symbols: npt.NDArray[np.int32], width: int) -> bytes:
    """Two's complement, plane by plane, the lowest byte first."""
    interleaved = np.frombuffer(symbols.astype(_WIDTHS[width]).tobytes(), np.uint8).reshape(-1, width)
    return interleaved.T.tobytes()


def _join_planes(planes: memoryview, width: int) -> npt.NDArray[np.int32]:
    """Inverse of ``_split_planes``; returns a flat array that owns its memory."""
    by_plane = np.frombuffer(planes, np.uint8).reshape(width, -1)
    return np.frombuffer(by_plane.T.tobytes(), _WIDTHS[width]).astype(np.int32)
