"""Lines with points over two labelled axes, each linear or logarithmic, as an SVG with a legend below.

plot({"fast": [(1e4, 0.02), (2e4, 0.04)]}, Axis("pixels", log=True), Axis("seconds", zero=True))
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 440, 60, 40, 24, 50
COLOURS = ("#0b6e4f", "#6aa84f", "#1f4e99", "#b45f06", "#7b3fa0", "#444444")
_LETTER, _ROW = 6.7, 20  # width of a letter at most, height of a row of the legend

Series = dict[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Axis:
    """What an axis shows, its unit included; with ``zero`` a linear one begins at 0 at least."""

    label: str
    log: bool = False
    zero: bool = False


def plot(series: Series, x: Axis, y: Axis) -> str:
    """The picture of some lines; each is a list of (x, y) in the order in which they are joined."""
    place_x, marks_x = _scale([point[0] for line in series.values() for point in line], x)
    place_y, marks_y = _scale([point[1] for line in series.values() for point in line], y)
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def across(value: float) -> float:
        return LEFT + place_x(value) * (right - LEFT)

    def down(value: float) -> float:
        return bottom - place_y(value) * (bottom - TOP)

    parts = [_text(LEFT - 44, TOP - 18, y.label), _text((LEFT + right) / 2, bottom + 38, x.label, "middle")]
    for mark in marks_x:
        parts.append(f'<path d="M{across(mark):.1f} {TOP}V{bottom}" stroke="#eee"/>')
        parts.append(_text(across(mark), bottom + 18, _number(mark), "middle"))
    for mark in marks_y:
        parts.append(f'<path d="M{LEFT} {down(mark):.1f}H{right}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 8, down(mark) + 4, _number(mark), "end"))
    for number, line in enumerate(series.values()):
        parts += _line([(across(a), down(b)) for a, b in line], COLOURS[number % len(COLOURS)])
    legend, height = _legend(list(series))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + height}" '
        f'font-family="sans-serif" font-size="13">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT + height}" fill="white"/>'
    )
    return "\n".join([head, *parts, *legend, "</svg>"]) + "\n"


def _line(places: Sequence[tuple[float, float]], colour: str) -> list[str]:
    """A line and its points, in pixels."""
    joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    return [
        f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in places),
    ]


def _legend(names: Sequence[str]) -> tuple[list[str], int]:
    """Names in the colours of their lines, as many in a row as fit; and the rows' height."""
    width = _LETTER * max(map(len, names)) + 20
    columns = max(1, int((WIDTH - LEFT) // width))
    texts = []
    for number, name in enumerate(names):
        row, column = divmod(number, columns)
        at = (LEFT + column * width, HEIGHT + _ROW * row + 12)
        texts.append(_text(*at, name, fill=COLOURS[number % len(COLOURS)]))
    return texts, _ROW * math.ceil(len(names) / columns)


def _scale(values: Sequence[float], axis: Axis) -> tuple[Callable[[float], float], list[float]]:
    """Where values lie on an axis, 0 to 1, and the round ones that are marked on it."""
    if axis.log:
        low, high = math.log10(min(values)) - 0.05, math.log10(max(values)) + 0.05
        powers = range(math.floor(low), math.ceil(high) + 1)
        steps = (1, 2, 5) if high - low < 3.5 else (1,)
        marks = [step * 10.0**power for power in powers for step in steps]
        marks = [mark for mark in marks if low <= math.log10(mark) <= high]
        return lambda value: (math.log10(value) - low) / (high - low), marks
    least, most = min([0.0, *values] if axis.zero else values), max(values)
    step = _round_step((most - least or abs(most) or 1.0) / 6)
    first, last = math.floor(least / step), math.ceil(most / step)
    last += first == last
    marks = [number * step for number in range(first, last + 1)]
    return lambda value: (value / step - first) / (last - first), marks


def _round_step(least: float) -> float:
    """The next of 1, 2, 5, 10, ... that is no smaller."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9))


def _number(value: float) -> str:
    """A mark's value in few letters: 0.02, 5, 200k, 1M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * (1 - 1e-9):
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"


def _text(x: float, y: float, text: str, anchor: str = "start", fill: str = "black") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{escape(text)}</text>'
