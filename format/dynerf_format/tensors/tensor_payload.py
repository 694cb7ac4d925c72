"""A list of quantised tensors <-> the decoded bytes of a ``WGHT`` or ``LATN`` chunk.

Per tensor there is a head (``tensor_head.py``: coding, name and shape, float32 steps), then its symbols. A
tensor of a layer above 0 *refines* that of the layers below: symbol = factor * coarser symbol + stored
symbol; with factor 0 it is coded *anew*, without them. A *continued* tensor is predicted from the tensor of
its name and layer in the previous segment. Symbols are stored plainly, as byte planes (all low bytes, then
all next bytes, ...: these compress better with zstd), or entropy-coded: the record then holds the tables
(``coding/entropy_coder.py``), and one section at the end the words of all tensors
(``coding/rans_section.py``). Entropy-coded planes are complete in their record (``coding/planes_coder.py``).

Every declared size is compared with the remaining bytes, and all work with limits, before anything is
allocated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import zstandard

from dynerf_format.coding.byte_reader import ByteReader, pack_varint
from dynerf_format.coding.entropy_coder import (
    LARGE_PLANES,
    CodedPlanes,
    CodedRecord,
    CodedTensor,
    PlanesRecord,
    code,
    code_with_tables,
    read_record,
)
from dynerf_format.coding.planes_coder import decode_planes
from dynerf_format.coding.rans_section import SECTION_OVERHEAD, SectionReader, pack_section
from dynerf_format.coding.side_information import SideInformation
from dynerf_format.errors import FormatError, LimitError
from dynerf_format.limits import DEFAULT_LIMITS, TENSORS_MAX, Limits

from .quantise import QuantisedTensor
from .tensor_head import CODED, PLAIN, REFINED_MAX, TensorHead, pack_head, read_head

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    _Stored: TypeAlias = CodedRecord | PlanesRecord | npt.NDArray[np.int32]

_WIDTHS = dict(zip(PLAIN, ("<i1", "<i2", "<i4"), strict=True))
_ZSTD_LEVEL = 19  # as the chunk is compressed, see container
_ZSTD_LEVEL_LARGE = 3  # to estimate large tensors: level 19 takes longer than all the rest of packing
_LARGE = 2**16


@dataclass(frozen=True, eq=False)
class _Choice:
    """The two ways to store a tensor, plain and entropy-coded, and its side information."""

    side_info: SideInformation
    width: int
    planes: bytes
    plain_bits: float
    coded: CodedTensor | CodedPlanes

    @property
    def bits(self) -> float:
        return min(self.plain_bits, self.coded.bits)

    @property
    def gain(self) -> float:
        """The bits that entropy coding saves; below 0 when it is not used."""
        return self.plain_bits - self.coded.bits


@dataclass(frozen=True, eq=False)
class Packed:
    """A payload in parts: head, and record or plain symbols, of each tensor; the section of all."""

    heads: list[bytes]
    bodies: list[bytes]
    section: bytes
    continued: bool

    @property
    def payload(self) -> bytes:
        """The parts in the order of the payload."""
        tensors = [part for pair in zip(self.heads, self.bodies, strict=True) for part in pair]
        return b"".join([pack_varint(len(self.heads)), *tensors, self.section])


def pack_tensors(
    tensors: Sequence[QuantisedTensor],
    coarser: Mapping[str, tuple[QuantisedTensor, int]] | None = None,
    previous: Mapping[str, QuantisedTensor] | None = None,
) -> bytes:
    """Return the payload that holds ``tensors`` in the given order; FormatError when two share a name.

    With ``coarser`` they are refinements: it holds the tensors of the layers below by name, in the order of
    layer 0, each with the factor between the two where it is refined. Tensors that become smaller when coded
    with ``previous``, the same layer of the previous segment, are continued; those that become smaller
    without the layers below are coded anew.
    """
    return pack_parts(tensors, coarser, previous).payload


def pack_parts(
    tensors: Sequence[QuantisedTensor],
    coarser: Mapping[str, tuple[QuantisedTensor, int]] | None = None,
    previous: Mapping[str, QuantisedTensor] | None = None,
) -> Packed:
    """As :func:`pack_tensors`, in parts."""
    choices = _choices(tensors, coarser, previous)
    in_section = [max(choice.gain, 0) for choice in choices if isinstance(choice.coded, CodedTensor)]
    use_section = sum(in_section) > 8 * SECTION_OVERHEAD
    indices = None if coarser is None else {name: index for index, name in enumerate(coarser)}
    heads, bodies, coded, last_name = [], [], [], ""
    for tensor, choice in zip(tensors, choices, strict=True):
        entropy_coded = choice.gain > 0 and (use_section or isinstance(choice.coded, CodedPlanes))
        index = None if indices is None else indices[tensor.name]
        heads.append(
            pack_head(tensor, CODED if entropy_coded else choice.width, choice.side_info, last_name, index)
        )
        bodies.append(choice.coded.record if entropy_coded else choice.planes)
        if entropy_coded and isinstance(choice.coded, CodedTensor):
            coded.append(choice.coded)
        last_name = tensor.name
    return Packed(
        heads, bodies, pack_section(coded), any(choice.side_info.previous is not None for choice in choices)
    )


def _choices(
    tensors: Sequence[QuantisedTensor],
    coarser: Mapping[str, tuple[QuantisedTensor, int]] | None,
    previous: Mapping[str, QuantisedTensor] | None,
) -> list[_Choice]:
    names = [tensor.name for tensor in tensors]
    if len(set(names)) != len(names):
        raise FormatError("tensors: a name occurs more than once")
    if len(names) > TENSORS_MAX:
        raise FormatError(f"{len(names)} tensors, at most {TENSORS_MAX} are possible")
    choices = []
    for tensor in tensors:
        below, factor = coarser[tensor.name] if coarser is not None else (None, 0)
        known = [SideInformation()]  # coded anew
        if below is not None and factor > 0 and below.symbols.any():
            known.insert(0, SideInformation(below.symbols, factor))
        last = None if previous is None else previous.get(tensor.name)
        if last is not None and last.symbols.shape == tensor.symbols.shape:
            known += [replace(each, previous=last.symbols) for each in known]
        candidates = [_choose(tensor, each) for each in known]
        choices.append(min(candidates, key=lambda candidate: candidate.bits))
    return _share_tables(choices)


def _choose(tensor: QuantisedTensor, side_info: SideInformation) -> _Choice:
    residuals = tensor.symbols - side_info.base()
    width = _smallest_width(residuals)
    planes = _split_planes(residuals, width)
    coded = code(tensor.symbols, side_info, temporal=tensor.name == "latents")
    if isinstance(coded, CodedPlanes) and tensor.symbols.size > LARGE_PLANES:
        return _Choice(side_info, width, planes, math.inf, coded)
    level = _ZSTD_LEVEL if len(planes) <= _LARGE else _ZSTD_LEVEL_LARGE
    zipped = zstandard.ZstdCompressor(level=level).compress(planes)
    return _Choice(side_info, width, planes, 8.0 * min(len(planes), len(zipped)), coded)


def _share_tables(choices: Sequence[_Choice]) -> list[_Choice]:
    """The same, with the tables of an earlier tensor where these take fewer bits than its own."""
    result: list[_Choice] = []
    last: dict[int, CodedRecord] = {}
    for choice in choices:
        coded = choice.coded
        if isinstance(coded, CodedPlanes):
            result.append(choice)
            continue
        model = coded.tokens.model
        if model in last:
            coded = min(coded, code_with_tables(coded, last[model]), key=lambda candidate: candidate.bits)
        result.append(replace(choice, coded=coded))
        if result[-1].gain > 0:
            last[model] = coded.tables
    return result


def unpack_tensors(
    payload: bytes,
    limits: Limits = DEFAULT_LIMITS,
    coarser: Mapping[str, QuantisedTensor] | None = None,
    previous: Mapping[str, QuantisedTensor] | None = None,
) -> dict[str, QuantisedTensor]:
    """Return the tensors of a payload by name, in stored order.

    Above layer 0, ``coarser`` are those of the layers below, in the order of layer 0; ``previous`` are those
    of the same layer in the previous segment. FormatError when anything is missing, left over, duplicated or
    out of range; LimitError when all tensors together have more than ``limits.elements`` elements, or few
    bytes declare a lot of work.
    """
    return {tensor.name: tensor for tensor, _ in unpack_records(payload, limits, coarser, previous)}


def unpack_records(
    payload: bytes,
    limits: Limits = DEFAULT_LIMITS,
    coarser: Mapping[str, QuantisedTensor] | None = None,
    previous: Mapping[str, QuantisedTensor] | None = None,
) -> list[tuple[QuantisedTensor, int]]:
    """As :func:`unpack_tensors`, each tensor with its factor."""
    reader = ByteReader(payload)
    records = _read_records(reader, limits, coarser, previous)
    coded = [(stored, head.shape) for head, stored in records if isinstance(stored, CodedRecord)]
    section = SectionReader(reader, coded) if coded else None
    tensors = []
    for head, stored in records:
        if isinstance(stored, PlanesRecord):
            symbols = decode_planes(stored.data, head.shape, head.side_info)
        elif isinstance(stored, CodedRecord):
            assert section is not None
            symbols = section.symbols(stored, head.shape, head.side_info)
        else:
            symbols = head.side_info.base() + stored
        tensors.append((QuantisedTensor(head.name, symbols, head.steps), head.side_info.factor))
    if section is not None:
        section.finish()
    if reader.remaining:
        raise FormatError(f"tensors: {reader.remaining} bytes left over after the last tensor")
    return tensors


def _read_records(
    reader: ByteReader,
    limits: Limits,
    coarser: Mapping[str, QuantisedTensor] | None,
    previous: Mapping[str, QuantisedTensor] | None,
) -> list[tuple[TensorHead, _Stored]]:
    """Everything before the section: head, and tables or plain symbols, of each tensor."""
    count = reader.varint()
    if count > TENSORS_MAX:
        raise LimitError(f"{count} tensors, at most {TENSORS_MAX} allowed")
    found: dict[str, tuple[TensorHead, _Stored]] = {}
    tables: dict[int, CodedRecord] = {}
    budget, name = limits.elements, ""
    for _ in range(count):
        head = read_head(reader, budget, name, coarser, previous)
        name = head.name
        if name in found:
            raise FormatError(f"tensors: {name!r} occurs more than once")
        budget -= math.prod(head.shape)
        if head.coding == CODED:
            found[name] = head, read_record(reader, name, head.shape, head.side_info, tables)
        else:
            found[name] = head, _read_plain(reader, head)
    return list(found.values())


def _read_plain(reader: ByteReader, head: TensorHead) -> npt.NDArray[np.int32]:
    plain = _join_planes(reader.take(math.prod(head.shape) * head.coding), head.coding).reshape(head.shape)
    if int(plain.max()) > REFINED_MAX or int(plain.min()) < -REFINED_MAX:
        raise FormatError(f"tensor {head.name!r}: symbols beyond +-{REFINED_MAX}")
    return plain


def _smallest_width(symbols: npt.NDArray[np.int32]) -> int:
    low, high = int(symbols.min()), int(symbols.max())
    return next(width for width in _WIDTHS if -(1 << 8 * width - 1) <= low and high < 1 << 8 * width - 1)


def _split_planes(symbols: npt.NDArray[np.int32], width: int) -> bytes:
    """Byte planes of the two's complement, lowest byte first."""
    interleaved = np.frombuffer(symbols.astype(_WIDTHS[width]).tobytes(), np.uint8).reshape(-1, width)
    return interleaved.T.tobytes()


def _join_planes(planes: memoryview, width: int) -> npt.NDArray[np.int32]:
    """Inverse of ``_split_planes``; returns a flat array that owns its memory."""
    by_plane = np.frombuffer(planes, np.uint8).reshape(width, -1)
    return np.frombuffer(by_plane.T.tobytes(), _WIDTHS[width]).astype(np.int32)
