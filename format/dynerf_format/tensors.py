"""A list of quantised tensors <-> the decoded bytes of a ``WGHT`` or ``LATN`` chunk.

Per tensor: name, coding, factor, rank, number of steps, extents, steps (float32), symbols. A tensor with a
factor *refines* the one of its name in the layers below: symbol = factor * coarser symbol + stored symbol.
One that is *continued* is coded knowing the tensor of its name and layer in the segment before.
Symbols are stored plainly, as byte planes (all low bytes, then all next bytes, ...: zstd finds more in
them), or entropy-coded (``coding.py``); then the record holds tables, and one section at the end the words
of all.

Reading compares every declared size with the bytes that are left, and all work with limits, before it
allocates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import zstandard

from .coding import Coded, CodedRecord, SectionReader, code, code_together, pack_section, read_record
from .cursor import Cursor
from .errors import FormatError, LimitError
from .layout import EXTENT, NAME_LENGTH, TENSOR_COUNT, TENSOR_SHAPE
from .limits import DEFAULT_LIMITS, Limits
from .models import FLAT, Known
from .quantise import RANK_MAX, SYMBOL_MAX, QuantisedTensor, check_name, check_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

CODED = 0
CONTINUED = 8  # added to the coding
FACTOR_MIN, FACTOR_MAX = 2, 255
REFINED_MAX = 2 * SYMBOL_MAX  # of factor times coarser symbol: sums with a residual stay within 32 bits

_WIDTHS = {1: "<i1", 2: "<i2", 4: "<i4"}
_STEP = np.dtype("<f4")
_LEVEL = 19
_SHARED_RANK = 2  # at most, of tensors that share a table
_SHARED_ELEMENTS = 2**16  # at most; larger tensors have symbols enough for a table of their own
_SECTION_SHARE = 28  # bytes: what the first tensor in a section costs beside its bits


@dataclass(frozen=True, eq=False)
class _Record:
    """What stands before the symbols of a tensor."""

    name: str
    shape: tuple[int, ...]
    steps: npt.NDArray[np.float32]
    known: Known
    stored: CodedRecord | npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class _Packed:
    """A tensor's record; of an entropy-coded one the symbols go elsewhere."""

    record: bytes
    coded: Coded | None
    known: Known
    size: float

    @property
    def continued(self) -> bool:
        return self.known.before is not None

    @property
    def may_share(self) -> bool:
        """Whether a table may be shared with others."""
        return self.coded is None or self.coded.model == FLAT


def pack_tensors(
    tensors: Sequence[QuantisedTensor],
    coarser: Mapping[str, tuple[QuantisedTensor, int]] | None = None,
    before: Mapping[str, QuantisedTensor] | None = None,
) -> bytes:
    """Return the payload that holds ``tensors`` in the given order; FormatError when two share a name.

    ``coarser`` makes it a refinement: for each name the tensor below and the factor between the two. Tensors
    that ``before``, this layer in the segment before, makes smaller are continued from there.
    """
    return _pack(_packed(tensors, coarser, before))


def pack_continued(
    tensors: Sequence[QuantisedTensor],
    coarser: Mapping[str, tuple[QuantisedTensor, int]] | None,
    before: Mapping[str, QuantisedTensor],
) -> tuple[bytes, bool]:
    """As :func:`pack_tensors`; and whether any tensor is continued."""
    packed = _packed(tensors, coarser, before)
    return _pack(packed), any(one.continued for one in packed)


def _packed(
    tensors: Sequence[QuantisedTensor],
    coarser: Mapping[str, tuple[QuantisedTensor, int]] | None,
    before: Mapping[str, QuantisedTensor] | None,
) -> list[_Packed]:
    names = [tensor.name for tensor in tensors]
    if len(set(names)) != len(names):
        raise FormatError("tensors: a name occurs more than once")
    packed = []
    for tensor in tensors:
        below, factor = coarser[tensor.name] if coarser is not None else (None, 0)
        known = Known(None if below is None else below.symbols, factor)
        packed.append(_pack_tensor(tensor, known))
        last = None if before is None else before.get(tensor.name)
        if last is not None and last.symbols.shape == tensor.symbols.shape:
            other = _pack_tensor(tensor, replace(known, before=last.symbols))
            packed[-1] = min(packed[-1], other, key=lambda one: one.size)
    return _with_shared_table(tensors, packed)


def _with_shared_table(tensors: Sequence[QuantisedTensor], packed: Sequence[_Packed]) -> list[_Packed]:
    """The same with one table for the small tensors, where that is smaller: a network's are much alike."""
    small = [
        n
        for n, one in enumerate(packed)
        if one.may_share
        and tensors[n].symbols.ndim <= _SHARED_RANK
        and tensors[n].symbols.size <= _SHARED_ELEMENTS
    ]
    if len(small) < 2:
        return list(packed)
    shared = code_together([(tensors[n].symbols, packed[n].known) for n in small])
    better = {
        n: coded for n, coded in zip(small, shared.coded, strict=True) if coded.bits / 8 < packed[n].size
    }
    result, at_hand, tables = [], False, 0
    for n, one in enumerate(packed):
        if n in better:
            record = better[n].record if at_hand else shared.table
            tables += not at_hand
            head, at_hand = _head(tensors[n], CODED, one.known), True
            result.append(_Packed(head + record, better[n], one.known, better[n].bits / 8))
        else:
            at_hand = at_hand and (one.coded is None or one.coded.model != FLAT)
            result.append(one)
    gain = sum(packed[n].size - coded.bits / 8 for n, coded in better.items())
    return result if gain > tables * len(shared.table) + _SECTION_SHARE else list(packed)


def _pack(packed: Sequence[_Packed]) -> bytes:
    records = [one.record for one in packed]
    section = pack_section([one.coded for one in packed if one.coded is not None])
    return b"".join([TENSOR_COUNT.pack(len(packed)), *records, section])


def unpack_tensors(
    payload: bytes,
    limits: Limits = DEFAULT_LIMITS,
    coarser: Mapping[str, QuantisedTensor] | None = None,
    before: Mapping[str, QuantisedTensor] | None = None,
) -> dict[str, QuantisedTensor]:
    """Return the tensors of a payload by name, in stored order.

    ``coarser`` are those that it refines, ``before`` those of the same layer in the segment before.
    FormatError when anything is missing, left over, doubled or out of range; LimitError when all tensors
    together have more than ``limits.elements`` elements, or few bytes ask for long work.
    """
    return {tensor.name: tensor for tensor, _ in unpack_records(payload, limits, coarser, before)}


def unpack_records(
    payload: bytes,
    limits: Limits = DEFAULT_LIMITS,
    coarser: Mapping[str, QuantisedTensor] | None = None,
    before: Mapping[str, QuantisedTensor] | None = None,
) -> list[tuple[QuantisedTensor, int]]:
    """As :func:`unpack_tensors`, each tensor with its factor."""
    cursor = Cursor(payload)
    (count,) = cursor.unpack(TENSOR_COUNT)
    records: dict[str, _Record] = {}
    tables: dict[int, CodedRecord] = {}
    budget = limits.elements
    for _ in range(count):
        record = _read_record(cursor, budget, coarser, before, tables)
        if record.name in records:
            raise FormatError(f"tensors: {record.name!r} occurs more than once")
        records[record.name] = record
        budget -= math.prod(record.shape)
    coded = [record.stored for record in records.values() if isinstance(record.stored, CodedRecord)]
    section = SectionReader(cursor, coded) if coded else None
    tensors = [(_tensor(record, section), record.known.factor) for record in records.values()]
    if section is not None:
        section.finish()
    if cursor.left:
        raise FormatError(f"tensors: {cursor.left} bytes left over after the last tensor")
    return tensors


def _tensor(record: _Record, section: SectionReader | None) -> QuantisedTensor:
    stored = record.stored
    if isinstance(stored, CodedRecord):
        assert section is not None
        symbols = section.symbols(stored, record.known)
    else:
        symbols = record.known.base() + stored
    return QuantisedTensor(record.name, symbols, record.steps)


def _pack_tensor(tensor: QuantisedTensor, known: Known) -> _Packed:
    """The record with whichever coding is smaller."""
    residuals = tensor.symbols - known.base()
    width = _smallest_width(residuals)
    planes = _split_planes(residuals, width)
    coded = code(tensor.symbols, known, time_like=tensor.name == "latents")
    zipped = zstandard.ZstdCompressor(level=_LEVEL).compress(planes)
    plain_size, coded_size = min(len(planes), len(zipped)), coded.bits / 8 + _SECTION_SHARE
    if plain_size <= coded_size:
        return _Packed(_head(tensor, width, known) + planes, None, known, plain_size)
    return _Packed(_head(tensor, CODED, known) + coded.record, coded, known, coded_size)


def _head(tensor: QuantisedTensor, coding: int, known: Known) -> bytes:
    """What a record begins with, before symbols or tables."""
    name, shape = tensor.name.encode("ascii"), tensor.symbols.shape
    continued = 0 if known.before is None else CONTINUED
    return b"".join(
        [
            NAME_LENGTH.pack(len(name)),
            name,
            TENSOR_SHAPE.pack(coding + continued, known.factor, len(shape), tensor.steps.size),
            *(EXTENT.pack(extent) for extent in shape),
            tensor.steps.astype(_STEP).tobytes(),
        ]
    )


def _read_record(
    cursor: Cursor,
    budget: int,
    coarser: Mapping[str, QuantisedTensor] | None,
    before: Mapping[str, QuantisedTensor] | None,
    tables: dict[int, CodedRecord],
) -> _Record:
    """Read what is known of one tensor, of at most ``budget`` elements, before the section at the end."""
    (name_length,) = cursor.unpack(NAME_LENGTH)
    name = bytes(cursor.take(name_length)).decode("ascii", errors="replace")
    check_name(name)
    kind, factor, rank, step_count = cursor.unpack(TENSOR_SHAPE)
    continued, coding = kind & CONTINUED, kind & ~CONTINUED
    if coding != CODED and coding not in _WIDTHS:
        raise FormatError(f"tensor {name!r}: coding {kind}, expected 0, 1, 2 or 4, or 8 more")
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
    known = Known(_coarse(name, shape, factor, coarser), factor)
    if continued:
        known = replace(known, before=_before(name, shape, before))
    if coding == CODED:
        return _Record(name, shape, steps, known, read_record(cursor, name, shape, known, tables))
    plain = _join_planes(cursor.take(elements * coding), coding).reshape(shape)
    if int(plain.max()) > REFINED_MAX or int(plain.min()) < -REFINED_MAX:
        raise FormatError(f"tensor {name!r}: symbols beyond +-{REFINED_MAX}")
    return _Record(name, shape, steps, known, plain)


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


def _before(
    name: str, shape: tuple[int, ...], before: Mapping[str, QuantisedTensor] | None
) -> npt.NDArray[np.int32]:
    """The symbols that a tensor continues; FormatError when there are none."""
    if before is None or name not in before or before[name].symbols.shape != shape:
        raise FormatError(f"tensor {name!r}: continues no tensor of this name and shape")
    return before[name].symbols


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
