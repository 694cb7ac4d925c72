"""Curves of PSNR over something as an SVG: lines across at whole dB, ticks given by the caller, a legend."""

import math
from collections.abc import Callable, Mapping, Sequence

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 420, 60, 20, 20, 50
COLOURS = ("#0b6e4f", "#6aa84f", "#1f4e99", "#b45f06")

Series = Mapping[str, Sequence[tuple[float, float]]]


def chart(
    series: Series, along: Callable[[float], float], span: tuple[float, float], ticks: Mapping[float, str]
) -> str:
    """The picture of some curves of (x, dB). ``along`` puts an x on the axis, which shows ``span`` of it.

    ``ticks`` are the texts at some x; those outside the span are left out.
    """
    low, high = span
    scores = [score for curve in series.values() for _, score in curve]
    least, most = math.floor(min(scores)), math.ceil(max(scores))
    most = max(most, least + 1)

    def place(x: float, score: float) -> tuple[float, float]:
        across = LEFT + (along(x) - low) / (high - low) * (WIDTH - LEFT - RIGHT)
        return across, TOP + (most - score) / (most - least) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for score in range(least, most + 1):
        y = TOP + (most - score) / (most - least) * (HEIGHT - TOP - BOTTOM)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{score} dB</text>')
    for tick, text in ticks.items():
        if low <= along(tick) <= high:
            x, _ = place(tick, least)
            parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#eee"/>')
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 30}" text-anchor="middle">{text}</text>')
    for number, (name, curve) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [place(*point) for point in curve]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
        x = LEFT + 10 + 165 * number
        parts.append(f'<text x="{x}" y="{HEIGHT - 8}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
