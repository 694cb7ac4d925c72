"""A list of quantised tensors <-> the decoded bytes of a ``WGHT`` or ``LATN`` chunk.

Per tensor: name, symbol width, rank, number of steps, extents, steps (float32), symbols. Symbols wider than
8 bits are stored as byte planes (all low bytes, then all next bytes, ...), because zstd finds more in them.

Reading compares every declared size with the bytes that are left before it allocates.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .errors import FormatError, LimitError, TruncatedError
from .layout import EXTENT, NAME_LENGTH, TENSOR_COUNT, TENSOR_SHAPE
from .limits import DEFAULT_LIMITS, Limits
from .quantise import RANK_MAX, QuantisedTensor, check_name, check_shape

if TYPE_CHECKING:
    import struct
    from collections.abc import Sequence

    import numpy.typing as npt

_WIDTHS = {1: "<i1", 2: "<i2", 4: "<i4"}
_STEP = np.dtype("<f4")


def pack_tensors(tensors: Sequence[QuantisedTensor]) -> bytes:
    """Return the payload that holds ``tensors`` in the given order; FormatError when two share a name."""
    names = [tensor.name for tensor in tensors]
    if len(set(names)) != len(names):
        raise FormatError("tensors: a name occurs more than once")
    return b"".join([TENSOR_COUNT.pack(len(tensors)), *(_pack_tensor(tensor) for tensor in tensors)])


def unpack_tensors(payload: bytes, limits: Limits = DEFAULT_LIMITS) -> dict[str, QuantisedTensor]:
    """Return the tensors of a payload by name, in stored order.

    FormatError when anything is missing, left over, doubled or out of range; LimitError when all tensors
    together have more than ``limits.elements`` elements.
    """
    cursor = _Cursor(payload)
    (count,) = cursor.unpack(TENSOR_COUNT)
    tensors: dict[str, QuantisedTensor] = {}
    budget = limits.elements
    for _ in range(count):
        tensor = _unpack_tensor(cursor, budget)
        if tensor.name in tensors:
            raise FormatError(f"tensors: {tensor.name!r} occurs more than once")
        tensors[tensor.name] = tensor
        budget -= tensor.symbols.size
    if cursor.left:
        raise FormatError(f"tensors: {cursor.left} bytes left over after the last tensor")
    return tensors


class _Cursor:
    """Takes bytes from the front; TruncatedError before touching anything that is not there."""

    def __init__(self, payload: bytes) -> None:
        self._view = memoryview(payload)
        self._position = 0

    @property
    def left(self) -> int:
        return len(self._view) - self._position

    def take(self, length: int) -> memoryview:
        if length > self.left:
            raise TruncatedError(
                f"tensors: {length} bytes needed at byte {self._position}, {self.left} are left"
            )
        self._position += length
        return self._view[self._position - length : self._position]

    def unpack(self, record: struct.Struct) -> tuple[int, ...]:
        return record.unpack(self.take(record.size))


def _pack_tensor(tensor: QuantisedTensor) -> bytes:
    name = tensor.name.encode("ascii")
    width = _smallest_width(tensor.symbols)
    shape = tensor.symbols.shape
    return b"".join(
        [
            NAME_LENGTH.pack(len(name)),
            name,
            TENSOR_SHAPE.pack(width, len(shape), tensor.steps.size),
            *(EXTENT.pack(extent) for extent in shape),
            tensor.steps.astype(_STEP).tobytes(),
            _split_planes(tensor.symbols, width),
        ]
    )


def _unpack_tensor(cursor: _Cursor, budget: int) -> QuantisedTensor:
    """Read one tensor of at most ``budget`` elements."""
    (name_length,) = cursor.unpack(NAME_LENGTH)
    name = bytes(cursor.take(name_length)).decode("ascii", errors="replace")
    check_name(name)
    width, rank, step_count = cursor.unpack(TENSOR_SHAPE)
    if width not in _WIDTHS:
        raise FormatError(f"tensor {name!r}: symbols of {width} bytes, expected 1, 2 or 4")
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
    symbols = _join_planes(cursor.take(elements * width), width)
    return QuantisedTensor(name, symbols.reshape(shape), steps)


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
