"""Entropy-coded tensors: choose a model and tables, and turn symbols into tokens and back.

A tensor's coded record holds the model and the tables; the words and raw bits of all tensors of a payload
stand in one rANS section, so that the lanes are paid for once.

    record   u8 model, u8 tables T, [u8 table of each context, when T > 1], T tables
             T = 0: the tables of the last record before it with this model
    table    u8 tokens n, n frequencies: 1 byte below 128, else 2 (low 7 bits and bit 7 set, then the rest)
    section  u16 lanes, u32 words, u32 raw bytes, u32 x lanes states, u16 x words, raw bytes
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .errors import FormatError, LimitError
from .layout import CODED, SECTION
from .models import CONTEXTS, FLAT, INTERPOLATED, fits, make_model, model_for_planes, wave_count
from .quantise import SYMBOL_MAX
from .rans import LANES_MAX, TABLES_MAX, Decoder, Tables, encode
from .tables import choose_tables, cost_of, normalise, pack_table, unpack_table
from .tokens import TOKENS_MAX, BitReader, from_tokens, pack_bits, to_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .cursor import Cursor
    from .models import Ints, Known, Model

    Longs: TypeAlias = npt.NDArray[np.int64]

STEPS_MAX = 2**17
ELEMENTS_PER_BYTE, ELEMENTS_FREE = 1024, 2**16
_LANES_LEAST, _LANES_MOST = 4, 256  # when writing
_BYTES_PER_LANE = 384  # a lane costs about two bytes: below half a percent


@dataclass(frozen=True, eq=False)
class Coded:
    """A tensor ready for the rANS section: its record, and each symbol in coding order."""

    model: int
    record: bytes
    frequencies: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.uint32]
    raw: npt.NDArray[np.int64]
    raw_widths: npt.NDArray[np.int64]
    waves: list[int]
    bits: float
    """Estimated size of record, words and raw bits."""


@dataclass(frozen=True, eq=False)
class CodedRecord:
    """What a coded tensor's record says."""

    model: int
    shape: tuple[int, ...]
    tables: Tables
    table_of: npt.NDArray[np.intp]


def code(symbols: Ints, known: Known, time_like: bool) -> Coded:
    """Code a tensor with the model that gives the fewest bits; ``time_like`` allows interpolation of rows."""
    tried = [FLAT, model_for_planes(known)] + ([INTERPOLATED] if time_like else [])
    coded = [_code(n, symbols, known) for n in tried if fits(n, symbols.shape, known)]
    return min(coded, key=lambda one: one.bits)


def _code(number: int, symbols: Ints, known: Known) -> Coded:
    contexts, tokens, raw, raw_widths, waves = _tokens(number, symbols, known)
    pairs = np.bincount(contexts * TOKENS_MAX + tokens, minlength=CONTEXTS[number] * TOKENS_MAX)
    counts = pairs.reshape(CONTEXTS[number], TOKENS_MAX)[:, : int(tokens.max()) + 1]
    frequencies, table_of = choose_tables(counts)
    tables = Tables(frequencies)
    rows = table_of[contexts] * tables.tokens + tokens
    record = _record(number, frequencies, table_of)
    bits = 8 * len(record) + cost_of(counts, frequencies, table_of) + float(raw_widths.sum())
    return Coded(number, record, tables.frequencies[rows], tables.starts[rows], raw, raw_widths, waves, bits)


def _record(number: int, frequencies: npt.NDArray[np.uint32], table_of: npt.NDArray[np.intp]) -> bytes:
    count = len(frequencies)
    contexts = table_of.astype(np.uint8).tobytes() if count > 1 else b""
    return CODED.pack(number, count) + contexts + b"".join(map(pack_table, frequencies))


@dataclass(frozen=True, eq=False)
class Shared:
    """Tensors coded flat by one table; ``table`` is the record that brings it, theirs say it is there."""

    table: bytes
    coded: list[Coded]


def code_together(tensors: Sequence[tuple[Ints, Known]]) -> Shared:
    """Code tensors, whose distributions should be much the same, by one table for all."""
    tokenised = [_tokens(FLAT, symbols, known)[1:] for symbols, known in tensors]
    counts = [np.bincount(tokens, minlength=TOKENS_MAX) for tokens, *_ in tokenised]
    whole = normalise(np.trim_zeros(np.sum(counts, axis=0), "b"))[None]
    tables, one = Tables(whole), np.zeros(1, np.intp)
    coded = []
    for (tokens, raw, widths, waves), count in zip(tokenised, counts, strict=True):
        record = CODED.pack(FLAT, 0)
        bits = 8 * len(record) + cost_of(count[None, : whole.shape[1]], whole, one) + float(widths.sum())
        found = tables.frequencies[tokens], tables.starts[tokens]
        coded.append(Coded(FLAT, record, *found, raw, widths, waves, bits))
    return Shared(_record(FLAT, whole, one), coded)


def _tokens(
    number: int, symbols: Ints, known: Known
) -> tuple[
    npt.NDArray[np.intp], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], list[int]
]:
    """What a model makes of a tensor: contexts, tokens, raw bits, their numbers, and the waves' lengths."""
    model = make_model(number, symbols.shape, known)
    model.load(symbols)
    contexts, residuals, waves = _residuals(model)
    return (contexts, *to_tokens(residuals), waves)


def _residuals(model: Model) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64], list[int]]:
    """Contexts and residuals in coding order, and the lengths of the waves."""
    contexts, residuals, lengths = [], [], []
    for wave in model.waves():
        prediction = model.predict(wave)
        values = model.canvas[wave].ravel()
        contexts.append(prediction.context)
        residuals.append(((values - prediction.base) * prediction.sign).astype(np.int64))
        lengths.append(values.size)
    return np.concatenate(contexts), np.concatenate(residuals), lengths


def pack_section(tensors: Sequence[Coded]) -> bytes:
    """Return the rANS section of a payload's coded tensors, in their order; nothing when there are none."""
    if not tensors:
        return b""
    raw = pack_bits(
        np.concatenate([tensor.raw for tensor in tensors]),
        np.concatenate([tensor.raw_widths for tensor in tensors]),
    )
    waves = [length for tensor in tensors for length in tensor.waves]
    size = sum(tensor.bits for tensor in tensors) / 8
    lanes = min(_LANES_MOST, 1 << int(math.log2(max(_LANES_LEAST, size / _BYTES_PER_LANE))))
    while len(waves) + sum(waves) // lanes > STEPS_MAX and lanes < LANES_MAX:
        lanes *= 2
    frequencies = np.concatenate([tensor.frequencies for tensor in tensors])
    starts = np.concatenate([tensor.starts for tensor in tensors])
    states, words = encode(frequencies, starts, waves, lanes)
    # Where next to nothing changed, more lanes make the bytes up that readers ask for so many symbols.
    while sum(waves) > _most_elements(4 * lanes + 2 * len(words) + len(raw)) and lanes < LANES_MAX:
        lanes *= 2
        states, words = encode(frequencies, starts, waves, lanes)
    head = SECTION.pack(lanes, len(words), len(raw))
    return head + states.astype("<u4").tobytes() + words.astype("<u2").tobytes() + raw


def read_record(
    cursor: Cursor, name: str, shape: tuple[int, ...], known: Known, last: dict[int, CodedRecord]
) -> CodedRecord:
    """Read model and tables of a coded tensor of this shape; FormatError when they are impossible.

    ``last`` holds the last record of each model, whose tables another may use, and is kept up to date.
    """
    model, count = cursor.unpack(CODED)
    if not fits(model, shape, known):
        raise FormatError(f"tensor {name!r}: model {model} does not fit shape {shape}")
    if count == 0:
        if model not in last:
            raise FormatError(f"tensor {name!r}: no tables, and no record before it has any of model {model}")
        return replace(last[model], shape=shape)
    if count > TABLES_MAX:
        raise FormatError(f"tensor {name!r}: {count} tables, expected at most {TABLES_MAX}")
    table_of = np.zeros(CONTEXTS[model], np.intp)
    if count > 1:
        table_of = np.frombuffer(cursor.take(len(table_of)), np.uint8).astype(np.intp)
        if int(table_of.max()) >= count:
            raise FormatError(f"tensor {name!r}: table {int(table_of.max())} asked for, there are {count}")
    rows = [unpack_table(cursor, name) for _ in range(count)]
    frequencies = np.zeros((count, max(map(len, rows))), np.uint32)
    for into, row in zip(frequencies, rows, strict=True):
        into[: len(row)] = row
    last[model] = CodedRecord(model, shape, Tables(frequencies), table_of)
    return last[model]


class SectionReader:
    """Decodes the coded tensors of a payload one after the other, in the order of their records."""

    def __init__(self, cursor: Cursor, records: Sequence[CodedRecord]) -> None:
        lanes, words, raw = cursor.unpack(SECTION)
        if not 1 <= lanes <= LANES_MAX:
            raise FormatError(f"rANS: {lanes} lanes, expected 1 to {LANES_MAX}")
        states = np.frombuffer(cursor.take(4 * lanes), "<u4").astype(np.uint32)
        coded = np.frombuffer(cursor.take(2 * words), "<u2").astype(np.uint16)
        self._bits = BitReader(cursor.take(raw))
        _check_work(records, lanes, 4 * lanes + 2 * words + raw)
        self._decoder = Decoder(states, coded)

    def symbols(self, record: CodedRecord, known: Known) -> Ints:
        """Return the symbols of the next tensor; FormatError when they leave the range of symbols."""
        model = make_model(record.model, record.shape, known)
        slots = record.tables.slots
        columns = model.canvas.shape[1]
        for wave in model.waves():
            prediction = model.predict(wave)
            which = record.table_of[prediction.context]
            tokens = self._decoder.wave(record.tables, slots, which)
            values = prediction.base + prediction.sign * from_tokens(tokens, self._bits)
            if int(values.max()) > SYMBOL_MAX or int(values.min()) < -SYMBOL_MAX:
                raise FormatError(f"rANS: a symbol beyond +-{SYMBOL_MAX}")
            model.canvas[wave] = values.reshape(-1, columns)
        return model.symbols()

    def finish(self) -> None:
        """FormatError unless words and raw bits are used up."""
        self._decoder.finish()
        self._bits.finish()


def _check_work(records: Sequence[CodedRecord], lanes: int, stored: int) -> None:
    """LimitError when few bytes ask for long work."""
    elements = sum(math.prod(record.shape) for record in records)
    steps = sum(wave_count(record.model, record.shape) for record in records) + elements // lanes
    if steps > STEPS_MAX:
        raise LimitError(f"rANS: {steps} steps of {lanes} lanes, at most {STEPS_MAX} allowed")
    if elements > _most_elements(stored):
        raise LimitError(f"rANS: {elements} elements in {stored} bytes")


def _most_elements(stored: int) -> int:
    """The most symbols that a section with so many bytes of states, words and raw bits may hold."""
    return ELEMENTS_FREE + ELEMENTS_PER_BYTE * stored
