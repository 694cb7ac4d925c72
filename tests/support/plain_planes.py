"""A decoder of planes written from ``format/SPEC.md``, 8.4: one decision at a time, in plain integers.

The slow reference for the compiled code. It checks that its arithmetic is exact in JavaScript's numbers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def power(e: int) -> int:
    whole, part = e // 256, e % 256
    mantissa = 65536 + part * (512 + part) // 3
    return mantissa << whole if whole >= 0 else mantissa >> -whole


SQUASH = {x: min(65520, max(16, 65536 * power(x) // (power(x) + 65536))) for x in range(-4095, 4096)}
RATE = [8192 // (2 * n + 3) for n in range(128)]


def _stretch_table() -> list[int]:
    table, x = [], -4095
    for i in range(4096):
        while x < 4095 and SQUASH[x] < 16 * i + 8:
            x += 1
        table.append(x)
    return table


STRETCH = _stretch_table()


def sgn(value: int) -> int:
    return (value > 0) - (value < 0)


def clip(value: int, most: int) -> int:
    return max(-most, min(most, value))


class Decisions:
    """The arithmetic decoder."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 4
        self.range, self.value = 2**32 - 1, int.from_bytes(data[:4], "big")

    def decide(self, p: int) -> int:
        bound = (self.range >> 16) * p + ((self.range & 65535) * p >> 16)
        bit = int(self.value < bound)
        if bit:
            self.range = bound
        else:
            self.range, self.value = self.range - bound, self.value - bound
        while self.range < 2**24:
            self.range *= 256
            self.value = self.value * 256 + self.data[self.position]
            self.position += 1
        assert self.value < self.range < 2**32
        return bit

    def number(self, bits: int) -> int:
        result = 0
        for _ in range(bits):
            result = 2 * result + self.decide(32768)
        return result

    def finish(self) -> None:
        assert self.value == 0
        assert not any(self.data[self.position :])


class Mixer:
    """Estimates, weights and corrections of one kind of decision."""

    def __init__(self, decisions: Decisions, inputs: int) -> None:
        self.decisions = decisions
        self.estimates: dict[Any, tuple[int, int]] = defaultdict(lambda: (2**21, 0))
        self.weights: dict[int, list[int]] = defaultdict(lambda: [20000] * inputs)
        self.corrections: dict[int, list[int]] = defaultdict(
            lambda: [SQUASH[clip(256 * j - 4096, 4095)] for j in range(33)]
        )

    def mixed(self, contexts: Sequence[Any], row: int, correction: int) -> int:
        weights, corrections = self.weights[row], self.corrections[correction]
        inputs = [STRETCH[self.estimates[key][0] >> 10] for key in contexts]
        total = sum(w * x for w, x in zip(weights, inputs, strict=True))
        assert abs(total) < 2**53
        x = clip(total >> 16, 4095)
        p, j, u = SQUASH[x], x + 4096 >> 8, x + 4096 & 255
        c = corrections[j] * (256 - u) + corrections[j + 1] * u >> 8
        bit = self.decisions.decide(min(65520, max(16, p + c >> 1)))
        for i, key in enumerate(contexts):
            weights[i] = clip(weights[i] + (inputs[i] * (65536 * bit - p) + 16384 >> 15), 2**20)
            estimate, count = self.estimates[key]
            if bit:
                estimate += (2**22 - 1 - estimate >> 3) * RATE[count] >> 9
            else:
                estimate -= (estimate >> 3) * RATE[count] >> 9
            self.estimates[key] = estimate, min(count + 1, 127)
        for at in (j, j + 1):
            corrections[at] += 65535 * bit - corrections[at] >> 6
        return bit


class Image:
    """The symbols of one plane of one image, and what the coder needs to know around a texel."""

    def __init__(self, shape: tuple[int, int, int], energy: dict[tuple[int, int], int]) -> None:
        self.channels, self.height, self.width = shape
        self.symbols: dict[tuple[int, int, int], int] = defaultdict(int)
        self.deviating: dict[tuple[int, int], int] = defaultdict(int)
        self.energy = energy

    def neighbours(self, c: int, y: int, x: int) -> tuple[int, ...]:
        """L, U, C, R, LL, UU; what is outside was never set."""
        at = ((y, x - 1), (y - 1, x), (y - 1, x - 1), (y - 1, x + 1), (y, x - 2), (y - 2, x))
        return tuple(self.symbols[c, row, column] for row, column in at)

    def median(self, c: int, y: int, x: int) -> int:
        left, up, upper_left = self.neighbours(c, y, x)[:3]
        return sorted((left, up, left + up - upper_left))[1]

    def add_energy(self) -> None:
        for y in range(self.height):
            for x in range(self.width):
                total = sum(abs(self.symbols[c, y, x]) for c in range(self.channels))
                self.energy[y, x] = min(65535, self.energy[y, x] + total)


class Known:
    """What is known of an image elsewhere: the coarser symbols, and those of the earlier tensor."""

    def __init__(self, factor: int, coarse: np.ndarray | None, earlier: np.ndarray | None) -> None:
        self.factor, self.coarse, self.earlier = factor, coarse, earlier
        self.values = earlier if coarse is None else coarse

    def expected(self, median: int, texel: tuple[int, int, int]) -> tuple[int, int]:
        """e and o."""
        e = median if self.earlier is None else int(self.earlier[texel])
        if self.coarse is None:
            return e, e
        o, reach = self.factor * int(self.coarse[texel]), self.factor >> 1
        return max(o - reach, min(o + reach, e)), o

    def slopes(self, c: int, y: int, x: int) -> tuple[int, int]:
        if self.values is None:
            return 0, 0
        _, height, width = self.values.shape
        here = int(self.values[c, y, x])
        right = sgn(int(self.values[c, y, x + 1]) - here) if x + 1 < width else 0
        below = sgn(int(self.values[c, y + 1, x]) - here) if y + 1 < height else 0
        return right, below


def decode(
    data: bytes, shape: tuple[int, ...], factor: int, coarse: np.ndarray | None, earlier: np.ndarray | None
) -> np.ndarray:
    """The symbols of a tensor of planes; ``coarse`` and ``earlier`` are as for ``plain_decoder.unpack``."""
    *outer, channels, height, width = shape
    planes = outer[-1] if outer else 1
    images = math.prod(outer) // planes
    out = np.zeros((images, planes, channels, height, width), int)
    decisions = Decisions(data)
    symbol_mixer, quiet_mixer = Mixer(decisions, 6), Mixer(decisions, 4)
    energies: list[dict[tuple[int, int], int]] = [defaultdict(int) for _ in range(planes)]
    for n in range(images):
        for plane in range(planes):
            known = Known(
                factor,
                *(None if each is None else each.reshape(out.shape)[n, plane] for each in (coarse, earlier)),
            )
            image = Image((channels, height, width), energies[plane])
            number = (n * planes + plane) * channels
            for y in range(height):
                for x in range(width):
                    _texel(image, known, (symbol_mixer, quiet_mixer), plane, number, y, x)
            for (c, y, x), symbol in image.symbols.items():
                if 0 <= y < height and 0 <= x < width:
                    out[n, plane, c, y, x] = symbol
            image.add_energy()
    decisions.finish()
    return out.reshape(shape)


def _texel(
    image: Image, known: Known, mixers: tuple[Mixer, Mixer], plane: int, number: int, y: int, x: int
) -> None:
    channels = range(image.channels)
    around = [image.neighbours(c, y, x) for c in channels]
    uneven = sum(len(set(each[:4])) > 1 for each in around)
    coloured = sum(each[0] != 0 or each[1] != 0 for each in around)
    certain = all(
        known.slopes(c, y, x) == (0, 0)
        and known.expected(image.median(c, y, x), (c, y, x))[0] == around[c][0]
        for c in channels
    )
    if (
        uneven == 0 and certain
        and not mixers[1].mixed(*_quiet(image.deviating, image, plane, y, x, coloured))
    ):  # fmt: skip
        for c in channels:
            image.symbols[c, y, x] = around[c][0]
        return
    deviating = 0
    for c in channels:
        deviating += _symbol(image, known, mixers[0], number + c, (c, y, x), uneven, deviating)
    image.deviating[y, x] = deviating


def _quiet(
    d: dict[tuple[int, int], int], image: Image, plane: int, y: int, x: int, coloured: int
) -> tuple[list[Any], int, int]:
    energy = image.energy
    near = min(3, d[y - 1, x - 1] + d[y - 1, x] + d[y - 1, x + 1] + d[y, x - 1])
    beyond = min(3, d[y, x - 2] + d[y - 2, x])
    far = any(d[y, x - k] for k in range(3, 8)) + 2 * any(d[y - k, x] for k in range(3, 8))
    nine = sum(energy[y + v, x + u] for v in (-1, 0, 1) for u in (-1, 0, 1))
    octave = (nine + 2 * energy[y, x] + 1).bit_length() - 1
    upper_half = nine + 2 * energy[y, x] + 1 >> octave - 1 & 1 if octave else 0
    level = min(15, 2 * octave + upper_half)
    mask = 0
    for v, u in ((0, 0), (0, 1), (1, 0), (-1, 0), (0, -1)):
        mask = 2 * mask + (energy[y + v, x + u] > 0)
    place = 16 * (16 * (plane % 16) + 16 * y // image.height) + 16 * x // image.width
    contexts = [
        16 * (4 * near + beyond) + level, 9 * (4 * far + beyond) + min(8, coloured),
        2 * mask + (coloured > 0), 4 * place + (level >> 2),
    ]  # fmt: skip
    return list(enumerate(contexts)), 4 * near + beyond, level


def _symbol(
    image: Image, known: Known, mixer: Mixer, number: int, texel: tuple[int, int, int], a: int, d: int
) -> int:
    """Decode a symbol; 1 if it is not the expected one."""
    c, y, x = texel
    left, up, upper_left, upper_right, left2, up2 = image.neighbours(c, y, x)
    median = image.median(c, y, x)
    e, o = known.expected(median, texel)
    q = 0
    for gradient in (upper_right - up, up - upper_left, upper_left - left):
        q = 5 * q + sgn(gradient) * (1 + (abs(gradient) > 2))
    s = -1 if q < 0 or (q == 0 and e < 0) else 1
    v = (
        abs(upper_right - up)
        + abs(up - upper_left)
        + abs(upper_left - left)
        + abs(left - left2)
        + abs(up - up2)
    )
    w = next(n for n, most in enumerate((0, 1, 2, 4, 8, 16, math.inf)) if v <= most)
    t = 5 * (3 * (sum(known.slopes(*texel)) * s + 2) + sgn(e - o) * s + 1) + clip(median - e, 2) * s + 2

    def z(value: int) -> int:
        return clip((value - e) * s, 2) + 2

    def step(n: int) -> int:
        return min(4, (n + 1) // 2)

    busy = image.deviating
    corners = busy[y - 1, x - 1] + busy[y - 1, x + 1]
    contexts = (
        5 * abs(q) + clip(e, 2) * s + 2,
        125 * z(left) + 25 * z(up) + 5 * z(upper_right) + z(left2),
        7 * (5 * z(up2) + z(left2)) + clip(e, 3) * s + 3,
        3 * (number % 256) + min(2, w),
        5 * (7 * t + w) + (a > 0) + (a > 1) + (a > 3) + (a > 7),
        5 * (25 * step(busy[y, x - 1]) + 5 * step(busy[y - 1, x]) + step(corners)) + min(4, d),
    )
    row = t if known.values is not None else 75 + 9 * w + min(8, a)

    def node(n: int) -> int:
        keys = [(i, 16 * context + n) for i, context in enumerate(contexts)]
        return mixer.mixed(keys, 138 * n + row, 3 * (7 * n + w) + min(2, d))

    r = _difference(node, mixer.decisions)
    image.symbols[texel] = e + s * r
    return int(r != 0)


def _difference(node: Callable[[int], int], decisions: Decisions) -> int:
    if not node(0):
        return 0
    negative = node(1)
    size = 1
    while size <= 16 and node(min(size + 1, 7) + 8 * negative):
        size += 1
    if size == 17:
        size += decisions.number(min(decisions.number(5), 26))
    return -size if negative else size
