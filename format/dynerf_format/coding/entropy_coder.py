"""Entropy-coded tensors: choose a model and tables, and turn symbols into tokens.

A tensor's coded record holds the model and the tables. The words and raw bits of all tensors of a payload are
in one rANS section (``rans_section.py``), so that the cost of the lanes is paid once. The record of planes
is complete in itself (``planes_coder.py``).

    record   u8 model, u8 number of tables T, T tables
             T = 0: the tables of the previous record with this model
             flat, T = 1: the table; row models, T = 2: that of the first context, and a smooth one that is
             scaled for the others
             planes: u8 model, varint number of bytes, bytes
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from dynerf_format.errors import FormatError
from dynerf_format.layout import CODED, MODEL, TABLES

from .byte_reader import pack_varint
from .context_models import (
    COLUMNS,
    CONTEXTS,
    FLAT,
    LINES,
    PLANES,
    ROW_MODELS,
    ROWS,
    STEPS,
    fits,
    make_model,
)
from .frequency_tables import Table, best_table, cost_of, stack_tables, unpack_table
from .parametric_tables import SCALES_PER_OCTAVE, ParametricTable, fit_scaled, scaled_frequencies
from .planes_coder import encode_planes, fits_planes
from .row_model import CLASSES
from .tokens import to_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .byte_reader import ByteReader
    from .context_models import ContextModel, Ints
    from .side_information import SideInformation

    Longs: TypeAlias = npt.NDArray[np.int64]
    Indices: TypeAlias = npt.NDArray[np.intp]

CLASS_SCALES = SCALES_PER_OCTAVE // 2
"""Half an octave."""
LARGE_PLANES = 2**20
"""Planes of more symbols are always coded as planes."""


@dataclass(frozen=True, eq=False)
class CodedRecord:
    """The contents of a coded record: the model and the tables."""

    model: int
    tables: Sequence[Table]

    @property
    def table_count(self) -> int:
        """Number of tables to expand, one per context."""
        return CONTEXTS[self.model]

    def frequencies(self) -> npt.NDArray[np.uint32]:
        """Frequencies (context, token)."""
        rows = [table.frequencies for table in self.tables]
        if self.model in ROW_MODELS and isinstance(second := self.tables[1].stored, ParametricTable):
            rows[1:] = scaled_frequencies(second, CLASSES, CLASS_SCALES)
        return stack_tables(rows)

    def pack(self) -> bytes:
        """Return its bytes."""
        return CODED.pack(self.model, len(self.tables)) + b"".join(table.pack() for table in self.tables)


@dataclass(frozen=True, eq=False)
class PlanesRecord:
    """The contents of the record of a tensor of planes: its decisions."""

    data: bytes


@dataclass(frozen=True, eq=False)
class Tokens:
    """A tensor's symbols as tokens, in coding order, and the lengths of the waves."""

    model: int
    contexts: Indices
    tokens: Longs
    raw: Longs
    raw_widths: Longs
    waves: list[int]

    @functools.cached_property
    def counts(self) -> Longs:
        """Occurrences of each token in each context: (context, token)."""
        contexts, width = CONTEXTS[self.model], int(self.tokens.max()) + 1
        pairs: Longs = np.bincount(self.contexts * width + self.tokens, minlength=contexts * width)
        return pairs.reshape(contexts, width)


@dataclass(frozen=True, eq=False)
class CodedTensor:
    """A tensor ready for the rANS section."""

    tokens: Tokens
    tables: CodedRecord
    record: bytes
    bits: float
    """Estimated size of record, words and raw bits, in bits."""

    def token_frequencies(self) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
        """Frequency and cumulative frequency of each symbol's token."""
        frequencies = self.tables.frequencies()
        starts = np.cumsum(frequencies, axis=1, dtype=np.uint32) - frequencies
        rows = self.tokens.contexts, self.tokens.tokens
        return frequencies[rows], starts[rows]


@dataclass(frozen=True, eq=False)
class CodedPlanes:
    """A tensor of planes, complete in its record."""

    record: bytes

    @property
    def bits(self) -> float:
        """The size of the record in bits."""
        return 8.0 * len(self.record)


def code(symbols: Ints, side_info: SideInformation, temporal: bool) -> CodedTensor | CodedPlanes:
    """Code a tensor with the model of fewest bits; ``temporal`` also tries prediction from row to row.

    Large planes are always coded as planes: tables win only where planes are nearly empty, but then the
    section needs more bytes than they take, and their tokens take a hundred bytes of memory per symbol.
    """
    as_planes = _code_planes(symbols, side_info) if fits_planes(symbols.shape) else None
    if as_planes is not None and symbols.size > LARGE_PLANES:
        return as_planes
    candidates = [FLAT, ROWS, COLUMNS] + ([STEPS, LINES] if temporal else [])
    coded = [_code(n, symbols, side_info) for n in candidates if fits(n, symbols.shape, side_info)]
    best = min(coded, key=lambda one: one.bits)
    return as_planes if as_planes is not None and as_planes.bits < best.bits else best


def _code_planes(symbols: Ints, side_info: SideInformation) -> CodedPlanes:
    planes = encode_planes(symbols, side_info)
    return CodedPlanes(MODEL.pack(PLANES) + pack_varint(len(planes)) + planes)


def code_with_tables(coded: CodedTensor, tables: CodedRecord) -> CodedTensor:
    """The same with the tables of another record of its model; infinitely many bits if they lack a token."""
    record = CODED.pack(coded.tokens.model, 0)
    return CodedTensor(coded.tokens, tables, record, _bits(coded.tokens, tables, record))


def _code(number: int, symbols: Ints, side_info: SideInformation) -> CodedTensor:
    tokens = _tokens(number, symbols, side_info)
    tables = _choose_tables(number, tokens.counts)
    record = tables.pack()
    return CodedTensor(tokens, tables, record, _bits(tokens, tables, record))


def _choose_tables(number: int, counts: Longs) -> CodedRecord:
    if number in ROW_MODELS:
        tables = [best_table(counts[0]), Table(fit_scaled(counts[1:], CLASS_SCALES))]
        return CodedRecord(number, tables)
    return CodedRecord(number, [best_table(counts[0])])


def _bits(tokens: Tokens, tables: CodedRecord, record: bytes) -> float:
    words = cost_of(tokens.counts, tables.frequencies())
    return 8 * len(record) + words + float(tokens.raw_widths.sum())


def _tokens(number: int, symbols: Ints, side_info: SideInformation) -> Tokens:
    model = make_model(number, symbols.shape, side_info)
    model.load(symbols)
    contexts, residuals, waves = _residuals(model)
    return Tokens(number, contexts, *to_tokens(residuals), waves)


def _residuals(model: ContextModel) -> tuple[Indices, Longs, list[int]]:
    """Contexts and residuals in coding order, and the lengths of the waves."""
    contexts, residuals, lengths = [], [], []
    for wave in model.waves():
        prediction = model.predict(wave)
        values = model.canvas[wave].ravel()
        contexts.append(prediction.context)
        residuals.append((values - prediction.base).astype(np.int64))
        lengths.append(values.size)
    return np.concatenate(contexts), np.concatenate(residuals), lengths


def read_record(
    reader: ByteReader,
    name: str,
    shape: tuple[int, ...],
    side_info: SideInformation,
    last: dict[int, CodedRecord],
) -> CodedRecord | PlanesRecord:
    """Read the record of a coded tensor of this shape; FormatError when it is invalid.

    ``last`` holds the last record of each model, whose tables a later record may reuse, and is updated.
    """
    (model,) = reader.unpack(MODEL)
    if model == PLANES and fits_planes(shape):
        return PlanesRecord(bytes(reader.take(reader.varint())))
    (count,) = reader.unpack(TABLES)
    if not fits(model, shape, side_info):
        raise FormatError(f"tensor {name!r}: model {model} does not fit shape {shape}")
    if count == 0:
        if model not in last:
            raise FormatError(f"tensor {name!r}: no tables, and no previous record has any of model {model}")
        return last[model]
    last[model] = _read_tables(reader, name, model, count)
    return last[model]


def _read_tables(reader: ByteReader, name: str, model: int, count: int) -> CodedRecord:
    expected = 2 if model in ROW_MODELS else 1
    if count != expected:
        raise FormatError(f"tensor {name!r}: {count} tables, expected {expected} for model {model}")
    tables = [unpack_table(reader, name) for _ in range(count)]
    if model in ROW_MODELS and not isinstance(tables[1].stored, ParametricTable):
        raise FormatError(f"tensor {name!r}: the second table of model {model} is not a smooth one")
    return CodedRecord(model, tables)
