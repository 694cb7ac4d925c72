"""The rANS section at the end of a payload: the words and raw bits of all its entropy-coded tensors.

section  lanes, words, raw bytes (varints), u32 x lanes states, u16 x words, raw bytes
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dynerf_format.errors import FormatError, LimitError
from dynerf_format.layout import SYMBOL_MAX

from .byte_reader import pack_varint
from .context_models import make_model, wave_count
from .rans import LANES_MAX, RansDecoder, Tables, encode
from .tokens import BitReader, from_tokens, pack_bits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .byte_reader import ByteReader
    from .context_models import Ints
    from .entropy_coder import CodedRecord, CodedTensor
    from .side_information import SideInformation

STEPS_MAX = 2**17
STEPS_PER_TABLE = 4  # expanding a table takes about as long
ELEMENTS_PER_BYTE, ELEMENTS_FREE = 1024, 2**16
_LANES_MIN, _LANES_WRITTEN_MAX = 2, 256  # when writing
_BYTES_PER_LANE = 384  # a lane costs about two bytes: less than 0.5 %
SECTION_OVERHEAD = 16  # bytes of a small section besides the tensors' bits


def pack_section(tensors: Sequence[CodedTensor]) -> bytes:
    """Return the rANS section of a payload's coded tensors, in their order; empty when there are none."""
    if not tensors:
        return b""
    raw = pack_bits(
        np.concatenate([tensor.tokens.raw for tensor in tensors]),
        np.concatenate([tensor.tokens.raw_widths for tensor in tensors]),
    )
    waves = [length for tensor in tensors for length in tensor.tokens.waves]
    size = sum(tensor.bits for tensor in tensors) / 8
    lanes = min(_LANES_WRITTEN_MAX, 1 << int(math.log2(max(_LANES_MIN, size / _BYTES_PER_LANE))))
    elements = sum(waves)
    fixed_steps = len(waves) + STEPS_PER_TABLE * sum(tensor.tables.table_count for tensor in tensors)
    # Where almost nothing changed, more lanes provide the bytes that readers require for so many symbols. The
    # estimate includes the records, so it is rarely too small; the exact size is checked after coding.
    while lanes < LANES_MAX and (
        fixed_steps + elements // lanes > STEPS_MAX or elements > _elements_max(4 * lanes + int(size))
    ):
        lanes *= 2
    pairs = [tensor.token_frequencies() for tensor in tensors]
    frequencies = np.concatenate([frequency for frequency, _ in pairs])
    starts = np.concatenate([start for _, start in pairs])
    states, words = encode(frequencies, starts, waves, lanes)
    while elements > _elements_max(4 * lanes + 2 * len(words) + len(raw)) and lanes < LANES_MAX:
        lanes *= 2
        states, words = encode(frequencies, starts, waves, lanes)
    head = pack_varint(lanes) + pack_varint(len(words)) + pack_varint(len(raw))
    return head + states.astype("<u4").tobytes() + words.astype("<u2").tobytes() + raw


class SectionReader:
    """Decode the coded tensors of a payload one after the other, in the order of their records."""

    def __init__(self, reader: ByteReader, tensors: Sequence[tuple[CodedRecord, tuple[int, ...]]]) -> None:
        """``tensors`` are records and shapes."""
        lanes, words, raw = (reader.varint() for _ in range(3))
        if not 1 <= lanes <= LANES_MAX:
            raise FormatError(f"rANS: {lanes} lanes, expected 1 to {LANES_MAX}")
        states = np.frombuffer(reader.take(4 * lanes), "<u4").astype(np.uint32)
        coded = np.frombuffer(reader.take(2 * words), "<u2").astype(np.uint16)
        self._bits = BitReader(reader.take(raw))
        _check_work(tensors, lanes, 4 * lanes + 2 * words + raw)
        self._decoder = RansDecoder(states, coded)
        self._cached_tables: tuple[CodedRecord, Tables] | None = None

    def symbols(self, record: CodedRecord, shape: tuple[int, ...], side_info: SideInformation) -> Ints:
        """Return the symbols of the next tensor; FormatError when they are out of range."""
        model = make_model(record.model, shape, side_info)
        if self._cached_tables is None or self._cached_tables[0] is not record:
            self._cached_tables = record, Tables(record.frequencies())
        tables = self._cached_tables[1]
        columns = model.canvas.shape[1]
        for wave in model.waves():
            prediction = model.predict(wave)
            tokens = self._decoder.wave(tables, prediction.context)
            values = prediction.base + from_tokens(tokens, self._bits)
            if int(values.max()) > SYMBOL_MAX or int(values.min()) < -SYMBOL_MAX:
                raise FormatError(f"rANS: a symbol beyond +-{SYMBOL_MAX}")
            model.canvas[wave] = values.reshape(-1, columns)
        return model.symbols()

    def finish(self) -> None:
        """FormatError unless all words and raw bits are used."""
        self._decoder.finish()
        self._bits.finish()


def _check_work(tensors: Sequence[tuple[CodedRecord, tuple[int, ...]]], lanes: int, stored: int) -> None:
    """LimitError when few bytes declare a lot of work."""
    elements = sum(math.prod(shape) for _, shape in tensors)
    waves = sum(wave_count(record.model, shape) for record, shape in tensors)
    tables = sum(record.table_count for record, _ in tensors)
    steps = waves + elements // lanes + STEPS_PER_TABLE * tables
    if steps > STEPS_MAX:
        raise LimitError(f"rANS: {steps} steps of {lanes} lanes, at most {STEPS_MAX} allowed")
    if elements > _elements_max(stored):
        raise LimitError(f"rANS: {elements} elements in {stored} bytes")


def _elements_max(stored: int) -> int:
    """The largest number of symbols for a section with so many bytes of states, words and raw bits."""
    return ELEMENTS_FREE + ELEMENTS_PER_BYTE * stored
