"""A list of quantised tensors <-> the decoded bytes of a ``WGHT`` or ``LATN`` chunk.

Per tensor a head (``heads.py``): coding, name and shape, steps (float32); then its symbols. A tensor of a
layer above 0 *refines* the one of the layers below: symbol = factor * coarser symbol + stored symbol.
One that is *continued* is coded knowing the tensor of its name and layer in the segment before.
Symbols are stored plainly, as byte planes (all low bytes, then all next bytes, ...: zstd finds more in
them), or entropy-coded (``coding.py``); then the record holds tables, and one section at the end the words
of all (``section.py``).

Reading compares every declared size with the bytes that are left, and all work with limits, before it
allocates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import zstandard

from dynerf_format.coding.byte_reader import ByteReader, pack_varint
from dynerf_format.coding.entropy_coder import CodedRecord, CodedTensor, code, coded_by, read_record
from dynerf_format.coding.rans_section import SECTION_SHARE, SectionReader, pack_section
from dynerf_format.coding.side_information import SideInformation
from dynerf_format.errors import FormatError, LimitError
from dynerf_format.limits import DEFAULT_LIMITS, TENSORS_MAX, Limits

from .quantise import QuantisedTensor
from .tensor_head import CODED, PLAIN, REFINED_MAX, TensorHead, pack_head, read_head

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

_WIDTHS = dict(zip(PLAIN, ("<i1", "<i2", "<i4"), strict=True))
_LEVEL = 19


@dataclass(frozen=True, eq=False)
class _Choice:
    """How a tensor may be stored: its symbols plainly, or coded; and what is known of it."""

    known: SideInformation
    width: int
    planes: bytes
    plain_bits: float
    coded: CodedTensor

    @property
    def bits(self) -> float:
        return min(self.plain_bits, self.coded.bits)

    @property
    def gain(self) -> float:
        """The bits that coding saves; below 0 when it is not used."""
        return self.plain_bits - self.coded.bits


@dataclass(frozen=True, eq=False)
class Packed:
    """A payload in parts: of each tensor its head, and its record or plain symbols; the section of all."""

    heads: list[bytes]
    bodies: list[bytes]
    section: bytes
    continued: bool

    @property
    def payload(self) -> bytes:
        """The parts as they stand in the payload."""
        tensors = [part for pair in zip(self.heads, self.bodies, strict=True) for part in pair]
        return b"".join([pack_varint(len(self.heads)), *tensors, self.section])


def pack_tensors(
    tensors: Sequence[QuantisedTensor],
    coarser: Mapping[str, tuple[QuantisedTensor, int]] | None = None,
    before: Mapping[str, QuantisedTensor] | None = None,
) -> bytes:
    """Return the payload that holds ``tensors`` in the given order; FormatError when two share a name.

    ``coarser`` makes it a refinement: the tensors of the layers below by name, in the order of layer 0, each
    with the factor between the two where it is refined. Tensors that ``before``, this layer in the segment
    before, makes smaller are continued from there.
    """
    return pack_parts(tensors, coarser, before).payload


def pack_parts(
    tensors: Sequence[QuantisedTensor],
    coarser: Mapping[str, tuple[QuantisedTensor, int]] | None = None,
    before: Mapping[str, QuantisedTensor] | None = None,
) -> Packed:
    """As :func:`pack_tensors`, in parts."""
    choices = _choices(tensors, coarser, before)
    worth_it = sum(max(one.gain, 0) for one in choices) > 8 * SECTION_SHARE
    places = None if coarser is None else {name: place for place, name in enumerate(coarser)}
    heads, bodies, coded, last_name = [], [], [], ""
    for tensor, one in zip(tensors, choices, strict=True):
        in_section = worth_it and one.gain > 0
        place = None if places is None else places[tensor.name]
        heads.append(pack_head(tensor, CODED if in_section else one.width, one.known, last_name, place))
        bodies.append(one.coded.record if in_section else one.planes)
        coded += [one.coded] if in_section else []
        last_name = tensor.name
    return Packed(heads, bodies, pack_section(coded), any(one.known.before is not None for one in choices))


def _choices(
    tensors: Sequence[QuantisedTensor],
    coarser: Mapping[str, tuple[QuantisedTensor, int]] | None,
    before: Mapping[str, QuantisedTensor] | None,
) -> list[_Choice]:
    names = [tensor.name for tensor in tensors]
    if len(set(names)) != len(names):
        raise FormatError("tensors: a name occurs more than once")
    if len(names) > TENSORS_MAX:
        raise FormatError(f"tensors: {len(names)}, at most {TENSORS_MAX} are possible")
    choices = []
    for tensor in tensors:
        below, factor = coarser[tensor.name] if coarser is not None else (None, 0)
        known = SideInformation(None if below is None else below.symbols, factor)
        choice = _choose(tensor, known)
        last = None if before is None else before.get(tensor.name)
        if last is not None and last.symbols.shape == tensor.symbols.shape:
            other = _choose(tensor, replace(known, before=last.symbols))
            choice = min(choice, other, key=lambda one: one.bits)
        choices.append(choice)
    return _with_tables_at_hand(choices)


def _choose(tensor: QuantisedTensor, known: SideInformation) -> _Choice:
    residuals = tensor.symbols - known.base()
    width = _smallest_width(residuals)
    planes = _split_planes(residuals, width)
    zipped = zstandard.ZstdCompressor(level=_LEVEL).compress(planes)
    coded = code(tensor.symbols, known, time_like=tensor.name == "latents")
    return _Choice(known, width, planes, 8.0 * min(len(planes), len(zipped)), coded)


def _with_tables_at_hand(choices: Sequence[_Choice]) -> list[_Choice]:
    """The same, with the tables of an earlier tensor where these serve as well as its own."""
    result: list[_Choice] = []
    last: dict[int, CodedRecord] = {}
    for choice in choices:
        coded = choice.coded
        model = coded.tokens.model
        if model in last:
            coded = min(coded, coded_by(coded, last[model]), key=lambda one: one.bits)
        result.append(replace(choice, coded=coded))
        if result[-1].gain > 0:
            last[model] = coded.tables
    return result


def unpack_tensors(
    payload: bytes,
    limits: Limits = DEFAULT_LIMITS,
    coarser: Mapping[str, QuantisedTensor] | None = None,
    before: Mapping[str, QuantisedTensor] | None = None,
) -> dict[str, QuantisedTensor]:
    """Return the tensors of a payload by name, in stored order.

    ``coarser`` are those of the layers below when this is one above 0, in the order of layer 0; ``before``
    those of the same layer in the segment before.
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
    cursor = ByteReader(payload)
    records = _read_records(cursor, limits, coarser, before)
    coded = [(stored, head.shape) for head, stored in records if isinstance(stored, CodedRecord)]
    section = SectionReader(cursor, coded) if coded else None
    tensors = []
    for head, stored in records:
        if isinstance(stored, CodedRecord):
            assert section is not None
            symbols = section.symbols(stored, head.shape, head.known)
        else:
            symbols = head.known.base() + stored
        tensors.append((QuantisedTensor(head.name, symbols, head.steps), head.known.factor))
    if section is not None:
        section.finish()
    if cursor.left:
        raise FormatError(f"tensors: {cursor.left} bytes left over after the last tensor")
    return tensors


def _read_records(
    cursor: ByteReader,
    limits: Limits,
    coarser: Mapping[str, QuantisedTensor] | None,
    before: Mapping[str, QuantisedTensor] | None,
) -> list[tuple[TensorHead, CodedRecord | npt.NDArray[np.int32]]]:
    """All that stands before the section: of each tensor its head, and tables or plain symbols."""
    count = cursor.varint()
    if count > TENSORS_MAX:
        raise LimitError(f"tensors: {count} of them, at most {TENSORS_MAX} allowed")
    found: dict[str, tuple[TensorHead, CodedRecord | npt.NDArray[np.int32]]] = {}
    tables: dict[int, CodedRecord] = {}
    budget, name = limits.elements, ""
    for _ in range(count):
        head = read_head(cursor, budget, name, coarser, before)
        name = head.name
        if name in found:
            raise FormatError(f"tensors: {name!r} occurs more than once")
        budget -= math.prod(head.shape)
        if head.coding == CODED:
            found[name] = head, read_record(cursor, name, head.shape, head.known, tables)
        else:
            found[name] = head, _read_plain(cursor, head)
    return list(found.values())


def _read_plain(cursor: ByteReader, head: TensorHead) -> npt.NDArray[np.int32]:
    plain = _join_planes(cursor.take(math.prod(head.shape) * head.coding), head.coding).reshape(head.shape)
    if int(plain.max()) > REFINED_MAX or int(plain.min()) < -REFINED_MAX:
        raise FormatError(f"tensor {head.name!r}: symbols beyond +-{REFINED_MAX}")
    return plain


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
