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
from .rans import LANES_MAX, Decoder, Tables, encode
from .tokens import BitReader, from_tokens, pack_bits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .byte_reader import ByteReader
    from .context_models import Ints
    from .entropy_coder import CodedRecord, CodedTensor
    from .side_information import SideInformation

STEPS_MAX = 2**17
STEPS_PER_TABLE = 4  # to make one takes about as long
ELEMENTS_PER_BYTE, ELEMENTS_FREE = 1024, 2**16
_LANES_LEAST, _LANES_MOST = 2, 256  # when writing
_BYTES_PER_LANE = 384  # a lane costs about two bytes: below half a percent
SECTION_SHARE = 16  # bytes: what a small section costs beside the tensors' bits


def pack_section(tensors: Sequence[CodedTensor]) -> bytes:
    """Return the rANS section of a payload's coded tensors, in their order; nothing when there are none."""
    if not tensors:
        return b""
    raw = pack_bits(
        np.concatenate([tensor.tokens.raw for tensor in tensors]),
        np.concatenate([tensor.tokens.raw_widths for tensor in tensors]),
    )
    waves = [length for tensor in tensors for length in tensor.tokens.waves]
    size = sum(tensor.bits for tensor in tensors) / 8
    lanes = min(_LANES_MOST, 1 << int(math.log2(max(_LANES_LEAST, size / _BYTES_PER_LANE))))
    elements = sum(waves)
    others = len(waves) + STEPS_PER_TABLE * sum(tensor.tables.table_count for tensor in tensors)
    # Where next to nothing changed, more lanes make the bytes up that readers ask for so many symbols. The
    # estimate holds the records, too: it is seldom too small, and coding tells.
    while lanes < LANES_MAX and (
        others + elements // lanes > STEPS_MAX or elements > _most_elements(4 * lanes + int(size))
    ):
        lanes *= 2
    looked_up = [tensor.looked_up() for tensor in tensors]
    frequencies = np.concatenate([one for one, _ in looked_up])
    starts = np.concatenate([one for _, one in looked_up])
    states, words = encode(frequencies, starts, waves, lanes)
    while elements > _most_elements(4 * lanes + 2 * len(words) + len(raw)) and lanes < LANES_MAX:
        lanes *= 2
        states, words = encode(frequencies, starts, waves, lanes)
    head = pack_varint(lanes) + pack_varint(len(words)) + pack_varint(len(raw))
    return head + states.astype("<u4").tobytes() + words.astype("<u2").tobytes() + raw


class SectionReader:
    """Decodes the coded tensors of a payload one after the other, in the order of their records."""

    def __init__(self, cursor: ByteReader, tensors: Sequence[tuple[CodedRecord, tuple[int, ...]]]) -> None:
        """``tensors`` are records and shapes."""
        lanes, words, raw = (cursor.varint() for _ in range(3))
        if not 1 <= lanes <= LANES_MAX:
            raise FormatError(f"rANS: {lanes} lanes, expected 1 to {LANES_MAX}")
        states = np.frombuffer(cursor.take(4 * lanes), "<u4").astype(np.uint32)
        coded = np.frombuffer(cursor.take(2 * words), "<u2").astype(np.uint16)
        self._bits = BitReader(cursor.take(raw))
        _check_work(tensors, lanes, 4 * lanes + 2 * words + raw)
        self._decoder = Decoder(states, coded)
        self._made: tuple[CodedRecord, Tables] | None = None

    def symbols(self, record: CodedRecord, shape: tuple[int, ...], known: SideInformation) -> Ints:
        """Return the symbols of the next tensor; FormatError when they leave the range of symbols."""
        model = make_model(record.model, shape, known)
        if self._made is None or self._made[0] is not record:
            self._made = record, Tables(record.frequencies())
        tables = self._made[1]
        columns = model.canvas.shape[1]
        for wave in model.waves():
            prediction = model.predict(wave)
            which = record.table_of[prediction.context]
            tokens = self._decoder.wave(tables, which)
            values = prediction.base + prediction.sign * from_tokens(tokens, self._bits)
            if int(values.max()) > SYMBOL_MAX or int(values.min()) < -SYMBOL_MAX:
                raise FormatError(f"rANS: a symbol beyond +-{SYMBOL_MAX}")
            model.canvas[wave] = values.reshape(-1, columns)
        return model.symbols()

    def finish(self) -> None:
        """FormatError unless words and raw bits are used up."""
        self._decoder.finish()
        self._bits.finish()


def _check_work(tensors: Sequence[tuple[CodedRecord, tuple[int, ...]]], lanes: int, stored: int) -> None:
    """LimitError when few bytes ask for long work."""
    elements = sum(math.prod(shape) for _, shape in tensors)
    waves = sum(wave_count(record.model, shape) for record, shape in tensors)
    tables = sum(record.table_count for record, _ in tensors)
    steps = waves + elements // lanes + STEPS_PER_TABLE * tables
    if steps > STEPS_MAX:
        raise LimitError(f"rANS: {steps} steps of {lanes} lanes, at most {STEPS_MAX} allowed")
    if elements > _most_elements(stored):
        raise LimitError(f"rANS: {elements} elements in {stored} bytes")


def _most_elements(stored: int) -> int:
    """The most symbols that a section with so many bytes of states, words and raw bits may hold."""
    return ELEMENTS_FREE + ELEMENTS_PER_BYTE * stored
