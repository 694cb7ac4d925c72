"""A decoder of tensor payloads as ``format/SPEC.md`` tells it: one symbol at a time, in plain integers.

It is the slow truth beside the room's NumPy code, and shows what a decoder in another language has to do. It
checks nothing but that its own arithmetic stays within what JavaScript's numbers hold exactly.
"""

from __future__ import annotations

import functools
import math
import struct
from typing import Any

import numpy as np

Plane = dict[tuple[int, int], int]


class Lanes:
    """The rANS section."""

    def __init__(self, data: bytes) -> None:
        lanes, words, raw = struct.unpack_from("<HII", data)
        self.states = list(struct.unpack_from(f"<{lanes}I", data, 10))
        self.words = list(struct.unpack_from(f"<{words}H", data, 10 + 4 * lanes))
        start = 10 + 4 * lanes + 2 * words
        self.raw = int.from_bytes(data[start : start + raw], "little")  # bit 0 first
        self.length = start + raw

    def token(self, index: int, table: list[int]) -> int:
        lane = index % len(self.states)
        x = self.states[lane]
        slot = x & 16383
        token = cumulative = 0
        while cumulative + table[token] <= slot:
            cumulative += table[token]
            token += 1
        x = table[token] * (x >> 14) + slot - cumulative
        if x < 65536:
            x = x * 65536 + self.words.pop(0)
        assert 65536 <= x < 2**32
        self.states[lane] = x
        return token

    def residual(self, index: int, table: list[int]) -> int:
        v = self.token(index, table)
        if v >= 16:
            width = 2 + (v - 16) // 4
            v = (4 + (v - 16) % 4 << width) + (self.raw & (1 << width) - 1)
            self.raw >>= width
        return v // 2 if v % 2 == 0 else -(v + 1) // 2


def unpack(
    payload: bytes,
    coarser: dict[str, np.ndarray] | None = None,
    earlier: dict[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """The symbols of all tensors of a payload by name.

    ``coarser`` are those below a refinement, ``earlier`` those of this layer in the segment before.
    """
    (count,) = struct.unpack_from("<I", payload)
    position, records = 4, []
    tables: dict[int, dict[str, Any]] = {}
    for _ in range(count):
        position, record = _record(payload, position)
        if record["coding"] == 0:
            if not record["tables"]:
                record |= tables[record["model"]]
            tables[record["model"]] = {name: record[name] for name in ("map", "tables")}
        records.append(record)
    lanes = Lanes(payload[position:]) if any(r["coding"] == 0 for r in records) else None
    result = {}
    for r in records:
        below = None if r["factor"] == 0 else (coarser or {})[r["name"]]
        known = (earlier or {})[r["name"]] if r["continued"] else None
        if r["coding"] != 0:
            result[r["name"]] = _expected(r["shape"], r["factor"], below, known) + r["plain"]
        else:
            assert lanes is not None
            result[r["name"]] = _coded(r, lanes, below, known)
    if lanes is not None:
        assert set(lanes.states) == {65536}
        assert (lanes.words, lanes.raw) == ([], 0)
    return result


def _expected(
    shape: tuple[int, ...], factor: int, below: np.ndarray | None, earlier: np.ndarray | None
) -> np.ndarray:
    """What a symbol would be were nothing stored."""
    if below is None:
        return np.zeros(shape, int) if earlier is None else earlier
    if earlier is None:
        return factor * below
    half = factor // 2
    both = zip(below.ravel().tolist(), earlier.ravel().tolist(), strict=True)
    middles = [sorted((p, factor * c - half, factor * c + half))[1] for c, p in both]
    return np.array(middles).reshape(shape)


def _record(data: bytes, at: int) -> tuple[int, dict[str, Any]]:
    length = data[at]
    name = data[at + 1 : at + 1 + length].decode()
    at += 1 + length
    coding, factor, rank, steps = struct.unpack_from("<BBBI", data, at)
    shape = struct.unpack_from(f"<{rank}I", data, at + 7)
    at += 7 + 4 * rank + 4 * steps
    continued, coding = coding >= 8, coding % 8
    record: dict[str, Any] = {
        "name": name, "coding": coding, "factor": factor, "shape": shape, "continued": continued,
    }  # fmt: skip
    size = math.prod(shape)
    if coding:
        symbols = []
        for i in range(size):
            value = sum(data[at + plane * size + i] << 8 * plane for plane in range(coding))
            symbols.append(value - (1 << 8 * coding) if value >> 8 * coding - 1 else value)
        record["plain"] = np.array(symbols).reshape(shape)
        return at + coding * size, record
    model, tables = data[at], data[at + 1]
    at += 2
    contexts = (1, 68, 343, 3, 208)[model]
    record |= {"model": model, "map": [0] * contexts, "tables": []}
    if tables > 1:
        record["map"] = list(data[at : at + contexts])
        at += contexts
    for _ in range(tables):
        table = []
        tokens, at = data[at], at + 1
        for _ in range(tokens):
            table.append(data[at] if data[at] < 128 else data[at] - 128 + 128 * data[at + 1])
            at += 1 if data[at] < 128 else 2
        record["tables"].append(table)
    return at, record


def _coded(
    r: dict[str, Any], lanes: Lanes, below: np.ndarray | None, earlier: np.ndarray | None
) -> np.ndarray:
    def residual(index: int, context: int) -> int:
        return lanes.residual(index, r["tables"][r["map"][context]])

    shape, factor = r["shape"], r["factor"]
    if r["model"] == 0:
        base = _expected(shape, factor, below, earlier).ravel()
        # A wave of the flat model ends after 65,536 symbols.
        return np.array([int(b) + residual(i % 65536, 0) for i, b in enumerate(base)]).reshape(shape)
    if r["model"] == 3:
        return _interpolated(shape, residual)
    return _planes(shape, residual, factor, below, earlier)


def _interpolated(shape: tuple[int, int], residual: Any) -> np.ndarray:
    rows, columns = shape
    out = np.zeros(shape, int)
    last = rows - 1
    out[0] = [residual(i, 0) for i in range(columns)]
    if last > 0:
        out[last] = [out[0, i] + residual(i, 1) for i in range(columns)]
    longest = 65536 // columns * columns
    for row in range(1, last):
        for i in range(columns):
            line = int(out[0, i]) * (last - row) + int(out[last, i]) * row
            out[row, i] = (2 * line + last) // (2 * last) + residual(((row - 1) * columns + i) % longest, 2)
    return out


def _planes(
    shape: tuple[int, ...],
    residual: Any,
    factor: int,
    below: np.ndarray | None,
    earlier: np.ndarray | None,
) -> np.ndarray:
    height, width = shape[-2:]
    planes = math.prod(shape[:-2])
    longest = 65536 // planes * planes  # symbols of a wave
    out = np.zeros((planes, height, width), int)
    coarse = None if below is None else below.reshape(planes, height, width)
    known = None if earlier is None else earlier.reshape(planes, height, width)

    def at(array: np.ndarray, plane: int, row: int, column: int) -> int:
        inside = 0 <= row < height and 0 <= column < width
        return int(array[plane, row, column]) if inside else 0

    activity = _activity(out, shape[-3], at)

    for wave in range(width + 2 * (height - 1)):
        index = 0
        for row in range(height):
            column = wave - 2 * row
            if not 0 <= column < width:
                continue
            for plane in range(planes):
                left, up = at(out, plane, row, column - 1), at(out, plane, row - 1, column)
                corner, right = at(out, plane, row - 1, column - 1), at(out, plane, row - 1, column + 1)
                median = sorted((left, up, left + up - corner))[1]
                gradients = (right - up, up - corner, corner - left)
                if known is not None:
                    base, hint = _hint(at, known, coarse, factor, (plane, row, column))
                    k = _signed(5 * hint + max(-2, min(2, median - base)), gradients)
                elif coarse is None:
                    k, base = 0, median
                    for g in gradients:
                        k = 5 * k + _sign(g) + (g > 2) - (g < -2)
                else:
                    here = at(coarse, plane, row, column)
                    base = factor * here
                    k = _signed(max(-2, min(2, median - base)), gradients)
                    k = 5 * k + _slope(at, coarse, (plane, row, column))
                quiet = activity(plane // shape[-3], row, column)
                r = residual(index % longest, abs(k) + 5 if k else quiet)
                out[plane, row, column] = base + (r if k >= 0 else -r)
                index += 1
    return out.reshape(shape)


def _activity(out: np.ndarray, channels: int, at: Any) -> Any:
    """A function that tells how many channels of a plane are uneven at a texel: the bit length, at most 5."""

    def uneven(plane: int, row: int, column: int) -> bool:
        left, up = at(out, plane, row, column - 1), at(out, plane, row - 1, column)
        corner, right = at(out, plane, row - 1, column - 1), at(out, plane, row - 1, column + 1)
        return len({left, up, corner, right}) > 1

    @functools.lru_cache(maxsize=64)
    def activity(group: int, row: int, column: int) -> int:
        planes = range(group * channels, (group + 1) * channels)
        return min(sum(uneven(plane, row, column) for plane in planes).bit_length(), 5)

    return activity


def _hint(
    at: Any, known: np.ndarray, coarse: np.ndarray | None, factor: int, place: tuple[int, int, int]
) -> tuple[int, int]:
    """Base and hint of a texel that is continued."""
    p = at(known, *place)
    if coarse is not None:
        base = factor * at(coarse, *place)
        return base, _sign(p - base)
    return p, _sign(_slope(at, known, place))


def _slope(at: Any, array: np.ndarray, place: tuple[int, int, int]) -> int:
    """The signs of what is to the right and below, against what is here, added."""
    plane, row, column = place
    here = at(array, *place)
    return _sign(at(array, plane, row, column + 1) - here) + _sign(at(array, plane, row + 1, column) - here)


def _signed(k: int, gradients: tuple[int, ...]) -> int:
    for g in gradients:
        k = 3 * k + _sign(g)
    return k


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
