"""A decoder of tensor payloads written from ``format/SPEC.md``: one symbol at a time, in plain integers.

It is the slow reference for the NumPy code and shows what a decoder in another language has to do. It checks
only that its arithmetic is exact in JavaScript's numbers.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from . import plain_planes


class FieldReader:
    """Sequential reader of fields."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def take(self, layout: str) -> tuple[Any, ...]:
        found = struct.unpack_from(layout, self.data, self.position)
        self.position += struct.calcsize(layout)
        return found

    def u8(self) -> int:
        return int(self.take("<B")[0])

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.u8()
            value += (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


class RansSection:
    """The rANS section."""

    def __init__(self, data: FieldReader) -> None:
        lanes, words, raw = data.varint(), data.varint(), data.varint()
        self.states = list(data.take(f"<{lanes}I"))
        self.words = list(data.take(f"<{words}H"))
        self.raw = int.from_bytes(data.take(f"<{raw}s")[0], "little")  # bit 0 first
        assert data.position == len(data.data)

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
            width = 1 + (v - 16) // 8
            v = (8 + (v - 16) % 8 << width) + (self.raw & (1 << width) - 1)
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
    data = FieldReader(payload)
    found = records(data, coarser)
    lanes = RansSection(data) if any(r["coding"] == 0 and r["model"] != 1 for r in found) else None
    result = {}
    tables: dict[int, dict[str, Any]] = {}
    for r in found:
        if r["coding"] == 0 and r["model"] != 1:
            r |= {} if r["tables"] else {"tables": tables[r["model"]]}
            tables[r["model"]] = r["tables"]
        coarse_symbols = None if r["factor"] == 0 else (coarser or {})[r["name"]]
        earlier_planes = (earlier or {})[r["name"]] if r["continued"] else None
        if r["coding"] != 0:
            result[r["name"]] = (
                _expected(r["shape"], r["factor"], coarse_symbols, earlier_planes) + r["plain"]
            )
        elif r["model"] == 1:
            result[r["name"]] = plain_planes.decode(
                r["decisions"], r["shape"], r["factor"], coarse_symbols, earlier_planes
            )
        else:
            assert lanes is not None
            result[r["name"]] = _coded(r, lanes, coarse_symbols, earlier_planes)
    if lanes is not None:
        assert set(lanes.states) == {65536}
        assert (lanes.words, lanes.raw) == ([], 0)
    return result


def records(data: FieldReader, coarser: dict[str, np.ndarray] | None = None) -> list[dict[str, Any]]:
    """The records before the rANS section; one that reuses earlier tables has none."""
    found: list[dict[str, Any]] = []
    for _ in range(data.varint()):
        found.append(_record(data, found[-1]["name"] if found else "", coarser))
    return found


def _expected(
    shape: tuple[int, ...], factor: int, coarse_symbols: np.ndarray | None, earlier: np.ndarray | None
) -> np.ndarray:
    """The predicted symbols."""
    if coarse_symbols is None:
        return np.zeros(shape, int) if earlier is None else earlier
    if earlier is None:
        return factor * coarse_symbols
    half = factor // 2
    both = zip(coarse_symbols.ravel().tolist(), earlier.ravel().tolist(), strict=True)
    middles = [sorted((p, factor * c - half, factor * c + half))[1] for c, p in both]
    return np.array(middles).reshape(shape)


def _record(data: FieldReader, last_name: str, coarser: dict[str, np.ndarray] | None) -> dict[str, Any]:
    coding, factor = data.u8(), 0
    if coarser is None:
        shared, length = data.take("<BB")
        name = last_name[:shared] + data.take(f"<{length}s")[0].decode()
        shape = tuple(data.varint() for _ in range(data.u8()))
    else:
        name, factor = list(coarser)[data.varint()], data.u8()
        shape = coarser[name].shape
    data.take(f"<{shape[0] if coding & 16 else 1}f")
    continued, coding = bool(coding & 8), coding & 7
    record: dict[str, Any] = {
        "name": name, "coding": coding, "factor": factor, "shape": shape, "continued": continued,
    }  # fmt: skip
    size = math.prod(shape)
    if coding:
        symbols, planes = [], data.take(f"<{coding * size}B")
        for i in range(size):
            value = sum(planes[plane * size + i] << 8 * plane for plane in range(coding))
            symbols.append(value - (1 << 8 * coding) if value >> 8 * coding - 1 else value)
        record["plain"] = np.array(symbols).reshape(shape)
        return record
    record |= {"model": data.u8(), "tables": [], "kinds": ""}
    if record["model"] == 1:
        return record | {"decisions": data.take(f"<{data.varint()}s")[0]}
    tables = data.u8()
    if record["model"] == 0 and tables == 1:
        record["kinds"] = "smooth" if data.data[data.position] > 192 else "counted"
        record["tables"].append(_table(data))
    elif tables == 2:
        first, (shape_of, scale, tokens) = _table(data), data.take("<BBB")
        scales = [min(scale + 4 * k, 255) for k in range(40)]
        record["tables"] = [first, *(smooth_table(shape_of - 192, one, tokens) for one in scales)]
    return record


def _table(data: FieldReader) -> list[int]:
    n = data.u8()
    if n > 192:
        return smooth_table(n - 192, *data.take("<BB"))
    table = []
    for _ in range(n):
        low = data.u8()
        table.append(low if low < 128 else low - 128 + 128 * data.u8())
    return table


LOG_DIRECT = (0, 512, 768, 918, 1024, 1106, 1174, 1231, 1280)
LOG_BUCKET = (1046, 1087, 1124, 1158, 1189, 1217, 1244, 1268)


def smooth_table(shape: int, scale: int, tokens: int) -> list[int]:
    log_mass = []
    for t in range(tokens):
        raw = 0 if t < 16 else 1 + (t - 16) // 8
        log = LOG_DIRECT[(t + 1) // 2] if t < 16 else LOG_BUCKET[(t - 16) % 8] + 256 * raw
        decay = _power(min(shape * (log - 32 * scale + 1536) // 8, 2560)) // 256 if t else 0
        log_mass.append(256 * raw - decay)
    weights = [_power(one - max(log_mass)) for one in log_mass]
    assert sum(weights) * 16384 < 2**53
    table = [max(1, weight * 16384 // sum(weights)) for weight in weights]
    table[table.index(max(table))] += 16384 - sum(table)
    return table


def _power(e: int) -> int:
    whole, part = e // 256, e % 256
    mantissa = 65536 + part * (512 + part) // 3
    return mantissa << whole if whole >= 0 else mantissa >> -whole


def _coded(
    r: dict[str, Any], lanes: RansSection, coarse_symbols: np.ndarray | None, earlier: np.ndarray | None
) -> np.ndarray:
    def residual(index: int, context: int) -> int:
        return lanes.residual(index, r["tables"][context])

    shape, factor = r["shape"], r["factor"]
    if r["model"] == 0:
        base = _expected(shape, factor, coarse_symbols, earlier).ravel()
        # A wave of the flat model ends after 65,536 symbols.
        return np.array([int(b) + residual(i % 65536, 0) for i, b in enumerate(base)]).reshape(shape)
    return _rows(r, residual, _expected(shape, factor, coarse_symbols, earlier))


def _rows(r: dict[str, Any], residual: Any, predictions: np.ndarray) -> np.ndarray:
    transposed, order = r["model"] == 5, {6: 1, 7: 2}.get(r["model"], 0)
    expected = (predictions.T if transposed else predictions).tolist()
    columns, sums = len(expected[0]), [0] * len(expected[0])
    group = 1 if order else max(1, min((len(expected) + 63) // 64, 65536 // columns))
    out: list[list[int]] = []
    wave_sums = [0] * columns
    for row, predicted in enumerate(expected):
        first = row // group * group
        if row == first:
            sums, wave_sums = [a + b for a, b in zip(sums, wave_sums, strict=True)], [0] * columns
        counted = max(0, first - order)
        overall = 16 * sum(sums) // (counted * columns) if counted else 0
        symbols = []
        for c in range(columns):
            base = predicted[c]
            if order and row:
                base = out[row - 1][c]
                if order == 2 and row > 1:
                    base = max(-(2**23), min(2**23, 2 * base - out[row - 2][c]))
            mean = max(1, (16 * sums[c] + 2 * overall) // (counted + 2))
            assert 16 * sums[c] + 2 * overall < 2**53
            octave = mean.bit_length() - 1
            k = 2 * octave + (mean >> octave - 1 & 1 if octave else 0)
            distance = residual((row - first) * columns + c, 1 + min(k, 39) if counted else 0)
            symbols.append(base + distance)
            if row >= order:
                wave_sums[c] += min(abs(distance), 65535)
        out.append(symbols)
    found = np.array(out)
    return found.T if transposed else found
